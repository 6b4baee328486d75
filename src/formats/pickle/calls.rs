//! Imports and calls: what a stream reaches for, and what it does with it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::machine::Machine;
use super::value::{How, Kind, Node, Shape, Value};
use crate::engine::Cx;
use crate::evidence::{Evidence, Kind as Fact, Span};
use crate::names;
use crate::stop::Stop;

/// How deep folded calls may call each other.
const CALL_DEPTH: u32 = 64;

/// Distinct calls of one callable that are rendered; more are counted only.
const CALLS_SHOWN: usize = 64;

/// Values looked at in one call's arguments for callables among them.
const ARGUMENTS_SEARCHED: usize = 4096;

/// An imported name.
#[derive(Debug)]
struct Name {
    canonical: String,
    written: String,
    walks: bool,
    how: &'static str,
    span: Span,
    used: bool,
    value: Value,
}

/// The names of one stream, each once.
#[derive(Debug, Default)]
pub(super) struct Names {
    all: Vec<Name>,
    index: HashMap<(String, String), u32>,
}

impl Names {
    fn get(&self, id: u32) -> Option<&Name> {
        self.all.get(usize::try_from(id).ok()?)
    }

    fn get_mut(&mut self, id: u32) -> Option<&mut Name> {
        self.all.get_mut(usize::try_from(id).ok()?)
    }
}

/// What has been reported of calls, so that a repeat is not reported again.
#[derive(Debug, Default)]
pub(super) struct CallLog {
    calls: BTreeMap<(String, How), BTreeSet<String>>,
    callbacks: BTreeSet<(String, String)>,
    persistent: BTreeSet<String>,
    writes: BTreeSet<(String, &'static str)>,
}

/// What a callable amounts to.
pub(super) struct Target {
    /// Canonical dotted name, when there is one.
    pub name: Option<String>,
    /// Receiver and partial arguments that come before those of the call.
    pub before: Vec<Value>,
}

impl Machine<'_> {
    // Imports.

    /// The object `name` of `module`, looked up in the way `how`.
    pub(super) fn import(&mut self, module: &str, name: &str, how: &'static str) -> Value {
        if let Some(known) =
            self.names.index.get(&(module.to_owned(), name.to_owned())).and_then(|id| self.names.get(*id))
        {
            return known.value;
        }
        let Ok(id) = u32::try_from(self.names.all.len()) else { return Value::UNKNOWN };
        let resolved = names::resolve(module, name);
        let value = self.arena.add(Node::Global(id));
        self.names.all.push(Name {
            canonical: resolved.canonical,
            written: resolved.written,
            walks: resolved.walks,
            how,
            span: self.span_here(),
            used: false,
            value,
        });
        self.names.index.insert((module.to_owned(), name.to_owned()), id);
        value
    }

    pub(super) fn global_lines(&mut self, how: &'static str, cx: &mut Cx<'_, '_>) -> Result<Value, Stop> {
        let bound = crate::input::to_usize(self.limits.string_bytes);
        let module = String::from_utf8_lossy(self.cursor.until(b'\n', bound)?).into_owned();
        let name = String::from_utf8_lossy(self.cursor.until(b'\n', bound)?).into_owned();
        Ok(self.named(&module, &name, how, cx))
    }

    pub(super) fn stack_global(&mut self, module: Value, name: Value, cx: &mut Cx<'_, '_>) -> Value {
        let (module_text, name_text) = (self.text_of(module), self.text_of(name));
        let computed = [module, name].iter().any(|value| !matches!(value.kind(), Kind::Str(_)));
        if computed {
            let shown = format!("{}.{}", self.render(module), self.render(name));
            cx.push(Evidence::new(Fact::PickleComputed, shown, self.span_here()).with("how", "STACK_GLOBAL"));
        }
        match (module_text, name_text) {
            (Some(module), Some(name)) => self.named(&module, &name, "STACK_GLOBAL", cx),
            _ => {
                if !computed {
                    self.fault("STACK_GLOBAL operands can't be read", cx);
                }
                Value::UNKNOWN
            }
        }
    }

