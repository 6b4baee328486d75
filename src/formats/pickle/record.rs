//! The recording of what a stream does, for `weighin inspect`. A scan does not
//! record: then every hook here is one test of an absent recorder.

use std::collections::HashMap;

use super::machine::Machine;
use super::value::{Arena, How, Node, Shape, Value};
use crate::engine::Cx;
use crate::input::to_usize;
use crate::stop::Stop;

/// Something that a stream does.
#[derive(Debug, Clone)]
pub(super) enum Effect {
    /// A name is looked up; the first time only, later ones are the same.
    Import { value: Value, module: String, name: String },
    /// Something is called.
    Call { callee: Value, args: Value, how: How, result: Made },
    /// BUILD.
    State { target: Value, state: Value },
    /// Items for something that is no literal of the stream, or for a literal
    /// that has already been used; the items are a container of their own.
    Items { opcode: &'static str, target: Value, items: Value },
    /// `persistent_load` of the program that loads.
    Persistent { id: Value, result: Made },
    /// A registered extension.
    Extension { code: u32, result: Made },
    /// joblib reads an array that stands in the stream.
    Array { target: Value, detail: String, result: Made },
    /// CPython would raise here.
    Fault(String),
    /// STOP.
    Return(Value),
}

/// A result: what it is, and whether it came to be by this effect.
#[derive(Debug, Clone, Copy)]
pub(super) struct Made {
    pub value: Value,
    pub fresh: bool,
}

/// One effect, where it happens, and what the calls inside it amount to.
#[derive(Debug, Clone)]
pub(super) struct Recorded {
    pub at: u64,
    pub effect: Effect,
    pub inner: Vec<String>,
}

/// All effects of one stream.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    pub effects: Vec<Recorded>,
    /// Effects that came when there was no more room.
    pub more: u64,
    /// Items of each container when it was first used; what it gets later is
    /// an effect of its own.
    pub sealed: HashMap<u32, usize>,
    inner: Vec<String>,
    most: usize,
}

impl Recorder {
    pub(super) fn new(most: u64) -> Self {
        Self { most: to_usize(most), ..Self::default() }
    }

    fn push(&mut self, at: u64, effect: Effect, arena: &Arena) {
        let inner = std::mem::take(&mut self.inner);
        if self.effects.len() >= self.most && !matches!(effect, Effect::Return(_)) {
            self.more = self.more.saturating_add(1);
            return;
        }
        for operand in effect.operands() {
            self.seal(operand, arena);
        }
        self.effects.push(Recorded { at, effect, inner });
    }

    /// Notes how long every container is that `value` leads to.
    fn seal(&mut self, value: Value, arena: &Arena) {
        let mut waiting = vec![value];
        while let Some(value) = waiting.pop() {
            let (Some(index), Some(Node::Container { .. })) = (value.as_node(), arena.get(value)) else { continue };
            if self.sealed.contains_key(&index) {
                continue;
            }
            let items = arena.items(value, usize::MAX);
            self.sealed.insert(index, items.len());
            waiting.extend(items);
        }
    }
}

impl Effect {
    /// The values that it is about, its result aside.
    pub(super) fn operands(&self) -> Vec<Value> {
        match self {
            Self::Call { callee, args, .. } => vec![*callee, *args],
            Self::State { target, state } => vec![*target, *state],
            Self::Items { target, items, .. } => vec![*target, *items],
            Self::Persistent { id: value, .. } | Self::Array { target: value, .. } | Self::Return(value) => {
                vec![*value]
            }
            Self::Import { .. } | Self::Extension { .. } | Self::Fault(_) => Vec::new(),
        }
    }

    /// What it makes.
    pub(super) fn result(&self) -> Option<Value> {
        match self {
            Self::Import { value, .. } => Some(*value),
            Self::Call { result, .. }
            | Self::Persistent { result, .. }
            | Self::Extension { result, .. }
            | Self::Array { result, .. } => result.fresh.then_some(result.value),
            _ => None,
        }
    }
}

impl Machine<'_> {
    /// Begins to record, when contents are asked for.
    pub(super) fn record_from(&mut self, cx: &Cx<'_, '_>) {
        if cx.describes() {
            self.recorder = Some(Box::new(Recorder::new(self.limits.listed_lines)));
        }
    }

    /// Records what happens here; `effect` is made only when there is a
    /// recorder.
    #[inline]
    pub(super) fn record(&mut self, effect: impl FnOnce() -> Effect) {
        if let Some(recorder) = &mut self.recorder {
            recorder.push(self.at, effect(), &self.arena);
        }
    }

    /// How many nodes there are, to tell later what is new.
    pub(super) fn made(&self, value: Value, before: usize) -> Made {
        let fresh = value.as_node().is_some_and(|index| to_usize(u64::from(index)) >= before);
        Made { value, fresh }
    }

    /// Notes a call that another call makes.
    pub(super) fn record_inner(&mut self, name: &str, args: Value) {
        /// Calls within one call that are shown; `map` may make thousands.
        const INNER: usize = 8;
        if self.recorder.as_ref().is_some_and(|recorder| recorder.inner.len() < INNER) {
            let call = self.render_call(name, args);
            if let Some(recorder) = &mut self.recorder {
                recorder.inner.push(call);
            }
        }
    }

    /// Items that go to a container of the stream. Whether that is an effect:
    /// the container has been used before.
    #[inline]
    pub(super) fn record_growth(&mut self, opcode: &'static str, target: Value, items: &[Value]) {
        if self.recorder.is_some() {
            self.record_late_growth(opcode, target, items);
        }
    }

    #[cold]
    fn record_late_growth(&mut self, opcode: &'static str, target: Value, items: &[Value]) {
        let used = |recorder: &Recorder| target.as_node().is_some_and(|index| recorder.sealed.contains_key(&index));
        if self.recorder.as_deref().is_some_and(used) {
            self.record_items(opcode, target, items);
        }
    }

    /// Items that go to something else.
    pub(super) fn record_items(&mut self, opcode: &'static str, target: Value, items: &[Value]) {
        if self.recorder.is_none() || items.is_empty() {
            return;
        }
        let shape = match opcode {
            "SETITEM" | "SETITEMS" => Shape::Dict,
            "ADDITEMS" => Shape::Set,
            _ => Shape::List,
        };
        let items = self.arena.container(shape, items);
        self.record(|| Effect::Items { opcode, target, items });
    }

    /// Hands over what was recorded.
    pub(super) fn finish_recording(&mut self, outcome: &Result<Value, Stop>, cx: &mut Cx<'_, '_>) {
        match outcome {
            Ok(result) => self.record(|| Effect::Return(*result)),
            Err(stop) => self.record(|| Effect::Fault(stop.to_string())),
        }
        let Some(recorder) = self.recorder.take() else { return };
        let stream = super::program::stream(self, *recorder);
        cx.stream(stream);
    }
}
