//! Code carried by value: what dill and cloudpickle build functions and
//! classes with. Building runs nothing; an object of a carried class does,
//! when the class has a method that loading calls.

use std::collections::{HashMap, HashSet};

use super::fold::{Folded, settled};
use super::machine::Machine;
use super::value::{How, Kind, Node, Shape, Value};
use crate::engine::Cx;
use crate::stop::Stop;

/// Items of a class dictionary, a tuple of bases or the arguments of a call
/// that are looked at.
const LOOKED_AT: usize = 4096;

/// Special members that loading an object never calls.
const INERT: &[&str] = &[
    "__abstractmethods__",
    "__annotate__",
    "__annotate_func__",
    "__annotations__",
    "__annotations_cache__",
    "__call__",
    "__dataclass_fields__",
    "__dataclass_params__",
    "__doc__",
    "__firstlineno__",
    "__getstate__",
    "__init__",
    "__match_args__",
    "__module__",
    "__orig_bases__",
    "__parameters__",
    "__post_init__",
    "__qualname__",
    "__replace__",
    "__slotnames__",
    "__slots__",
    "__static_attributes__",
    "__type_params__",
];

/// Special members that run only when something is done with the object: it
/// must not be handed to a call.
const ON_USE: &[&str] = &[
    "__abs__",
    "__add__",
    "__bool__",
    "__contains__",
    "__delattr__",
    "__delitem__",
    "__enter__",
    "__eq__",
    "__exit__",
    "__float__",
    "__floordiv__",
    "__format__",
    "__ge__",
    "__getitem__",
    "__gt__",
    "__index__",
    "__int__",
    "__invert__",
    "__iter__",
    "__le__",
    "__len__",
    "__lt__",
    "__matmul__",
    "__mod__",
    "__mul__",
    "__ne__",
    "__neg__",
    "__next__",
    "__pow__",
    "__radd__",
    "__repr__",
    "__reversed__",
    "__rmul__",
    "__rsub__",
    "__rtruediv__",
    "__setattr__",
    "__setitem__",
    "__str__",
    "__sub__",
    "__truediv__",
];

/// Builtin types that dill saves by name, besides those that hold plain data.
const BUILTINS: &[&str] = &[
    "BaseException",
    "Exception",
    "GeneratorExit",
    "KeyboardInterrupt",
    "StopAsyncIteration",
    "StopIteration",
    "SystemExit",
    "bytearray",
    "classmethod",
    "memoryview",
    "property",
    "range",
    "slice",
    "staticmethod",
    "type",
];

/// Types of the module `types` that functions and classes are made with.
const TYPES: &[&str] = &[
    "EllipsisType",
    "GenericAlias",
    "MappingProxyType",
    "MethodType",
    "NoneType",
    "NotImplementedType",
    "SimpleNamespace",
];

/// What a function carried by value is made of, besides its code.
const FUNCTION: &[&str] = &[
    "__annotations__",
    "__closure__",
    "__defaults__",
    "__doc__",
    "__globals__",
    "__kwdefaults__",
    "__module__",
    "__name__",
    "__qualname__",
    "__type_params__",
    "_cloudpickle_submodules",
];

/// What may run when an object of a class is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Runs {
    Nothing,
    OnUse,
    /// The same, and when it becomes a key or is put into a set.
    OnKey,
    OnLoad,
}

/// A class that the stream carries.
#[derive(Debug)]
struct Class {
    runs: Runs,
    /// Imported classes among its ancestors.
    bases: Vec<String>,
    /// Whether the stream has made an object of it.
    used: bool,
}

/// The classes that a stream carries, by the node of the call that made each.
#[derive(Debug, Default)]
pub(super) struct Carried {
    made: HashMap<u32, Class>,
    /// Functions that were given more than functions have.
    odd: HashSet<u32>,
    /// Some class has methods that keys run.
    pub(super) keys: bool,
}

