//! What a stream does, as Python: from the recorded effects to statements.
//!
//! Every call, import, write and lookup is a statement, in the order in which
//! the loader gets there. Results that are used again get a variable, as do
//! containers that are used more than once.

use std::collections::{HashMap, HashSet};

use super::layout::{Doc, literal};
use super::machine::Machine;
use super::record::{Effect, Made, Recorded, Recorder};
use super::render::{quoted_bytes, readable};
use super::value::{How, Kind, Node, Shape, Value};
use crate::input::{to_u64, to_usize};
use crate::inspect::{Statement, Stream};
use crate::report::sanitise;

/// How deep literals are shown; each level costs stack, and no one reads on.
const DEPTH: u32 = 12;

/// Items shown of a container of plain data: enough to see what it holds.
const PLAIN_ITEMS: usize = 16;

/// The statements of what was recorded.
pub(super) fn stream(machine: &Machine<'_>, recorder: Recorder) -> Stream {
    let mut writer = Writer {
        machine,
        sealed: &recorder.sealed,
        effects: &recorder.effects,
        uses: HashMap::new(),
        origin: HashMap::new(),
        names: HashMap::new(),
        taken: HashSet::new(),
        walked: HashSet::new(),
        variables: 0,
        leaves: 0,
        lines: to_usize(machine.limits.listed_lines),
        width: to_usize(machine.limits.listed_width),
        out: Stream { offset: machine.start, length: machine.stream_length(), ..Stream::default() },
    };
    writer.out.more = recorder.more;
    writer.count_uses();
    for recorded in &recorder.effects {
        if writer.lines == 0 && !matches!(recorded.effect, Effect::Return(_)) {
            writer.out.more = writer.out.more.saturating_add(1);
        } else {
            writer.effect(recorded);
        }
    }
    writer.out
}

struct Writer<'m, 'i> {
    machine: &'m Machine<'i>,
    sealed: &'m HashMap<u32, usize>,
    effects: &'m [Recorded],
    /// How often each node is an operand or an item of one.
    uses: HashMap<u32, u32>,
    /// Which effect made a node.
    origin: HashMap<u32, usize>,
    /// What a node is called.
    names: HashMap<u32, String>,
    taken: HashSet<String>,
    /// Containers that have been looked through for shared ones.
    walked: HashSet<u32>,
    variables: usize,
    /// Leaves that the statement at hand may still have.
    leaves: usize,
    lines: usize,
    width: usize,
    out: Stream,
}

impl Writer<'_, '_> {
    fn count_uses(&mut self) {
        for (index, recorded) in self.effects.iter().enumerate() {
            if let Some(node) = recorded.effect.result().and_then(Value::as_node)
                && !matches!(recorded.effect, Effect::Import { .. })
            {
                self.origin.entry(node).or_insert(index);
            }
            let mut waiting = recorded.effect.operands();
            while let Some(value) = waiting.pop() {
                let Some(node) = value.as_node() else { continue };
                let uses = self.uses.entry(node).or_insert(0);
                *uses = uses.saturating_add(1);
                if *uses == 1 {
                    waiting.extend(self.parts(value));
                }
            }
        }
    }

    /// The values that the literal of a value is made of; none when it is the
    /// result of an effect.
    fn parts(&self, value: Value) -> Vec<Value> {
        let Some(node) = value.as_node().filter(|node| !self.origin.contains_key(node)) else { return Vec::new() };
        match self.machine.arena.get(value) {
            Some(Node::Container { .. }) => {
                let length = self.sealed.get(&node).copied().unwrap_or(usize::MAX);
                self.machine.arena.items(value, length)
            }
            Some(Node::Attribute { object, .. }) => vec![*object],
            _ => Vec::new(),
        }
    }

    fn uses_of(&self, value: Value) -> u32 {
        value.as_node().and_then(|node| self.uses.get(&node)).copied().unwrap_or(0)
    }

    // Names.

    fn variable(&mut self) -> String {
        loop {
            let name = format!("v{}", self.variables);
            self.variables = self.variables.saturating_add(1);
            if self.taken.insert(name.clone()) {
                return name;
            }
        }
    }

    /// Gives what an effect made a variable, when it is used later.
    fn named(&mut self, made: Made, doc: Doc) -> Doc {
        let Some(node) = made.value.as_node().filter(|_| made.fresh && self.uses_of(made.value) > 0) else {
            return doc;
        };
        let name = self.variable();
        self.names.insert(node, name.clone());
        Doc::pair(Doc::leaf(name), " = ", doc)
    }