    /// An import by a name that stands in the stream.
    fn named(&mut self, module: &str, name: &str, how: &'static str, cx: &mut Cx<'_, '_>) -> Value {
        let odd = |text: &str| text.chars().any(|c| !(c.is_alphanumeric() || matches!(c, '_' | '.' | '<' | '>' | '-')));
        if module.contains('\0') || name.contains('\0') {
            // The lookup of frozen modules stops at the NUL (CPython 3.11 to 3.13).
            self.anomaly("nul-in-name", cx);
        } else if odd(module) || odd(name) || module.is_empty() || name.is_empty() {
            self.anomaly("name-is-no-identifier", cx);
        }
        let cut = |text: &str| text.split('\0').next().unwrap_or_default().to_owned();
        self.import(&cut(module), &cut(name), how)
    }

    /// The canonical name of a value that was imported.
    pub(super) fn name_of(&self, value: Value) -> Option<&str> {
        match self.arena.get(value) {
            Some(Node::Global(id)) => self.names.get(*id).map(|name| name.canonical.as_str()),
            _ => None,
        }
    }

    fn mark_used(&mut self, value: Value) {
        if let Some(Node::Global(id)) = self.arena.get(value) {
            let id = *id;
            if let Some(name) = self.names.get_mut(id) {
                name.used = true;
            }
        }
    }

    /// Reports every import, once the stream has shown what it does with them.
    pub(super) fn flush(&mut self, cx: &mut Cx<'_, '_>) {
        for name in std::mem::take(&mut self.names.all) {
            let mut evidence =
                Evidence::new(Fact::PickleImport, name.canonical.clone(), name.span).with("how", name.how);
            if name.written != name.canonical {
                evidence = evidence.with("written", name.written);
            }
            if name.walks {
                evidence = evidence.with("walks", "true");
            }
            cx.push(evidence.with("called", if name.used { "true" } else { "false" }));
        }
    }

    // Attributes and items.

    /// `object.name`, as `getattr` gives it.
    pub(super) fn attribute(&mut self, object: Value, name: &str, how: &'static str) -> Value {
        let mut value = object;
        for part in name.split('.') {
            value = self.one_attribute(value, part, how);
        }
        value
    }

    fn one_attribute(&mut self, object: Value, part: &str, how: &'static str) -> Value {
        self.mark_used(object);
        if let Some(Node::Global(id)) = self.arena.get(object) {
            let Some(base) = self.names.get(*id).map(|name| name.canonical.clone()) else { return Value::UNKNOWN };
            // The namespace of a module has the module's names.
            let base = base.strip_suffix(".__dict__").unwrap_or(&base).to_owned();
            if part == "__dict__" {
                return self.import(&base, part, how);
            }
            if part == "__builtins__" || base.ends_with(".__builtins__") {
                return if part == "__builtins__" {
                    self.import("builtins", "", how)
                } else {
                    self.import("builtins", part, how)
                };
            }
            if base == "sys.modules" {
                return self.import(part, "", how);
            }
            return match base.split_once('.') {
                Some((module, rest)) => self.import(module, &format!("{rest}.{part}"), how),
                None => self.import(&base, part, how),
            };
        }
        let Ok(name) = u32::try_from(self.arena.texts.len()) else { return Value::UNKNOWN };
        self.arena.texts.push(part.to_owned());
        self.arena.add(Node::Attribute { object, name })
    }

