//! Imports, attributes and items: how a stream gets at names.

use std::collections::HashMap;

use super::machine::Machine;
use super::record::Effect;
use super::value::{Kind, Node, Shape, Value};
use crate::engine::Cx;
use crate::evidence::{Evidence, Kind as Fact, Span};
use crate::names;
use crate::stop::Stop;

/// Items of one container that a lookup goes through.
const ITEMS_SEARCHED: usize = 4096;

/// An imported name.
#[derive(Debug)]
struct Name {
    canonical: String,
    written: String,
    /// The last part of `written`: the name within its module.
    qualname: String,
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

    /// Whether a name begins with `prefix`.
    pub(super) fn any_below(&self, prefix: &str) -> bool {
        self.all.iter().any(|name| name.canonical.starts_with(prefix))
    }

    /// The names so far that look like functions.
    pub(super) fn functions(&self) -> impl Iterator<Item = &str> {
        let names = self.all.iter().map(|name| name.canonical.as_str());
        names.filter(|name| {
            let last = name.rsplit('.').next().unwrap_or(name);
            !last.trim_start_matches('_').starts_with(char::is_uppercase)
        })
    }

    fn get_mut(&mut self, id: u32) -> Option<&mut Name> {
        self.all.get_mut(usize::try_from(id).ok()?)
    }
}

impl Machine<'_> {
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
            qualname: name.to_owned(),
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
            (Some(module_text), Some(name_text)) => {
                let value = self.named(&module_text, &name_text, "STACK_GLOBAL", cx);
                if computed {
                    self.step_of_computed(value, module, name);
                }
                value
            }
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
        let (module, name) = (cut(module), cut(name));
        let value = self.import(&module, &name, how);
        self.step_of_walk(value);
        self.record(|| Effect::Import { value, module, name });
        value
    }

    /// The canonical name of a value that was imported.
    pub(super) fn name_of(&self, value: Value) -> Option<&str> {
        match self.arena.get(value) {
            Some(Node::Global(id)) => self.names.get(*id).map(|name| name.canonical.as_str()),
            _ => None,
        }
    }

    /// Whether a value is a module as a whole.
    pub(super) fn is_module(&self, value: Value) -> bool {
        match self.arena.get(value) {
            Some(Node::Global(id)) => self.names.get(*id).is_some_and(|name| name.qualname.is_empty()),
            _ => false,
        }
    }

    /// Whether a value is the dictionary of a module.
    pub(super) fn is_namespace(&self, value: Value) -> bool {
        match self.arena.get(value) {
            Some(Node::Global(id)) => {
                self.names.get(*id).is_some_and(|name| name.qualname == "__dict__" && !name.walks)
            }
            _ => false,
        }
    }

    /// How the stream spells a name that goes through another module.
    pub(super) fn walked_name(&self, value: Value) -> Option<&str> {
        match self.arena.get(value) {
            Some(Node::Global(id)) => self.names.get(*id).filter(|name| name.walks).map(|name| name.written.as_str()),
            _ => None,
        }
    }

    pub(super) fn mark_used(&mut self, value: Value) {
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
            let Some(known) = self.names.get(*id) else { return Value::UNKNOWN };
            let (base, qualname) = (known.canonical.clone(), known.qualname.clone());
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
            // Submodules belong to the module that the stream names; only a
            // name beyond that is walked to.
            let within = qualname.strip_suffix(".__dict__").unwrap_or(&qualname);
            let module = base.strip_suffix(within).and_then(|module| module.strip_suffix('.'));
            return match module.map(|module| (module, within)).or_else(|| base.split_once('.')) {
                Some((module, rest)) if !rest.is_empty() => self.import(module, &format!("{rest}.{part}"), how),
                _ => self.import(&base, part, how),
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
        let items = self.arena.items(object, ITEMS_SEARCHED);
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
}
