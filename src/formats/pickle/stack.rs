//! The machine's stack and marks, as `_pickle.c` keeps them: nothing below the
//! last mark can be popped.

use super::machine::Machine;
use super::value::{Kind, Node, Shape, Value};
use crate::engine::Cx;

impl Machine<'_> {
    pub(super) fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    #[inline]
    pub(super) fn pop(&mut self, cx: &mut Cx<'_, '_>) -> Value {
        if self.stack.len() > self.floor()
            && let Some(value) = self.stack.pop()
        {
            return value;
        }
        self.fault("the stack is empty", cx);
        Value::UNKNOWN
    }

    #[inline]
    pub(super) fn top(&mut self, cx: &mut Cx<'_, '_>) -> Value {
        if self.stack.len() > self.floor()
            && let Some(value) = self.stack.last()
        {
            return *value;
        }
        self.fault("the stack is empty", cx);
        Value::UNKNOWN
    }

    pub(super) fn pop_opcode(&mut self, cx: &mut Cx<'_, '_>) {
        // POP also takes back a mark (`load_pop`).
        if self.marks.last() == Some(&self.stack.len()) {
            self.marks.pop();
        } else {
            self.pop(cx);
        }
    }

    /// Everything above the last mark, which goes too.
    pub(super) fn take_to_mark(&mut self, cx: &mut Cx<'_, '_>) -> Vec<Value> {
        let Some(mark) = self.marks.pop() else {
            self.fault("there is no mark", cx);
            return Vec::new();
        };
        self.stack.split_off(mark.min(self.stack.len()))
    }

    pub(super) fn tuple(&mut self, n: usize, cx: &mut Cx<'_, '_>) {
        let floor = self.floor();
        let Some(from) = self.stack.len().checked_sub(n).filter(|from| *from >= floor) else {
            self.fault("the stack is empty", cx);
            self.stack.push(Value::UNKNOWN);
            return;
        };
        let value = self.arena.container(Shape::Tuple, self.stack.get(from..).unwrap_or_default());
        self.stack.truncate(from);
        self.stack.push(value);
    }

    /// Makes a container of what is above the mark.
    pub(super) fn gather(&mut self, shape: Shape, cx: &mut Cx<'_, '_>) {
        let Some(mark) = self.marks.pop() else {
            self.fault("there is no mark", cx);
            self.stack.push(Value::UNKNOWN);
            return;
        };
        if matches!(shape, Shape::Dict | Shape::FrozenSet) && self.classes.keys {
            let items = self.stack.get(mark..).unwrap_or_default().to_vec();
            self.look_at_keys(if shape == Shape::Dict { "SETITEMS" } else { "ADDITEMS" }, &items, cx);
        }
        let value = self.arena.container(shape, self.stack.get(mark..).unwrap_or_default());
        self.stack.truncate(mark);
        self.stack.push(value);
    }

    /// What an opcode puts where it is hashed.
    fn look_at_keys(&mut self, opcode: &'static str, items: &[Value], cx: &mut Cx<'_, '_>) {
        if !self.classes.keys {
            return;
        }
        match opcode {
            "SETITEM" | "SETITEMS" => self.carried_as_keys(items.iter().copied().step_by(2).collect(), cx),
            "ADDITEMS" => self.carried_as_keys(items.to_vec(), cx),
            _ => {}
        }
    }

    pub(super) fn empty(&mut self, shape: Shape) {
        let value = self.arena.container(shape, &[]);
        self.stack.push(value);
    }

    /// Adds what is above the mark to the container below it.
    pub(super) fn gather_into(&mut self, opcode: &'static str, cx: &mut Cx<'_, '_>) {
        let Some(mark) = self.marks.pop() else {
            self.fault("there is no mark", cx);
            return;
        };
        let floor = self.floor();
        let target = mark.checked_sub(1).filter(|at| *at >= floor).and_then(|at| self.stack.get(at)).copied();
        let Some(target) = target else {
            self.fault("the stack is empty", cx);
            self.stack.truncate(mark);
            return;
        };
        if self.is_plain_container(target) && !self.classes.keys {
            let items = self.stack.get(mark..).unwrap_or_default();
            self.arena.extend(target, items);
            if self.recorder.is_some() {
                let items = items.to_vec();
                self.record_growth(opcode, target, &items);
            }
            self.stack.truncate(mark);
        } else {
            let items = self.stack.split_off(mark.min(self.stack.len()));
            self.add_to(opcode, target, &items, cx);
        }
    }

    pub(super) fn add_items(&mut self, opcode: &'static str, items: &[Value], cx: &mut Cx<'_, '_>) {
        let target = self.top(cx);
        self.add_to(opcode, target, items, cx);
    }

    fn add_to(&mut self, opcode: &'static str, target: Value, items: &[Value], cx: &mut Cx<'_, '_>) {
        self.look_at_keys(opcode, items, cx);
        if self.is_plain_container(target) {
            self.arena.extend(target, items);
            self.record_growth(opcode, target, items);
        } else {
            self.write_items(opcode, target, items, cx);
        }
    }

    #[inline]
    fn is_plain_container(&self, target: Value) -> bool {
        matches!(target.kind(), Kind::Data) || matches!(self.arena.get(target), Some(Node::Container { .. }))
    }
}
