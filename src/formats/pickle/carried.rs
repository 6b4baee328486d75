//! Code carried by value: what dill and cloudpickle build functions and
//! classes with. Building runs nothing; an object of a carried class does,
//! when the class has a method that loading calls.

use std::collections::HashMap;

use super::fold::{Folded, pure, settled};
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
    "__qualname__",
    "__slotnames__",
    "__slots__",
    "__static_attributes__",
    "__type_params__",
];

/// Special members that run only when something is done with the object: it
/// must not be handed to a call.
const ON_USE: &[&str] =
    &["__contains__", "__enter__", "__eq__", "__exit__", "__getitem__", "__iter__", "__len__", "__repr__", "__str__"];

/// Builtin types that dill saves by name.
const BUILTINS: &[&str] = &[
    "bool",
    "bytearray",
    "bytes",
    "classmethod",
    "complex",
    "dict",
    "float",
    "frozenset",
    "int",
    "list",
    "object",
    "property",
    "range",
    "set",
    "slice",
    "staticmethod",
    "str",
    "tuple",
    "type",
];

/// What may run when an object of a class is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Runs {
    Nothing,
    OnUse,
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

    /// The type that a fixed table has under `name`; those that make functions
    /// keep the table's name, since what they make is carried code.
    fn type_of_table(&mut self, table: &str, name: &str) -> Option<Folded> {
        let value = match name {
            "CodeType" | "FunctionType" | "LambdaType" => {
                let (module, function) = table.rsplit_once('.')?;
                self.import(module, &format!("{function}.{name}"), "type table")
            }
            "MethodType" | "SimpleNamespace" | "NoneType" => self.import("types", name, "type table"),
            "PartialType" => self.import("functools", "partial", "type table"),
            "OrderedDict" => self.import("collections", name, "type table"),
            "ABCMeta" => self.import("abc", name, "type table"),
            _ if BUILTINS.contains(&name) => self.import("builtins", name, "type table"),
            _ => return None,
        };
        self.mark_used(value);
        pure(value)
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
                    self.classes.made.insert(node, class);
                }
            }
            ("cloudpickle.cloudpickle._class_setstate", [class, state, ..]) => {
                let own = self.arena.items(*state, 2).first().map_or(Runs::OnLoad, |members| self.members(*members));
                let Some(known) = class.as_node().and_then(|node| self.classes.made.get_mut(&node)) else { return };
                known.runs = known.runs.max(own);
                // Objects that are there already get the new methods.
                if known.used && known.runs == Runs::OnLoad {
                    self.unknown_call(*class, *state, How::Reduce, cx);
                }
            }
            _ => {}
        }
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
        if compares && hashes { Runs::OnLoad } else { runs }
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
        let mut waiting = vec![args];
        let mut looked = 0_usize;
        while let Some(value) = waiting.pop() {
            looked = looked.saturating_add(1);
            if looked > LOOKED_AT {
                return;
            }
            if self.class_of(value).is_some_and(|class| class.runs > Runs::Nothing) {
                self.unknown_call(value, args, how, cx);
                return;
            }
            if matches!(self.arena.get(value), Some(Node::Container { live: true, .. })) {
                waiting.extend(self.arena.items(value, LOOKED_AT.saturating_sub(looked)));
            }
        }
    }
}

/// Whether `name` is one of the libraries' helpers, which only keep what they
/// are handed.
pub(super) fn is_carrier(name: &str) -> bool {
    ["cloudpickle.cloudpickle.", "dill._dill."].iter().any(|package| name.starts_with(package))
}