    /// Whether a result stands where it is used: when that is but one place,
    /// and making it does nothing else.
    fn is_inlined(&self, made: Made) -> bool {
        made.fresh
            && self.uses_of(made.value) == 1
            && matches!(self.machine.arena.get(made.value), Some(Node::Persistent(_) | Node::Text(_) | Node::Blob(_)))
    }

    /// Writes the shared containers below `value` as statements of their own.
    fn define(&mut self, value: Value, at: u64) {
        let mut open: HashSet<u32> = HashSet::new();
        let mut waiting = vec![(value, false)];
        while let Some((value, behind)) = waiting.pop() {
            let Some(node) = value.as_node() else { continue };
            if behind {
                open.remove(&node);
                if self.is_shared(value) {
                    self.leaves = self.lines.max(PLAIN_ITEMS);
                    let doc = self.container(value, DEPTH);
                    let name = match self.names.get(&node) {
                        Some(name) => name.clone(),
                        None => self.variable(),
                    };
                    self.names.insert(node, name.clone());
                    self.state(at, &Doc::pair(Doc::leaf(name), " = ", doc), None);
                }
            } else if open.contains(&node) {
                // It holds itself.
                if !self.names.contains_key(&node) {
                    let name = self.variable();
                    self.names.insert(node, name);
                }
            } else if self.walked.insert(node) {
                open.insert(node);
                waiting.push((value, true));
                waiting.extend(self.parts(value).into_iter().rev().map(|part| (part, false)));
            }
        }
    }

    /// Whether a container gets a variable: it is used more than once, and is
    /// more than a few constants.
    fn is_shared(&self, value: Value) -> bool {
        let shape = match self.machine.arena.get(value) {
            Some(Node::Container { shape, .. }) => *shape,
            _ => return false,
        };
        let known = value.as_node().is_some_and(|node| self.origin.contains_key(&node));
        if self.uses_of(value) < 2 || known {
            return false;
        }
        let few = || {
            let items = self.machine.arena.items(value, 5);
            items.len() < 5 && items.iter().all(|item| item.is_constant())
        };
        !(matches!(shape, Shape::Tuple | Shape::FrozenSet) && few())
    }

    // Statements.

    fn effect(&mut self, recorded: &Recorded) {
        for operand in recorded.effect.operands() {
            self.define(operand, recorded.at);
        }
        self.leaves = self.lines.max(PLAIN_ITEMS);
        let mut notes: Vec<String> = Vec::new();
        let doc = match &recorded.effect {
            Effect::Import { value, module, name } => self.import(*value, module, name, &mut notes),
            Effect::Call { callee, args, how, result } => {
                if self.is_inlined(*result) {
                    return;
                }
                let doc = self.call(*callee, *args, *how);
                notes.extend(recorded.inner.iter().cloned());
                notes.extend(self.amounts_to(*callee, *args, *result).filter(|_| recorded.inner.is_empty()));
                Some(self.named(*result, doc))
            }
            Effect::State { target, state } => {
                let open = format!("{}.__setstate__(", self.flat(*target));
                Some(Doc::group(open, vec![self.expression(*state, DEPTH)], ")"))
            }
            Effect::Items { opcode, target, items } => Some(self.items(opcode, *target, *items)),
            Effect::Persistent { id, result } => {
                if self.is_inlined(*result) {
                    return;
                }
                let doc = self.persistent(*id);
                Some(self.named(*result, doc))
            }
            Effect::Extension { code, result } => {
                Some(self.named(*result, Doc::leaf(format!("get_extension({code})"))))
            }
            Effect::Array { target, detail, result } => {
                notes.push(detail.clone());
                let doc = Doc::leaf(format!("read_array({})", self.flat(*target)));
                Some(self.named(*result, doc))
            }
            Effect::Fault(what) => {
                notes.push(format!("the loader raises here: {what}"));
                Some(Doc::leaf(""))
            }
            Effect::Return(value) => Some(Doc::pair(Doc::leaf("result"), " = ", self.expression(*value, DEPTH))),
        };
        if let Some(doc) = doc {
            let note = (!notes.is_empty()).then(|| sanitise(&notes.join("; ")));
            self.state(recorded.at, &doc, note);
        }
    }

