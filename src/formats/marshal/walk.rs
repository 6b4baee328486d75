//! A walk over the instructions of one code object, in order and without
//! branches: which modules are imported, and which names are called.
//!
//! The stack is followed well enough for the code that compilers write for
//! `import os; os.system("x")`. Where it is lost, a callee becomes unknown and
//! is not reported; the code object's names are evidence all the same.

use std::collections::BTreeMap;

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::input::{to_u64, to_usize};
use crate::names;
use crate::stop::Stop;

use super::opcodes::{Op, Version};
use super::wire::{Code, Id, Object, Reading};

/// Arguments that are shown of one call.
const SHOWN_ARGUMENTS: u32 = 8;

/// Longest dotted name that is followed.
const LONGEST: usize = 512;

/// What names stand for in the module that is being walked.
pub(super) type Names = BTreeMap<String, String>;

/// Functions of `builtins` that reach outside plain computing; an unbound name
/// among them is the builtin.
const BUILTINS: &[&str] = &[
    "__import__",
    "breakpoint",
    "compile",
    "delattr",
    "dir",
    "eval",
    "exec",
    "execfile",
    "exit",
    "file",
    "getattr",
    "globals",
    "input",
    "locals",
    "open",
    "quit",
    "raw_input",
    "reload",
    "setattr",
    "vars",
];

/// A value on the stack.
#[derive(Debug, Clone)]
enum Value {
    /// Something reached by a dotted name.
    Name(String),
    /// A string, number or the like, rendered; with the text when it is one.
    Const(String, Option<String>),
    Unknown,
}

struct Walk<'w, 'a> {
    reading: &'w Reading<'a>,
    code: &'w Code,
    scope: &'static str,
    names: &'w mut Names,
    locals: Names,
    stack: Vec<Value>,
    /// The instruction before was PUSH_NULL.
    null: bool,
}

/// Walks `code`; what the outermost one binds is known in the others.
pub(super) fn walk(
    reading: &Reading<'_>,
    code: &Code,
    version: Version,
    outermost: bool,
    globals: &mut Names,
    cx: &mut Cx<'_, '_>,
) -> Result<(), Stop> {
    let scope = if outermost { "module" } else { "function" };
    let mut walk = Walk { reading, code, scope, names: globals, locals: Names::new(), stack: Vec::new(), null: false };
    let bytes = super::code_bytes(reading, code);
    let mut at = 0;
    let mut extended: u32 = 0;
    while let Some(op) = bytes.get(at).copied() {
        cx.charge(1, to_u64(code.offset))?;
        let byte = |n: usize| u32::from(bytes.get(at.saturating_add(n)).copied().unwrap_or_default());
        let (argument, length) = match version {
            Version::V27 if op < 90 => (0, 1),
            Version::V27 => (byte(1) | byte(2) << 8 | extended << 16, 3),
            _ => (byte(1) | extended << 8, 2),
        };
        at = at.saturating_add(length);
        let op = version.op(op, argument);
        extended = if op == Op::Extended { argument & 0x00ff_ffff } else { 0 };
        walk.step(op, cx);
    }
    Ok(())
}

impl Walk<'_, '_> {
    fn pop(&mut self) -> Value {
        self.stack.pop().unwrap_or(Value::Unknown)
    }

    fn drop_top(&mut self, n: u32) {
        let keep = self.stack.len().saturating_sub(to_usize(u64::from(n)));
        self.stack.truncate(keep);
    }

    fn load_fast(&mut self, index: u32) {
        let name = self.string(self.code.varnames, index);
        let value = name.and_then(|name| self.locals.get(&name).cloned()).map_or(Value::Unknown, Value::Name);
        self.stack.push(value);
    }

    fn store_fast(&mut self, index: u32) {
        let (value, name) = (self.pop(), self.string(self.code.varnames, index).unwrap_or_default());
        bind(&mut self.locals, name, value);
    }