impl Machine<'_> {
    /// What a call of dill's or cloudpickle's helpers gives.
    ///
    /// # Errors
    /// When no more artifacts may be examined.
    pub(super) fn fold_carrier(
        &mut self,
        name: &str,
        args: &[Value],
        depth: u32,
        cx: &mut Cx<'_, '_>,
    ) -> Result<Option<Folded>, Stop> {
        let text = args.first().and_then(|first| self.text_of(*first));
        Ok(match (name, text, args) {
            ("cloudpickle.cloudpickle._builtin_type" | "dill._dill._load_type", Some(text), [_]) => {
                self.type_of_table(name, &text)
            }
            ("cloudpickle.cloudpickle.subimport", Some(text), [_]) => settled(self.import(&text, "", "subimport")),
            ("dill._dill._import_module", Some(text), _) => {
                // The last part may be a name of the module before it.
                let (module, item) = text.rsplit_once('.').unwrap_or((&text, ""));
                settled(self.import(module, item, "_import_module"))
            }
            // The class of that name when there is one, else a tuple with names.
            ("dill._dill._create_namedtuple", Some(text), [_, _, module, ..]) => match self.text_of(*module) {
                Some(module) => {
                    let full = format!("{module}.{text}");
                    let (module, item) = full.rsplit_once('.').unwrap_or((&full, ""));
                    settled(self.import(module, item, "_create_namedtuple"))
                }
                None => None,
            },
            // dill evaluates the text by which Python shows these.
            ("dill._dill._eval_repr", Some(text), [_]) if is_plain_repr(&text) => {
                Some(Folded { value: Value::ABSENT, settled: true })
            }
            ("dill._dill._get_attr", ..) => self.fold_builtin("builtins.getattr", args),
            ("dill._dill._create_array", _, [function, given, rest @ ..]) => {
                let array = self.call(*function, *given, How::Folded, depth.saturating_add(1), cx)?;
                if let Some(state) = rest.first() {
                    self.give_state(array, *state, cx)?;
                }
                let plain = ["numpy._core.multiarray._reconstruct", "numpy.core.multiarray._reconstruct"];
                let settled = self.name_of(*function).is_some_and(|name| plain.contains(&name));
                Some(Folded { value: array, settled })
            }
            _ => None,
        })
    }

    /// `meta_create(name, base, attributes)` of DEAP: a class like its base, with
    /// constants, and with an object of each class among the attributes for its
    /// own. Amounts to the base when nothing else stands there.
    pub(super) fn fold_creator(&self, args: &[Value]) -> Option<Folded> {
        const BASES: &[&str] = &[
            "array.array",
            "deap.base.ConstrainedFitness",
            "deap.base.Fitness",
            "deap.gp.PrimitiveTree",
            "numpy.ndarray",
        ];
        let [_, base, attributes] = args else { return None };
        let plain = |value: Value| {
            self.name_of(value).is_some_and(|name| {
                let builtin =
                    name.strip_prefix("builtins.").is_some_and(|name| crate::names::PLAIN_TYPES.contains(&name));
                builtin || BASES.contains(&name)
            })
        };
        let items = self.arena.items(*attributes, LOOKED_AT);
        let dictionary = matches!(self.arena.get(*attributes), Some(Node::Container { shape: Shape::Dict, .. }));
        let harmless = items.chunks(2).all(|pair| match pair {
            [key, value] => {
                let named = self.text_of(*key).is_some_and(|key| !key.starts_with('_'));
                named && (plain(*value) || !self.arena.is_live(*value))
            }
            _ => false,
        });
        if dictionary && harmless && items.len() < LOOKED_AT && plain(*base) { settled(*base) } else { None }
    }

    /// The type that a fixed table has under `name`; those that make functions
    /// keep the table's name, since what they make is carried code.
    fn type_of_table(&mut self, table: &str, name: &str) -> Option<Folded> {
        let value = match name {
            "CellType" | "CodeType" | "FunctionType" | "LambdaType" | "ModuleType" => {
                let (module, function) = table.rsplit_once('.')?;
                self.import(module, &format!("{function}.{name}"), "type table")
            }
            "PartialType" => self.import("functools", "partial", "type table"),
            "OrderedDict" => self.import("collections", name, "type table"),
            "ABCMeta" => self.import("abc", name, "type table"),
            _ if TYPES.contains(&name) => self.import("types", name, "type table"),
            _ if is_builtin_type(name) => self.import("builtins", name, "type table"),
            _ => return None,
        };
        self.mark_used(value);
        settled(value)
    }

    /// `setattr` of plain data on a class that the stream carries.
    pub(super) fn fold_setattr(&mut self, object: Value, value: Value) -> Option<Folded> {
        let carried = object.as_node().is_some_and(|node| self.classes.made.contains_key(&node));
        (carried && !self.arena.is_live(value)).then_some(Folded { value: Value::ABSENT, settled: true })
    }

    /// Notes a class that the call of `maker` has made, or changed.
    pub(super) fn note_class(&mut self, maker: &str, args: &[Value], made: Value, cx: &mut Cx<'_, '_>) {
        match (maker, args) {
            ("cloudpickle.cloudpickle._make_skeleton_class", [meta, _, bases, members, ..])
            | ("dill._dill._create_type", [meta, _, bases, members, ..]) => {
                let plain = matches!(self.name_of(*meta), Some("builtins.type" | "abc.ABCMeta"));
                let (inherited, names) = self.bases(*bases);
                if inherited == Runs::OnLoad && self.is_carried_base(*bases) {
                    // `__init_subclass__` and the like run right here.
                    self.unknown_call(made, *bases, How::Reduce, cx);
                }
                let own = if plain { self.members(*members) } else { Runs::OnLoad };
                if let Some(node) = made.as_node() {
                    let class = Class { runs: own.max(inherited), bases: names, used: false };
                    self.classes.keys |= class.runs >= Runs::OnKey;
                    self.classes.made.insert(node, class);
                }
            }
            ("cloudpickle.cloudpickle._class_setstate", [class, state, ..]) => {
                let own = self.arena.items(*state, 2).first().map_or(Runs::OnLoad, |members| self.members(*members));
                let Some(known) = class.as_node().and_then(|node| self.classes.made.get_mut(&node)) else { return };
                known.runs = known.runs.max(own);
                self.classes.keys |= known.runs >= Runs::OnKey;
                // Objects that are there already get the new methods.
                if known.used && known.runs == Runs::OnLoad {
                    self.unknown_call(*class, *state, How::Reduce, cx);
                }
            }
            ("cloudpickle.cloudpickle._function_setstate", [function, state]) => {
                if let Some(node) = function.as_node().filter(|_| !self.is_function_state(*state)) {
                    self.classes.odd.insert(node);
                }
            }
            _ => {}
        }
    }

    /// Whether this gives a function what functions have, and no attribute
    /// that could be called.
    fn is_function_state(&self, state: Value) -> bool {
        let items = self.arena.items(state, 3);
        let [attributes, slots] = items.as_slice() else { return false };
        let slots = self.arena.items(*slots, LOOKED_AT);
        let known = |key: &Value| self.text_of(*key).is_some_and(|key| FUNCTION.contains(&key.as_str()));
        !self.arena.is_live(*attributes) && slots.len() < LOOKED_AT && slots.iter().step_by(2).all(known)
    }

    /// Whether this is a function that cloudpickle has made of code, and
    /// nothing else.
    pub(super) fn is_plain_function(&self, value: Value) -> bool {
        let Some(node) = value.as_node() else { return false };
        let Some(Node::Call { callee, .. }) = self.arena.get(value) else { return false };
        self.name_of(*callee) == Some("cloudpickle.cloudpickle._make_function")
            && !self.states.contains_key(&node)
            && !self.classes.odd.contains(&node)
    }

    fn is_carried_base(&self, bases: Value) -> bool {
        self.arena
            .items(bases, LOOKED_AT)
            .iter()
            .any(|base| base.as_node().is_some_and(|node| self.classes.made.contains_key(&node)))
    }

    /// What the bases of a class bring along.
    fn bases(&self, bases: Value) -> (Runs, Vec<String>) {
        let mut runs = Runs::Nothing;
        let mut names = Vec::new();
        for base in self.arena.items(bases, LOOKED_AT) {
            if let Some(name) = self.name_of(base) {
                names.push(name.to_owned());
            } else if let Some(class) = base.as_node().and_then(|node| self.classes.made.get(&node)) {
                runs = runs.max(class.runs);
                names.extend(class.bases.iter().cloned());
            } else {
                runs = Runs::OnLoad;
            }
        }
        (runs, names)
    }

    /// What a class dictionary makes run.
    fn members(&self, dictionary: Value) -> Runs {
        if !matches!(self.arena.get(dictionary), Some(Node::Container { shape: Shape::Dict, .. })) {
            return Runs::OnLoad;
        }
        let items = self.arena.items(dictionary, LOOKED_AT);
        if items.len() >= LOOKED_AT {
            return Runs::OnLoad;
        }
        let mut runs = Runs::Nothing;
        let (mut compares, mut hashes) = (false, true);
        for pair in items.chunks(2) {
            let [key, value] = pair else { continue };
            let Some(key) = self.text_of(*key) else { return Runs::OnLoad };
            let special = key.len() > 4 && key.starts_with("__") && key.ends_with("__");
            match key.as_str() {
                "__hash__" if value.kind() == Kind::None => hashes = false,
                "__hash__" => runs = runs.max(Runs::OnKey),
                // Each registered subclass is handed to `register`, which may be the class's own.
                "_abc_impl" if *value != Value::NONE && !self.arena.items(*value, 1).is_empty() => return Runs::OnLoad,
                key if ON_USE.contains(&key) => {
                    compares |= key == "__eq__";
                    runs = runs.max(Runs::OnUse);
                }
                key if special && !INERT.contains(&key) => return Runs::OnLoad,
                _ => {}
            }
        }
        // Keys of a dictionary are compared once their hashes are equal.
        if compares && hashes { runs.max(Runs::OnKey) } else { runs }
    }

    /// Whether making an object of `class` by `__new__` alone runs nothing.
    pub(super) fn makes_quietly(&mut self, class: Value, how: How) -> bool {
        if !matches!(how, How::NewObj | How::NewObjEx) {
            return false;
        }
        let Some(known) = class.as_node().and_then(|node| self.classes.made.get_mut(&node)) else { return false };
        known.used = true;
        known.runs < Runs::OnLoad
    }

    /// The class of an object that was made of a carried one.
    fn class_of(&self, object: Value) -> Option<&Class> {
        let Some(Node::Call { callee, how: How::NewObj | How::NewObjEx, .. }) = self.arena.get(object) else {
            return None;
        };
        callee.as_node().and_then(|node| self.classes.made.get(&node))
    }

    /// Whether this is a method or another attribute of something that dill's
    /// or cloudpickle's helpers have made.
    pub(super) fn is_carried_member(&self, callee: Value) -> bool {
        let Some(Node::Attribute { object, .. }) = self.arena.get(callee) else { return false };
        self.is_carried(*object)
    }

    /// Whether a helper of theirs has made this.
    pub(super) fn is_carried(&self, value: Value) -> bool {
        let Some(Node::Call { callee: maker, .. }) = self.arena.get(value) else { return false };
        self.name_of(*maker).is_some_and(is_carrier)
    }

    /// Whether this is an object of a carried class.
    pub(super) fn is_carried_object(&self, object: Value) -> bool {
        self.class_of(object).is_some()
    }

    /// Reports what happens when an object of a carried class is given items
    /// or state: methods of it that do more than to keep them.
    pub(super) fn carried_is_filled(&mut self, object: Value, state: Value, items: bool, cx: &mut Cx<'_, '_>) {
        let Some(class) = self.class_of(object) else { return };
        let (runs, bases) = (class.runs, class.bases.clone());
        // The second half of a state is set attribute by attribute.
        let slots = match self.arena.get(state) {
            Some(Node::Container { shape: Shape::Tuple, .. }) => {
                self.arena.items(state, 2).get(1).is_some_and(|slots| *slots != Value::NONE)
            }
            _ => false,
        };
        if items || slots || runs == Runs::OnLoad {
            self.unknown_call(object, state, How::Folded, cx);
        }
        if !items {
            for base in bases.iter().filter(|base| *base != "builtins.object") {
                super::hooks::report_state(self, base, state, cx);
            }
        }
    }

    /// Reports a call that is handed an object whose methods it may call.
    pub(super) fn carried_is_handed(&mut self, name: &str, args: Value, how: How, cx: &mut Cx<'_, '_>) {
        if is_carrier(name) || self.classes.made.values().all(|class| class.runs == Runs::Nothing) {
            return;
        }
        if let Some(value) = self.carried_within(vec![args], Runs::OnUse) {
            self.unknown_call(value, args, how, cx);
        }
    }

    /// Reports keys, and items of a set, that are hashed and compared by
    /// methods that the file carries.
    pub(super) fn carried_as_keys(&mut self, keys: Vec<Value>, cx: &mut Cx<'_, '_>) {
        if let Some(key) = self.carried_within(keys, Runs::OnKey) {
            self.unknown_call(key, Value::EMPTY_TUPLE, How::Folded, cx);
        }
    }

    /// The first object among these, or within them, whose class runs so much.
    fn carried_within(&self, mut waiting: Vec<Value>, least: Runs) -> Option<Value> {
        let mut looked = 0_usize;
        while let Some(value) = waiting.pop() {
            looked = looked.saturating_add(1);
            if looked > LOOKED_AT {
                return None;
            }
            if self.class_of(value).is_some_and(|class| class.runs >= least) {
                return Some(value);
            }
            if matches!(self.arena.get(value), Some(Node::Container { live: true, .. })) {
                waiting.extend(self.arena.items(value, LOOKED_AT.saturating_sub(looked)));
            }
        }
        None
    }
}

/// A builtin type that keeps what it is given.
fn is_builtin_type(name: &str) -> bool {
    crate::names::PLAIN_TYPES.contains(&name)
        || BUILTINS.contains(&name)
        || name.ends_with("Error")
        || name.ends_with("Warning")
}

/// How Python shows a constant that is no literal, or a range.
fn is_plain_repr(text: &str) -> bool {
    let number = |part: &str| part.trim().parse::<i64>().is_ok();
    matches!(text, "NotImplemented" | "Ellipsis")
        || text
            .strip_prefix("range(")
            .and_then(|rest| rest.strip_suffix(')'))
            .is_some_and(|bounds| bounds.split(',').all(number))
}

/// Whether `name` is one of the libraries' helpers, which only keep what they
/// are handed.
pub(super) fn is_carrier(name: &str) -> bool {
    ["cloudpickle.cloudpickle.", "dill._dill."].iter().any(|package| name.starts_with(package))
}