    /// `object[key]`.
    pub(super) fn item(&mut self, object: Value, key: Value) -> Option<Value> {
        if let Some(name) = self.name_of(object).map(str::to_owned) {
            let key = self.text_of(key)?;
            let namespace = name == "sys.modules"
                || ["__dict__", "__builtins__", "__globals__"].iter().any(|special| name.ends_with(special));
            if !namespace {
                return None;
            }
            if name == "sys.modules" {
                return Some(self.import(&key, "", "item"));
            }
            if key == "__builtins__" || name.ends_with("__builtins__") {
                return Some(if key == "__builtins__" {
                    self.import("builtins", "", "item")
                } else {
                    self.import("builtins", &key, "item")
                });
            }
            let module = name.split('.').next().unwrap_or_default().to_owned();
            return Some(self.attribute_of_namespace(&name, &module, &key));
        }
        let items = self.arena.items(object, ARGUMENTS_SEARCHED);
        match self.arena.get(object)? {
            Node::Container { shape: Shape::Dict, .. } => {
                let wanted = self.text_of(key);
                let number = self.int_of(key);
                items.chunks(2).rev().find_map(|pair| {
                    let [known, value] = pair else { return None };
                    let same = *known == key
                        || (wanted.is_some() && self.text_of(*known) == wanted)
                        || (number.is_some() && self.int_of(*known) == number);
                    same.then_some(*value)
                })
            }
            Node::Container { .. } => {
                let index = self.int_of(key)?;
                let index = if index < 0 {
                    items.len().checked_sub(usize::try_from(index.unsigned_abs()).ok()?)?
                } else {
                    usize::try_from(index).ok()?
                };
                items.get(index).copied()
            }
            _ => None,
        }
    }

    fn attribute_of_namespace(&mut self, name: &str, module: &str, key: &str) -> Value {
        // A module's own dictionary has its names; a function's globals have
        // those of the module that it was defined in.
        match name.strip_suffix(".__dict__") {
            Some(owner) => match owner.split_once('.') {
                Some((top, rest)) => self.import(top, &format!("{rest}.{key}"), "item"),
                None => self.import(owner, key, "item"),
            },
            None => self.import(module, key, "item"),
        }
    }

    // Calls.

    /// The name of a value's type, for its methods.
    pub(super) fn type_name(&self, value: Value) -> Option<String> {
        let plain = match value.kind() {
            Kind::Str(_) => "builtins.str",
            Kind::Bytes(_) => "builtins.bytes",
            Kind::Bytearray(_) => "builtins.bytearray",
            Kind::Int(_) | Kind::Long(_) | Kind::Bool(_) => "builtins.int",
            Kind::Float(_) => "builtins.float",
            Kind::EmptyTuple => "builtins.tuple",
            Kind::Node(_) => match self.arena.get(value)? {
                Node::Text(_) => "builtins.str",
                Node::Blob(_) => "builtins.bytes",
                Node::Container { shape, .. } => match shape {
                    Shape::List => "builtins.list",
                    Shape::Dict => "builtins.dict",
                    Shape::Set => "builtins.set",
                    Shape::FrozenSet => "builtins.frozenset",
                    Shape::Tuple => "builtins.tuple",
                },
                Node::Call { callee, .. } => return self.target(*callee).name,
                Node::Attribute { .. } => "types.MethodType",
                _ => return None,
            },
            _ => return None,
        };
        Some(plain.to_owned())
    }

    /// What `callee` amounts to, wrappers taken off.
    pub(super) fn target(&self, callee: Value) -> Target {
        let mut callee = callee;
        let mut before: Vec<Value> = Vec::new();
        for _ in 0..CALL_DEPTH {
            match self.arena.get(callee) {
                Some(Node::Global(id)) => {
                    return Target { name: self.names.get(*id).map(|name| name.canonical.clone()), before };
                }
                Some(Node::Attribute { object, name }) => {
                    let method = usize::try_from(*name).ok().and_then(|at| self.arena.texts.get(at));
                    let name = self.type_name(*object).zip(method).map(|(of, method)| format!("{of}.{method}"));
                    before.insert(0, *object);
                    return Target { name, before };
                }
                Some(Node::Call { callee: wrapper, args, .. }) => {
                    let items = self.arena.items(*args, 16);
                    let wrapper = self.name_of(*wrapper).unwrap_or_default();
                    match (wrapper, items.as_slice()) {
                        ("functools.partial" | "functools.partialmethod", [inner, rest @ ..]) => {
                            before.splice(0..0, rest.iter().copied());
                            callee = *inner;
                        }
                        ("types.MethodType", [inner, receiver, ..]) => {
                            before.insert(0, *receiver);
                            callee = *inner;
                        }
                        (
                            "functools.lru_cache"
                            | "functools.cache"
                            | "functools.singledispatch"
                            | "builtins.staticmethod"
                            | "builtins.classmethod"
                            | "functools.wraps"
                            | "functools._lru_cache_wrapper",
                            [inner, ..],
                        ) => callee = *inner,
                        _ => return Target { name: None, before },
                    }
                }
                _ => return Target { name: None, before },
            }
        }
        Target { name: None, before }
    }