    fn step(&mut self, op: Op, cx: &mut Cx<'_, '_>) {
        let null = std::mem::replace(&mut self.null, op == Op::PushNull);
        match op {
            Op::LoadConst(index) => {
                let value = self.constant(index);
                self.stack.push(value);
            }
            Op::LoadName(index) => {
                let value = self.name(index).map_or(Value::Unknown, |name| self.look_up(&name));
                self.stack.push(value);
            }
            Op::LoadFast(index) => self.load_fast(index),
            Op::LoadFastTwo(both) => {
                self.load_fast(both >> 4);
                self.load_fast(both & 0xf);
            }
            Op::SmallInt(number) => self.stack.push(Value::Const(number.to_string(), None)),
            Op::LoadAttr(index) => {
                let value = match (self.pop(), self.name(index)) {
                    (Value::Name(owner), Some(name)) => joined(&owner, &name),
                    _ => Value::Unknown,
                };
                self.stack.push(value);
            }
            Op::ImportName(index) => {
                let from = self.pop();
                self.pop();
                let module = self.name(index).unwrap_or_default();
                self.import(&module, cx);
                // Without names to take from it, `import a.b` binds `a`.
                let whole = matches!(&from, Value::Const(text, _) if text != "None");
                let bound = if whole { module.as_str() } else { module.split('.').next().unwrap_or_default() };
                self.stack.push(Value::Name(bound.to_owned()));
            }
            Op::ImportFrom(index) => {
                let value = match (self.stack.last(), self.name(index)) {
                    (Some(Value::Name(module)), Some(name)) => joined(module, &name),
                    _ => Value::Unknown,
                };
                self.stack.push(value);
            }
            Op::StoreName(index) => {
                let (value, name) = (self.pop(), self.name(index).unwrap_or_default());
                bind(self.names, name, value);
            }
            Op::StoreFast(index) => self.store_fast(index),
            Op::StoreFastLoadFast(both) => {
                self.store_fast(both >> 4);
                self.load_fast(both & 0xf);
            }
            Op::StoreFastTwo(both) => {
                self.store_fast(both >> 4);
                self.store_fast(both & 0xf);
            }
            Op::Call(n) => self.call(n, cx),
            Op::CallNames(n) => {
                self.pop();
                self.call(n, cx);
            }
            Op::CallSpread(keywords) => self.call(1_u32.saturating_add(u32::from(keywords)), cx),
            Op::CallSpreadOrNull => self.call(if null { 1 } else { 2 }, cx),
            Op::Pop | Op::Jump => self.drop_top(1),
            Op::StoreAttr => self.drop_top(2),
            Op::Drop(n) => self.drop_top(n),
            Op::Build(n) | Op::MakeFunction(n) => {
                let extra = u32::from(matches!(op, Op::MakeFunction(_)));
                self.drop_top(n.saturating_add(extra));
                self.stack.push(Value::Unknown);
            }
            Op::Two => {
                self.drop_top(2);
                self.stack.push(Value::Unknown);
            }
            Op::BuildClass => self.stack.push(Value::Name("builtins.__build_class__".to_owned())),
            Op::PushNull | Op::Extended | Op::Other => {}
        }
    }

    fn import(&self, module: &str, cx: &mut Cx<'_, '_>) {
        if !module.is_empty() {
            let value = names::canonical_module(module).to_owned();
            let span = Span::at(to_u64(self.code.offset));
            cx.push(Evidence::new(Kind::PythonImport, value, span).with("scope", self.scope));
        }
    }

    /// A call of what stands below `n` arguments.
    fn call(&mut self, n: u32, cx: &mut Cx<'_, '_>) {
        let at = self.stack.len().saturating_sub(to_usize(u64::from(n)));
        let arguments = self.stack.split_off(at);
        let Value::Name(callee) = self.pop() else {
            self.stack.push(Value::Unknown);
            return;
        };
        let resolved = match callee.rsplit_once('.') {
            Some((module, name)) => names::resolve(module, name).canonical,
            None => callee,
        };
        let result = folded(&resolved, &arguments);
        if resolved == "builtins.__import__"
            && let Some(Value::Name(module)) = &result
        {
            self.import(module, cx);
        }
        if resolved.contains('.') && resolved != "builtins.__build_class__" {
            self.report(&resolved, &arguments, cx);
        }
        self.stack.push(result.unwrap_or(Value::Unknown));
    }