    fn state(&mut self, offset: u64, doc: &Doc, note: Option<String>) {
        let code = doc.laid_out();
        self.lines = self.lines.saturating_sub(code.lines().count().max(1));
        self.out.statements.push(Statement { offset, code, note });
    }

    fn import(&mut self, value: Value, module: &str, name: &str, notes: &mut Vec<String>) -> Option<Doc> {
        let node = value.as_node()?;
        if self.names.contains_key(&node) {
            return None;
        }
        let canonical = self.machine.name_of(value).unwrap_or_default();
        if canonical != format!("{module}.{name}") {
            notes.push(canonical.to_owned());
        }
        // Names that Python could not import this way, or that look like ours.
        let plain = module.split('.').all(is_identifier) && is_identifier(name);
        let ours = name == "result" || name.strip_prefix('v').is_some_and(|rest| rest.parse::<u64>().is_ok());
        if !plain || ours {
            let variable = self.variable();
            self.names.insert(node, variable.clone());
            let (module, name) = (literal(module, self.width), literal(name, self.width));
            let find = Doc::group("find_class(", vec![Doc::leaf(module), Doc::leaf(name)], ")");
            return Some(Doc::pair(Doc::leaf(variable), " = ", find));
        }
        let mut text = format!("from {module} import {name}");
        let mut bound = name.to_owned();
        let mut count = 1_u32;
        while !self.taken.insert(bound.clone()) {
            count = count.saturating_add(1);
            bound = format!("{name}_{count}");
        }
        if count > 1 {
            text.push_str(&format!(" as {bound}"));
        }
        self.names.insert(node, bound);
        Some(Doc::leaf(text))
    }

    fn call(&mut self, callee: Value, args: Value, how: How) -> Doc {
        let shown = self.flat(callee);
        let new = matches!(how, How::NewObj | How::NewObjEx);
        let mut items = if new { vec![Doc::leaf(shown.clone())] } else { Vec::new() };
        let given = self.parts(args);
        match self.machine.arena.get(args) {
            Some(Node::Container { shape: Shape::Tuple, .. }) => {
                let last = given.len().saturating_sub(1);
                for (index, arg) in given.into_iter().enumerate() {
                    let doc = self.expression(arg, DEPTH);
                    let keywords = how == How::NewObjEx && index == last;
                    items.push(if keywords { Doc::pair(Doc::leaf("**"), "", doc) } else { doc });
                }
            }
            _ if args.kind() == Kind::EmptyTuple => {}
            _ => {
                let all = self.expression(args, DEPTH);
                items.push(Doc::pair(Doc::leaf("*"), "", all));
            }
        }
        let open = if new { format!("{shown}.__new__(") } else { format!("{shown}(") };
        Doc::group(open, items, ")")
    }

    /// What a call comes to, where its text does not say.
    fn amounts_to(&self, callee: Value, args: Value, result: Made) -> Option<String> {
        let machine = self.machine;
        match (machine.arena.get(result.value), result.value.kind()) {
            (Some(Node::Global(_) | Node::Attribute { .. } | Node::Text(_) | Node::Blob(_)), _) => {
                return Some(machine.render(result.value));
            }
            (None, Kind::Int(_) | Kind::Str(_) | Kind::Bytes(_) | Kind::Bool(_)) => {
                return Some(machine.render(result.value));
            }
            _ => {}
        }
        let bound = callee.as_node().and_then(|node| self.names.get(&node));
        let last = machine.name_of(callee).and_then(|name| name.rsplit('.').next());
        let imported = last.is_some() && bound.map(String::as_str) == last;
        let folded = |value: &Value| matches!(machine.arena.get(*value), Some(Node::Text(_) | Node::Blob(_)));
        if imported && !self.parts(args).iter().any(folded) {
            return None;
        }
        let name = machine.target(callee).name?;
        Some(machine.render_call(&name, args))
    }

    fn items(&mut self, opcode: &str, target: Value, items: Value) -> Doc {
        let shown = self.flat(target);
        let parts = self.parts(items);
        match (opcode, parts.as_slice()) {
            ("SETITEM" | "SETITEMS", [key, value]) => {
                let left = format!("{shown}[{}]", self.flat(*key));
                Doc::pair(Doc::leaf(left), " = ", self.expression(*value, DEPTH))
            }
            ("APPEND", [item]) => {
                let item = self.expression(*item, DEPTH);
                Doc::group(format!("{shown}.append("), vec![item], ")")
            }
            _ => {
                let all = self.expression(items, DEPTH);
                let method = if opcode.starts_with("APPEND") { "extend" } else { "update" };
                Doc::group(format!("{shown}.{method}("), vec![all], ")")
            }
        }
    }