    /// Performs a call: reports it, follows what it is handed, folds it when
    /// it is pure.
    pub(super) fn call(
        &mut self,
        callee: Value,
        args: Value,
        how: How,
        depth: u32,
        cx: &mut Cx<'_, '_>,
    ) -> Result<Value, Stop> {
        if depth > CALL_DEPTH {
            cx.gap(&Stop::Limit { offset: self.at, limit: "depth" });
            return Ok(Value::UNKNOWN);
        }
        self.mark_used(callee);
        let Target { name, before } = self.target(callee);
        let mut all = before;
        let given = self.arena.items(args, ARGUMENTS_SEARCHED);
        all.extend_from_slice(&given);
        let Some(name) = name else {
            if let Some(result) = self.call_getter(callee, &all, depth, cx)? {
                return Ok(result);
            }
            self.unknown_call(callee, args, how, cx);
            return Ok(self.arena.add(Node::Call { callee, args, how }));
        };
        if let Some((class, how)) = self.constructed(&name, &all) {
            return self.call(class.0, class.1, how, depth.saturating_add(1), cx);
        }
        super::hooks::report_class(self, &name, &all, cx);
        super::hooks::report_format(self, &name, &all, cx);
        let folded = self.fold(&name, &all, depth, cx)?;
        let payload = self.follow_payloads(&name, &all, cx)?;
        let settled =
            folded.is_some_and(|folded| folded.settled) || (payload && super::payload::amounts_to_payload(&name));
        self.report_call(&name, callee, args, &all, how, settled, cx);
        if !(settled && super::fold::IS_LOOKUP.contains(&name.as_str())) {
            self.report_callbacks(&name, &all, cx);
        }
        Ok(match folded {
            Some(folded) => folded.value,
            None => self.arena.add(Node::Call { callee, args, how }),
        })
    }

    /// `copyreg`'s helpers, which only make an object of the class they are
    /// handed: class and arguments, and how it is made.
    fn constructed(&mut self, name: &str, args: &[Value]) -> Option<((Value, Value), How)> {
        match (name, args) {
            // Protocols 0 and 1 write every plain object this way.
            ("copyreg._reconstructor", [class, base, state])
                if self.name_of(*base) == Some("builtins.object")
                    || self.name_of(*base).is_some_and(|base| base.starts_with("builtins.")) =>
            {
                let args = if state.kind() == Kind::None { Value::EMPTY_TUPLE } else { self.args_of(&[*state]) };
                self.mark_used(*base);
                Some(((*class, args), How::NewObj))
            }
            ("copyreg.__newobj__", [class, rest @ ..]) => {
                let args = self.args_of(rest);
                Some(((*class, args), How::NewObj))
            }
            ("copyreg.__newobj_ex__", [class, args, ..]) => Some(((*class, *args), How::NewObjEx)),
            _ => None,
        }
    }