    fn report(&self, callee: &str, arguments: &[Value], cx: &mut Cx<'_, '_>) {
        let rendered: Vec<&str> = arguments
            .iter()
            .take(to_usize(u64::from(SHOWN_ARGUMENTS)))
            .map(|argument| match argument {
                Value::Name(name) => name.as_str(),
                Value::Const(text, _) => text.as_str(),
                Value::Unknown => "?",
            })
            .collect();
        let constant = arguments.iter().all(|argument| matches!(argument, Value::Const(..)));
        let call = format!("{callee}({})", rendered.join(", "));
        let mut evidence = Evidence::new(Kind::PythonCall, callee, Span::at(to_u64(self.code.offset)))
            .with("scope", self.scope)
            .with("call", call)
            .with("constant", constant.to_string());
        for (index, argument) in rendered.iter().enumerate() {
            evidence = evidence.with(format!("arg.{index}"), *argument);
        }
        cx.push(evidence);
    }

    fn look_up(&self, name: &str) -> Value {
        match self.locals.get(name).or_else(|| self.names.get(name)) {
            Some(known) => Value::Name(known.clone()),
            None if BUILTINS.contains(&name) => Value::Name(format!("builtins.{name}")),
            None => Value::Unknown,
        }
    }

    fn name(&self, index: u32) -> Option<String> {
        self.string(self.code.names, index)
    }

    fn string(&self, tuple: Option<Id>, index: u32) -> Option<String> {
        let items = super::items_of(self.reading, tuple);
        let id = items.get(to_usize(u64::from(index)))?;
        super::text_of(self.reading, Some(*id))
    }

    fn constant(&self, index: u32) -> Value {
        let items = super::items_of(self.reading, self.code.consts);
        let object = items.get(to_usize(u64::from(index))).and_then(|id| self.reading.objects.get(*id));
        match object {
            Some(Object::Text(bytes)) => constant_text("", bytes),
            Some(Object::Bytes(bytes)) => constant_text("b", bytes),
            Some(Object::Int(n)) => Value::Const(n.to_string(), None),
            Some(Object::Plain(name)) => Value::Const((*name).to_owned(), None),
            Some(Object::Items(_)) => Value::Const("(...)".to_owned(), None),
            _ => Value::Unknown,
        }
    }
}

/// A string or bytes, with the letter that tells them apart.
fn constant_text(letter: &str, bytes: &[u8]) -> Value {
    let kept = bytes.get(..super::KEPT).unwrap_or(bytes);
    let text = String::from_utf8_lossy(kept).into_owned();
    let shown: String = text.chars().take(super::SHOWN_BYTES).collect();
    Value::Const(format!("{letter}{shown:?}"), Some(text))
}

/// An attribute of something named; names without end are not followed.
fn joined(owner: &str, name: &str) -> Value {
    if owner.len() > LONGEST { Value::Unknown } else { Value::Name(format!("{owner}.{name}")) }
}

fn bind(names: &mut Names, name: String, value: Value) {
    match value {
        Value::Name(target) => names.insert(name, target),
        Value::Const(..) | Value::Unknown => names.remove(&name),
    };
}

/// What a call returns, where that is a name too.
fn folded(callee: &str, arguments: &[Value]) -> Option<Value> {
    let mut arguments = arguments.iter();
    match (callee, arguments.next(), arguments.next()) {
        (
            "builtins.__import__" | "importlib.import_module" | "importlib.__import__",
            Some(Value::Const(_, Some(module))),
            _,
        ) => Some(Value::Name(module.clone())),
        ("builtins.getattr", Some(Value::Name(owner)), Some(Value::Const(_, Some(name)))) => Some(joined(owner, name)),
        _ => None,
    }
}