    fn persistent(&mut self, id: Value) -> Doc {
        let id = self.expression(id, DEPTH);
        Doc::group("persistent_load(", vec![id], ")")
    }

    // Expressions.

    fn flat(&mut self, value: Value) -> String {
        self.expression(value, DEPTH).flat()
    }

    fn expression(&mut self, value: Value, depth: u32) -> Doc {
        if depth == 0 || self.leaves == 0 {
            return Doc::leaf("…");
        }
        let Some(node) = value.as_node() else {
            self.leaves = self.leaves.saturating_sub(1);
            return Doc::leaf(self.constant(value));
        };
        if let Some(name) = self.names.get(&node) {
            self.leaves = self.leaves.saturating_sub(1);
            return Doc::leaf(name.clone());
        }
        let deeper = depth.saturating_sub(1);
        if let Some(recorded) = self.origin.get(&node).and_then(|index| self.effects.get(*index)) {
            return match recorded.effect {
                Effect::Call { callee, args, how, result } if self.is_inlined(result) => self.call(callee, args, how),
                Effect::Persistent { id, result } if self.is_inlined(result) => self.persistent(id),
                _ => Doc::leaf(sanitise(&self.machine.render(value))),
            };
        }
        match self.machine.arena.get(value).copied() {
            Some(Node::Container { .. }) => self.container(value, deeper),
            Some(Node::Attribute { object, name }) => {
                let name = self.machine.arena.texts.get(to_usize(u64::from(name))).map_or("?", String::as_str);
                Doc::pair(self.expression(object, deeper), ".", Doc::leaf(sanitise(name)))
            }
            _ => {
                self.leaves = self.leaves.saturating_sub(1);
                Doc::leaf(sanitise(&self.machine.render(value)))
            }
        }
    }

    fn container(&mut self, value: Value, depth: u32) -> Doc {
        let Some(Node::Container { shape, live, .. }) = self.machine.arena.get(value).copied() else {
            return Doc::leaf("…");
        };
        let parts = self.parts(value);
        let dict = shape == Shape::Dict;
        let each = if dict { 2 } else { 1 };
        let most = if live { self.leaves } else { PLAIN_ITEMS };
        let total = parts.len().div_ceil(each);
        let mut items = Vec::new();
        for item in parts.chunks(each).take(most) {
            let doc = match item {
                [key, value] if dict => {
                    let key = self.expression(*key, depth);
                    Doc::pair(key, ": ", self.expression(*value, depth))
                }
                [item, ..] => self.expression(*item, depth),
                [] => continue,
            };
            items.push(doc);
        }
        if total > items.len() {
            items.push(Doc::leaf(format!("… {} more", total.saturating_sub(items.len()))));
        }
        let (open, close) = match shape {
            Shape::List => ("[", "]"),
            Shape::Tuple if items.len() == 1 => ("(", ",)"),
            Shape::Tuple => ("(", ")"),
            Shape::Set if items.is_empty() => ("set(", ")"),
            Shape::Set | Shape::Dict => ("{", "}"),
            Shape::FrozenSet => ("frozenset({", "})"),
        };
        Doc::group(open, items, close)
    }

    fn constant(&self, value: Value) -> String {
        let machine = self.machine;
        match value.kind() {
            Kind::Str(_) => match machine.text_of(value) {
                Some(text) => literal(&text, self.width),
                None => "'…'".to_owned(),
            },
            Kind::Bytes(_) | Kind::Bytearray(_) => {
                let (offset, length) = machine.bytes_span(value).unwrap_or_default();
                let most = to_u64(self.width);
                let shown = machine.input.bytes(offset, length.min(most), most).unwrap_or_default();
                let text = quoted_bytes(readable(&shown), length);
                if matches!(value.kind(), Kind::Bytearray(_)) { format!("bytearray({text})") } else { text }
            }
            _ => sanitise(&machine.render(value)),
        }
    }
}

/// Whether a name is one that Python would read as such.
fn is_identifier(name: &str) -> bool {
    let fits = |c: char| c == '_' || c.is_ascii_alphanumeric();
    to_u64(name.len()) < 256
        && name.chars().all(fits)
        && name.chars().next().is_some_and(|first| !first.is_ascii_digit())
}
