//! How Python itself pickles iterators and flags: as calls of `iter`,
//! `reversed`, `map`, `filter` and `operator.or_`, which run nothing when what
//! they go through is plain, and what they are told to call makes plain values.

use super::machine::Machine;
use super::value::{Kind, Node, Value};

/// Arguments that are looked at; more than these no such call has.
const ARGUMENTS: usize = 16;

/// Iterators within iterators, and what they go through, that are looked at.
const FOLLOWED: usize = 64;

/// Classes that run no code of others when they are gone through: containers,
/// and iterators, each of which is judged by the call that made it.
const ITERABLE: &[&str] = &[
    "builtins.bytearray",
    "builtins.bytes",
    "builtins.dict",
    "builtins.enumerate",
    "builtins.filter",
    "builtins.frozenset",
    "builtins.iter",
    "builtins.list",
    "builtins.map",
    "builtins.range",
    "builtins.reversed",
    "builtins.set",
    "builtins.str",
    "builtins.tuple",
    "builtins.zip",
    "collections.Counter",
    "collections.OrderedDict",
    "collections.defaultdict",
    "collections.deque",
    "itertools.chain",
    "itertools.combinations",
    "itertools.combinations_with_replacement",
    "itertools.count",
    "itertools.cycle",
    "itertools.islice",
    "itertools.permutations",
    "itertools.product",
    "itertools.repeat",
    "itertools.zip_longest",
];

/// Classes that make a plain value of one.
const CONVERTERS: &[&str] = &[
    "builtins.bool",
    "builtins.bytes",
    "builtins.complex",
    "builtins.float",
    "builtins.frozenset",
    "builtins.int",
    "builtins.list",
    "builtins.object",
    "builtins.set",
    "builtins.str",
    "builtins.tuple",
];

/// Names in a key that a getter fetches, or a method that it calls, which lead
/// out of the object that it is given.
const LEADS_OUT: &[&str] = &[
    "builtins",
    "check_output",
    "eval",
    "exec",
    "exec_module",
    "execv",
    "getoutput",
    "import_module",
    "load_module",
    "os",
    "popen",
    "posix",
    "subprocess",
    "sys",
    "system",
];

/// Whether a text, as the key of a getter, leads to the insides of whatever
/// the getter is called with.
pub(super) fn leads_out(key: &str) -> bool {
    key.split('.').any(|part| (part.starts_with("__") && part.ends_with("__")) || LEADS_OUT.contains(&part))
}

/// Whether a partial of `name` is a value to keep: a function of Python's own
/// that acts on nothing but what it will be called with. Called in the stream,
/// it is judged as that call.
pub(super) fn is_kept(name: &str) -> bool {
    matches!(
        name,
        "builtins.bytes.decode"
            | "builtins.filter"
            | "builtins.map"
            | "builtins.sorted"
            | "functools.reduce"
            | "json.dumps"
            | "json.loads"
            | "re.sub"
    ) || name.strip_prefix("builtins.str.").is_some_and(|method| method != "format" && method != "format_map")
}

/// Whether `__new__` of the class does all that a call of it does.
pub(super) fn is_made_by_new(name: &str) -> bool {
    matches!(name, "builtins.filter" | "builtins.map" | "builtins.reversed")
}

/// Whether a name is that of a class, by how it is written.
fn is_class(name: &str) -> bool {
    name.rsplit('.').next().is_some_and(|last| last.trim_start_matches('_').starts_with(|c: char| c.is_uppercase()))
}

/// Whether a name is that of a constant of a class, by how it is written.
fn is_member(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(class, member)| {
        is_class(class) && member.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    })
}

