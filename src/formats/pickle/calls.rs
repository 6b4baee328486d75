//! Imports and calls: what a stream reaches for, and what it does with it.

use std::collections::{BTreeMap, BTreeSet};

use super::machine::Machine;
use super::record::{Effect, Made};
use super::value::{How, Kind, Node, Shape, Value};
use crate::engine::Cx;
use crate::evidence::{Evidence, Kind as Fact};
use crate::stop::Stop;

/// How deep folded calls may call each other.
const CALL_DEPTH: u32 = 64;

/// Classes whose `__new__` does what others do in `__init__`: it opens a file.
const ACTS_IN_NEW: &[&str] =
    &["mmap.mmap", "numpy._core.memmap.memmap", "numpy.core.memmap.memmap", "numpy.memmap", "zipimport.zipimporter"];

/// Distinct calls of one callable that are rendered; more are counted only.
const CALLS_SHOWN: usize = 64;

/// Objects of one class whose arguments are looked at: tables of records have
/// millions, and each is one of many of a kind.
const MADE_LOOKED_AT: u32 = 1 << 16;

/// Values looked at in one call's arguments for callables among them.
const ARGUMENTS_SEARCHED: usize = 4096;

/// What has been reported of calls, so that a repeat is not reported again.
#[derive(Debug, Default)]
pub(super) struct CallLog {
    calls: BTreeMap<Heard, BTreeSet<String>>,
    made: BTreeMap<String, u32>,
    callbacks: BTreeSet<(String, String)>,
    persistent: BTreeSet<String>,
    writes: BTreeSet<(String, &'static str)>,
}

/// What calls are counted together: a name that is called harmlessly many times
/// does not cover the call that is not.
type Heard = (String, How, bool, Option<&'static str>);

/// What a callable amounts to.
pub(super) struct Target {
    /// Canonical dotted name, when there is one.
    pub name: Option<String>,
    /// Receiver and partial arguments that come before those of the call.
    pub before: Vec<Value>,
}

/// Whether this is the function by which objects of one of Cython's classes are
/// pickled.
fn is_cython(name: &str) -> bool {
    name.rsplit('.').next().and_then(|function| function.strip_prefix("__pyx_unpickle_")).is_some_and(|class| {
        !class.is_empty() && class.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
    })
}

impl Machine<'_> {
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
                Some(Node::Global(_)) => {
                    return Target { name: self.name_of(callee).map(str::to_owned), before };
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
        let name = name.filter(|_| !self.is_carried_member(callee));
        if depth > 0 {
            let callee = name.clone().unwrap_or_else(|| self.render(callee));
            self.record_inner(&callee, args);
        }
        let mut all = before;
        let given = self.arena.items(args, ARGUMENTS_SEARCHED);
        all.extend_from_slice(&given);
        let Some(name) = name else {
            if let Some(result) = self.call_getter(callee, &all, depth, cx)? {
                self.was_folded = true;
                return Ok(result);
            }
            if !self.makes_quietly(callee, how) {
                self.unknown_call(callee, args, how, cx);
            }
            self.was_folded = false;
            return Ok(self.arena.add(Node::Call { callee, args, how }));
        };
        if let Some((class, how)) = self.constructed(&name, &all) {
            return self.call(class.0, class.1, how, depth.saturating_add(1), cx);
        }
        super::torch::report_view(self, &name, &all, cx);
        super::hooks::report_class(self, &name, &all, cx);
        super::hooks::report_format(self, &name, &all, cx);
        let folded = self.fold(&name, &all, depth, cx)?;
        let payload = self.follow_payloads(&name, &all, cx)?;
        let settled = folded.is_some_and(|folded| folded.settled)
            || (payload && super::payload::amounts_to_payload(&name))
            || self.is_plain_builtin(&name, &all);
        self.report_call(&name, callee, args, &all, how, settled, cx);
        if !(settled && super::fold::IS_LOOKUP.contains(&name.as_str())) {
            self.report_callbacks(&name, &all, cx);
        }
        if !settled {
            self.carried_is_handed(&name, args, how, cx);
        }
        self.was_folded = folded.is_some();
        Ok(match folded {
            Some(folded) => folded.value,
            None => {
                let made = self.arena.add(Node::Call { callee, args, how });
                self.note_class(&name, &all, made, cx);
                made
            }
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
                // The items of a container, which no later protocol hands to the class either.
                let items = matches!(
                    self.arena.get(*state),
                    Some(Node::Container { shape: Shape::List | Shape::Dict | Shape::Set, .. })
                );
                let args =
                    if items || state.kind() == Kind::None { Value::EMPTY_TUPLE } else { self.args_of(&[*state]) };
                self.mark_used(*base);
                Some(((*class, args), How::NewObj))
            }
            // What Cython makes for each of its classes: `cls.__new__(cls)`, and the state.
            (_, [class, checksum, _]) if is_cython(name) && self.int_of(*checksum).is_some() => {
                self.name_of(*class).is_some().then_some(((*class, Value::EMPTY_TUPLE), How::NewObj))
            }
            ("copyreg.__newobj__" | "builtins.object.__new__", [class, rest @ ..]) => {
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
        if maker == "torch_geometric.data.batch.DynamicInheritanceGetter" {
            // Its `__call__(cls, base_cls)` is `cls(_base_cls=base_cls)`.
            let [class, base] = args else { return Ok(None) };
            let given = self.args_of(&[*base]);
            return self.call(*class, given, How::Folded, depth.saturating_add(1), cx).map(Some);
        }
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

    pub(super) fn unknown_call(&mut self, callee: Value, args: Value, how: How, cx: &mut Cx<'_, '_>) {
        let shown = self.render(callee);
        let call = self.render_call(&shown, args);
        let seen = self.log.calls.entry((shown.clone(), how, false, None)).or_default();
        if seen.len() < CALLS_SHOWN && seen.insert(call.clone()) {
            let evidence = Evidence::new(Fact::PickleUnknownCall, shown.clone(), self.span_here())
                .with("opcode", how.name())
                .with("call", call);
            cx.push(self.with_chain(evidence, &[callee, args]));
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
        let acts = ACTS_IN_NEW.contains(&name);
        let given = match how {
            How::NewObj | How::NewObjEx if !acts => self.given_to_new(name, all),
            _ => super::given::kind(self, all),
        };
        let heard = (name.to_owned(), how, settled, given);
        if self.log.calls.get(&heard).is_some_and(|seen| seen.len() >= CALLS_SHOWN) {
            return;
        }
        let written = self.render(callee);
        let call = self.render_call(&written, args);
        let seen = self.log.calls.entry(heard).or_default();
        if !seen.insert(call.clone()) {
            return;
        }
        let function = name.rsplit('.').next().unwrap_or(name);
        let capital = function.starts_with(char::is_uppercase);
        let only_new = match how {
            How::NewObj | How::NewObjEx => !acts && !super::iterate::is_made_by_new(name),
            // Without arguments the loader calls `__new__` alone.
            How::Inst | How::Obj => all.is_empty() && capital,
            How::Reduce | How::Folded => false,
        };
        let mut evidence = Evidence::new(Fact::PickleCall, name, self.span_here())
            .with("function", function)
            .with("opcode", how.name())
            .with("runs", if only_new { "new" } else { "init" })
            .with("call", call);
        if settled {
            evidence = evidence.with("settled", "true");
        }
        if let Some(given) = given {
            evidence = evidence.with("given", given);
        }
        if how == How::Reduce && super::given::is_bland(self, name, all) {
            evidence = evidence.with("bland", "true");
        }
        for (index, arg) in all.iter().take(4).enumerate() {
            evidence = evidence.with(format!("arg.{index}"), self.render(*arg));
        }
        if all.len() < 4 {
            evidence = evidence.with("args", all.len().to_string());
        }
        cx.push(self.with_chain(evidence, &[callee, args]));
    }

    /// What reads like a command or code among the arguments of a `__new__`.
    /// Records keep addresses, paths and prose this way.
    fn given_to_new(&mut self, name: &str, all: &[Value]) -> Option<&'static str> {
        if all.is_empty() {
            return None;
        }
        match self.log.made.get_mut(name) {
            Some(made) if *made >= MADE_LOOKED_AT => return None,
            Some(made) => *made = made.saturating_add(1),
            None => drop(self.log.made.insert(name.to_owned(), 1)),
        }
        super::given::kind(self, all).filter(|given| matches!(*given, "command" | "source"))
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
                Some(Node::Global(_) | Node::Attribute { .. }) => {
                    let bound = args.get(1).filter(|_| to == "types.MethodType").copied();
                    self.report_callback(to, value, bound, cx);
                }
                Some(Node::Container { live: true, .. }) => {
                    waiting.extend(self.arena.items(value, ARGUMENTS_SEARCHED.saturating_sub(looked)));
                }
                _ => {}
            }
        }
    }

    fn report_callback(&mut self, to: &str, value: Value, bound: Option<Value>, cx: &mut Cx<'_, '_>) {
        let Some(name) = self.target(value).name else { return };
        if self.is_module(value) && super::carried::is_carrier(to) {
            // The globals of a function that is carried: a module is no callable.
            return;
        }
        if to == "functools.partial" && super::iterate::is_kept(&name) {
            return;
        }
        self.mark_used(value);
        if to == "dill._dill._create_function" && self.is_namespace(value) {
            // The same, as dill writes those of a module that can be imported.
            return;
        }
        if self.log.callbacks.insert((to.to_owned(), name.clone())) {
            let call = format!("{to}(… {name} …)");
            let own = self.is_own_method(to, value, &name, bound);
            let mut evidence = Evidence::new(Fact::PickleCallback, name, self.span_here()).with("to", to);
            if own {
                evidence = evidence.with("method", "own");
            }
            cx.push(evidence.with("call", call));
        }
    }

    /// Whether this is a method of an object that the stream has made, which is
    /// bound to it, or handed to code of the package that it belongs to.
    fn is_own_method(&self, to: &str, value: Value, name: &str, bound: Option<Value>) -> bool {
        let top = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
        let class = name.rsplit('.').nth(1).unwrap_or_default();
        let receiver = match self.arena.get(value) {
            Some(Node::Attribute { object, .. }) => Some(*object),
            _ => bound,
        };
        let made = receiver.filter(|receiver| matches!(self.arena.get(*receiver), Some(Node::Call { .. })));
        let of = made.and_then(|made| self.type_name(made));
        class.trim_start_matches('_').starts_with(char::is_uppercase)
            && of.is_some_and(|of| top(&of) == top(name))
            && (to == "types.MethodType" || top(to) == top(name))
    }

    // Writes.

    /// BUILD: state for the object below.
    pub(super) fn build(&mut self, state: Value, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let target = self.build_target(cx);
        self.record(|| Effect::State { target, state });
        self.give_state(target, state, cx)
    }

    /// What an object does with the state that it is given.
    pub(super) fn give_state(&mut self, target: Value, state: Value, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        match self.arena.get(target).copied() {
            Some(Node::Global(_) | Node::Attribute { .. } | Node::Extension(_)) => {
                self.write_to(target, "BUILD", state, cx);
            }
            Some(Node::Call { callee, .. }) => {
                if let Some(index) = target.as_node()
                    && let Some(former) = self.states.insert(index, state)
                {
                    self.former_states.push((index, former));
                }
                let class = self.name_of(callee).map(str::to_owned).unwrap_or_default();
                if super::hooks::report_state(self, &class, state, cx) {
                    self.construct_from(callee, state, cx)?;
                }
                self.carried_is_filled(target, state, false, cx);
                if super::joblib::is_array_wrapper(&class) {
                    super::joblib::inline_array(self, state, cx)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Environments of gym hand the arguments in their state to their own
    /// constructor (`gymnasium/utils/ezpickle.py`).
    fn construct_from(&mut self, class: Value, state: Value, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let [args, named] = ["_ezpickle_args", "_ezpickle_kwargs"].map(|key| {
            let key = self.arena.text(key.to_owned());
            self.item(state, key)
        });
        let mut all = args.map(|args| self.arena.items(args, ARGUMENTS_SEARCHED)).unwrap_or_default();
        all.extend(named);
        let all = self.args_of(&all);
        self.call(class, all, How::Folded, 1, cx).map(|_| ())
    }

    /// Items for something that is not a container of the stream.
    pub(super) fn write_items(&mut self, opcode: &'static str, target: Value, items: &[Value], cx: &mut Cx<'_, '_>) {
        self.record_items(opcode, target, items);
        match self.arena.get(target).copied() {
            Some(Node::Call { callee, .. }) => {
                let given = self.args_of(items);
                self.carried_is_filled(target, given, true, cx);
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
            let evidence = Evidence::new(Fact::PickleWrite, name.clone(), self.span_here());
            let evidence = evidence.with("how", how).with("keys", shown);
            cx.push(self.with_chain(evidence, &[target, state]));
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
        // PyTorch answers ("module", class, file, source) with the class.
        let value = match (tag.as_deref(), items.get(1)) {
            (Some("module"), Some(class)) => *class,
            _ => self.arena.add(Node::Persistent(id)),
        };
        let fresh = matches!(self.arena.get(value), Some(Node::Persistent(_)));
        self.record(|| Effect::Persistent { id, result: Made { value, fresh } });
        self.stack.push(value);
    }
}