    /// A call of `operator.methodcaller(...)`, `attrgetter` or `itemgetter`.
    fn call_getter(
        &mut self,
        callee: Value,
        args: &[Value],
        depth: u32,
        cx: &mut Cx<'_, '_>,
    ) -> Result<Option<Value>, Stop> {
        let Some(Node::Call { callee: maker, args: made_of, .. }) = self.arena.get(callee).copied() else {
            return Ok(None);
        };
        let Some(maker) = self.name_of(maker).map(str::to_owned) else { return Ok(None) };
        let made_of = self.arena.items(made_of, 64);
        let (Some(object), Some(first)) = (args.first().copied(), made_of.first().copied()) else { return Ok(None) };
        match maker.as_str() {
            "operator.attrgetter" => {
                let Some(name) = self.text_of(first) else { return Ok(None) };
                Ok(Some(self.attribute(object, &name, "attrgetter")))
            }
            "operator.itemgetter" => Ok(self.item(object, first)),
            "operator.methodcaller" => {
                let Some(name) = self.text_of(first) else { return Ok(None) };
                let method = self.attribute(object, &name, "methodcaller");
                let rest = self.args_of(made_of.get(1..).unwrap_or_default());
                self.call(method, rest, How::Folded, depth.saturating_add(1), cx).map(Some)
            }
            _ => Ok(None),
        }
    }

    fn unknown_call(&mut self, callee: Value, args: Value, how: How, cx: &mut Cx<'_, '_>) {
        let shown = self.render(callee);
        let call = self.render_call(&shown, args);
        let seen = self.log.calls.entry((shown.clone(), how)).or_default();
        if seen.len() < CALLS_SHOWN && seen.insert(call.clone()) {
            cx.push(
                Evidence::new(Fact::PickleUnknownCall, shown.clone(), self.span_here())
                    .with("opcode", how.name())
                    .with("call", call),
            );
        }
        let items = self.arena.items(args, ARGUMENTS_SEARCHED);
        self.report_callbacks(&shown, &items, cx);
    }

    #[expect(clippy::too_many_arguments, reason = "one call has this many sides")]
    fn report_call(
        &mut self,
        name: &str,
        callee: Value,
        args: Value,
        all: &[Value],
        how: How,
        settled: bool,
        cx: &mut Cx<'_, '_>,
    ) {
        if self.log.calls.get(&(name.to_owned(), how)).is_some_and(|seen| seen.len() >= CALLS_SHOWN) {
            return;
        }
        let written = self.render(callee);
        let call = self.render_call(&written, args);
        let seen = self.log.calls.entry((name.to_owned(), how)).or_default();
        if !seen.insert(call.clone()) {
            return;
        }
        let capital = name.rsplit('.').next().is_some_and(|last| last.starts_with(char::is_uppercase));
        let only_new = match how {
            How::NewObj | How::NewObjEx => true,
            // Without arguments the loader calls `__new__` alone.
            How::Inst | How::Obj => all.is_empty() && capital,
            How::Reduce | How::Folded => false,
        };
        let mut evidence = Evidence::new(Fact::PickleCall, name, self.span_here())
            .with("opcode", how.name())
            .with("runs", if only_new { "new" } else { "init" })
            .with("call", call);
        if settled {
            evidence = evidence.with("settled", "true");
        }
        for (index, arg) in all.iter().take(4).enumerate() {
            evidence = evidence.with(format!("arg.{index}"), self.render(*arg));
        }
        if all.len() < 4 {
            evidence = evidence.with("args", all.len().to_string());
        }
        cx.push(evidence);
    }

    /// Every callable among the arguments may be called by who receives it.
    pub(super) fn report_callbacks(&mut self, to: &str, args: &[Value], cx: &mut Cx<'_, '_>) {
        if !args.iter().any(|arg| self.arena.is_live(*arg)) {
            return;
        }
        let mut waiting: Vec<Value> = args.iter().rev().copied().collect();
        let mut looked = 0_usize;
        while let Some(value) = waiting.pop() {
            looked = looked.saturating_add(1);
            if looked > ARGUMENTS_SEARCHED {
                break;
            }
            match self.arena.get(value) {
                Some(Node::Global(_) | Node::Attribute { .. }) => self.report_callback(to, value, cx),
                Some(Node::Container { live: true, .. }) => {
                    waiting.extend(self.arena.items(value, ARGUMENTS_SEARCHED.saturating_sub(looked)));
                }
                _ => {}
            }
        }
    }