impl Machine<'_> {
    /// Whether this call of a builtin runs no code but its own and that of
    /// builtin classes.
    pub(super) fn is_plain_builtin(&self, name: &str, args: &[Value]) -> bool {
        match (name, args) {
            ("builtins.iter", [items]) => self.is_iterable(*items),
            // Of text, it is a way to hide a name.
            ("builtins.reversed", [items]) => !self.is_text(*items) && self.is_iterable(*items),
            // Items are compared, or asked for their truth.
            ("builtins.sorted", [items]) => self.gives_data(*items),
            ("builtins.filter", [function, items]) => *function == Value::NONE && self.gives_data(*items),
            // Sums, where no function is given.
            ("itertools.accumulate", [items]) => !self.is_text(*items) && self.gives_data(*items),
            ("itertools.accumulate", [items, function]) => {
                *function == Value::NONE && !self.is_text(*items) && self.gives_data(*items)
            }
            ("builtins.map", [function, items @ ..]) => {
                self.is_one_of(*function, CONVERTERS) && items.iter().all(|items| self.gives_data(*items))
            }
            ("builtins.issubclass", [class, other]) => {
                self.is_one_of(*class, CONVERTERS) && self.is_one_of(*other, CONVERTERS)
            }
            _ => false,
        }
    }

    /// Whether these are members of flags, or flags joined to others, as Python
    /// 3.11 pickles `re.I | re.M`: `operator.or_(RegexFlag.IGNORECASE, ...)`.
    pub(super) fn are_flags(&self, values: &[Value]) -> bool {
        let mut waiting = values.to_vec();
        for _ in 0..FOLLOWED {
            let Some(value) = waiting.pop() else { return true };
            if matches!(value.kind(), Kind::Int(_) | Kind::Long(_)) {
                continue;
            }
            match self.arena.get(value) {
                Some(Node::Global(_)) if self.name_of(value).is_some_and(is_member) => {}
                Some(Node::Call { callee, args, .. }) => {
                    let args = self.arena.items(*args, ARGUMENTS);
                    match self.name_of(*callee) {
                        Some("operator.or_") => waiting.extend(args),
                        // A member by its number.
                        Some(name) if is_class(name) => match args.as_slice() {
                            [number] if matches!(number.kind(), Kind::Int(_) | Kind::Long(_)) => {}
                            _ => return false,
                        },
                        _ => return false,
                    }
                }
                _ => return false,
            }
        }
        false
    }

    /// Whether a value is what an `itemgetter` of an honest file fetches by.
    pub(super) fn is_key(&self, value: Value) -> bool {
        if let Some(text) = self.text_of(value) {
            return !leads_out(&text);
        }
        match self.arena.get(value) {
            Some(Node::Call { callee, args, .. }) if self.name_of(*callee) == Some("builtins.slice") => {
                self.arena.items(*args, ARGUMENTS).iter().all(|bound| self.is_data(*bound))
            }
            _ => self.is_data(value),
        }
    }

    /// Whether going through `value` runs no code of others.
    fn is_iterable(&self, value: Value) -> bool {
        match self.arena.get(value) {
            Some(Node::Container { .. }) => true,
            Some(Node::Call { callee, .. }) => self.is_one_of(*callee, ITERABLE),
            _ => self.is_data(value),
        }
    }

    /// Whether nothing but plain data comes out of it, too.
    fn gives_data(&self, value: Value) -> bool {
        let mut waiting = vec![value];
        for _ in 0..FOLLOWED {
            let Some(value) = waiting.pop() else { return true };
            if self.is_data(value) {
                continue;
            }
            let Some(Node::Call { callee, args, .. }) = self.arena.get(value) else { return false };
            let items = self.arena.items(*args, ARGUMENTS);
            if !self.is_one_of(*callee, ITERABLE) || items.len() == ARGUMENTS {
                return false;
            }
            waiting.extend(items.into_iter().filter(|item| !self.is_one_of(*item, CONVERTERS)));
        }
        false
    }

    /// Whether a value is a constant, or a container of such.
    fn is_data(&self, value: Value) -> bool {
        value.kind() != Kind::Absent && !self.arena.is_live(value)
    }

    fn is_text(&self, value: Value) -> bool {
        matches!(value.kind(), Kind::Str(_) | Kind::Bytes(_) | Kind::Bytearray(_))
            || matches!(self.arena.get(value), Some(Node::Text(_) | Node::Blob(_)))
    }

    fn is_one_of(&self, value: Value, names: &[&str]) -> bool {
        self.name_of(value).is_some_and(|name| names.contains(&name))
    }
}