    fn report_callback(&mut self, to: &str, value: Value, cx: &mut Cx<'_, '_>) {
        let Some(name) = self.target(value).name else { return };
        self.mark_used(value);
        if self.log.callbacks.insert((to.to_owned(), name.clone())) {
            let call = format!("{to}(… {name} …)");
            cx.push(Evidence::new(Fact::PickleCallback, name, self.span_here()).with("to", to).with("call", call));
        }
    }

    // Writes.

    /// BUILD: state for the object below.
    pub(super) fn build(&mut self, state: Value, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let target = self.build_target(cx);
        match self.arena.get(target).copied() {
            Some(Node::Global(_) | Node::Attribute { .. } | Node::Extension(_)) => {
                self.write_to(target, "BUILD", state, cx);
            }
            Some(Node::Call { callee, .. }) => {
                if let Some(index) = target.as_node() {
                    self.states.insert(index, state);
                }
                let class = self.name_of(callee).map(str::to_owned).unwrap_or_default();
                super::hooks::report_state(self, &class, state, cx);
                if super::joblib::is_array_wrapper(&class) {
                    super::joblib::inline_array(self, state, cx)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Items for something that is not a container of the stream.
    pub(super) fn write_items(&mut self, opcode: &'static str, target: Value, items: &[Value], cx: &mut Cx<'_, '_>) {
        match self.arena.get(target).copied() {
            Some(Node::Call { callee, .. }) => {
                let class = self.target(callee).name.unwrap_or_else(|| "an unknown object".to_owned());
                if self.log.writes.insert((class.clone(), opcode)) {
                    cx.push(
                        Evidence::new(Fact::PickleAnomaly, "items-for-object", self.span_here())
                            .with("detail", class)
                            .with("how", opcode),
                    );
                }
            }
            Some(Node::Global(_) | Node::Attribute { .. } | Node::Extension(_)) => {
                let state = self.arena.container(Shape::Dict, items);
                self.write_to(target, opcode, state, cx);
            }
            _ => {
                if target.kind() != Kind::Unknown {
                    self.fault("items for something that holds none", cx);
                }
            }
        }
    }

    fn write_to(&mut self, target: Value, how: &'static str, state: Value, cx: &mut Cx<'_, '_>) {
        self.mark_used(target);
        let name = self.target(target).name.unwrap_or_else(|| self.render(target));
        if self.log.writes.insert((name.clone(), how)) {
            let shown = self.render(state);
            cx.push(
                Evidence::new(Fact::PickleWrite, name.clone(), self.span_here()).with("how", how).with("keys", shown),
            );
        }
        let items = [state];
        self.report_callbacks(&format!("state of {name}"), &items, cx);
    }

    // Persistent ids.

    pub(super) fn persistent(&mut self, id: Value, cx: &mut Cx<'_, '_>) {
        let items = self.arena.items(id, 8);
        let tag = items.first().and_then(|tag| self.text_of(*tag));
        let storage = match (tag.as_deref(), items.as_slice()) {
            (Some("storage"), [_, class, key, _, count, ..]) => self
                .name_of(*class)
                .and_then(super::torch::element_size)
                .zip(self.text_of(*key))
                .zip(self.int_of(*count).and_then(|count| u64::try_from(count).ok())),
            _ => None,
        };
        if let Some(((size, key), count)) = storage {
            if let Some(class) = items.get(1) {
                self.mark_used(*class);
            }
            self.storages.insert(key, size.saturating_mul(count));
        } else {
            let shown = self.render(id);
            if self.log.persistent.len() < CALLS_SHOWN && self.log.persistent.insert(shown.clone()) {
                cx.push(Evidence::new(Fact::PicklePersistent, shown, self.span_here()));
            }
        }
        let value = self.arena.add(Node::Persistent(id));
        self.stack.push(value);
    }
}
