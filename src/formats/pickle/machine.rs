//! The machine: runs a stream over symbolic values the way `_pickle.c` would,
//! and never stops for what that would refuse.
//!
//! Where CPython raises, everything before has already happened; so the fault
//! is noted, an unknown value takes the place of what is missing, and the rest
//! of the stream is examined too.

use std::collections::{BTreeMap, HashMap};

use super::calls::CallLog;
use super::carried::Carried;
use super::chain::Steps;
use super::constants::{Digits, parse_int};
use super::held::Held;
use super::imports::Names;
use super::memo::Memo;
use super::opcodes as op;
use super::record::{Effect, Made, Recorder};
use super::value::{Arena, How, Node, Shape, Value};
use crate::engine::Cx;
use crate::evidence::{Evidence, Kind as Fact, Span};
use crate::input::{Cursor, Input, to_usize};
use crate::limits::Limits;
use crate::stop::Stop;

/// Opcodes between two payments for work.
const OPCODES_PER_CHARGE: u64 = 4096;

/// The state of one stream.
pub(super) struct Machine<'i> {
    pub(super) input: &'i Input,
    pub(super) limits: Limits,
    pub(super) cursor: Cursor<'i>,
    pub(super) arena: Arena,
    pub(super) stack: Vec<Value>,
    pub(super) marks: Vec<usize>,
    memo: Memo,
    /// The memo of the stream before, which one `Unpickler` object that loads
    /// several streams would still have.
    carried: Option<Memo>,
    pub(super) names: Names,
    pub(super) log: CallLog,
    /// Classes that the stream carries.
    pub(super) classes: Carried,
    /// State given to objects by BUILD, by node.
    pub(super) states: HashMap<u32, Value>,
    /// States that objects had before another was given to them.
    pub(super) former_states: Vec<(u32, Value)>,
    /// Storages that persistent ids name: key to length in bytes.
    pub(super) storages: BTreeMap<String, u64>,
    pub(super) folded_bytes: u64,
    /// Constants that may be pickles.
    pub(super) held: Held,
    /// What lookups and folded calls gave.
    pub(super) steps: Steps,
    /// The call that ended last was folded.
    pub(super) was_folded: bool,
    /// What the stream does, when somebody wants to see it.
    pub(super) recorder: Option<Box<Recorder>>,
    pub(super) at: u64,
    pub(super) start: u64,
    frame_end: u64,
    faults: u32,
    anomalies: BTreeMap<&'static str, u64>,
}

/// How many different faults of one stream become gaps.
const FAULTS_SHOWN: u32 = 8;

impl<'i> Machine<'i> {
    /// A machine for the stream at `offset`.
    pub(super) fn new(input: &'i Input, offset: u64, limits: &Limits, carried: Option<Memo>) -> Self {
        Self {
            input,
            limits: limits.clone(),
            cursor: Cursor::at(input, offset),
            arena: Arena::new(to_usize(limits.nodes), to_usize(limits.items)),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: Memo::default(),
            carried,
            names: Names::default(),
            log: CallLog::default(),
            classes: Carried::default(),
            states: HashMap::new(),
            former_states: Vec::new(),
            storages: BTreeMap::new(),
            folded_bytes: 0,
            held: Held::default(),
            steps: Steps::default(),
            was_folded: false,
            recorder: None,
            at: offset,
            start: offset,
            frame_end: 0,
            faults: 0,
            anomalies: BTreeMap::new(),
        }
    }

    /// Runs to STOP; returns the value that the loader would.
    ///
    /// # Errors
    /// The [`Stop`] where the stream can't be decoded further. Imports and
    /// calls until there have been recorded either way.
    pub(super) fn run(&mut self, cx: &mut Cx<'_, '_>) -> Result<Value, Stop> {
        self.record_from(cx);
        let outcome = self.opcodes(cx);
        self.finish_recording(&outcome, cx);
        super::hooks::report_factors(self, cx);
        self.flush(cx);
        let opened = self.open_held(cx);
        let lost = [
            (self.arena.lost_nodes, "nodes"),
            (self.arena.lost_items, "items"),
            (self.folded_bytes > self.limits.folded_bytes, "folded-bytes"),
        ];
        for (lost, limit) in lost {
            if lost {
                cx.gap(&Stop::Limit { offset: self.at, limit });
            }
        }
        opened?;
        outcome
    }

    /// Runs to STOP for the value alone.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub(super) fn result(&mut self, cx: &mut Cx<'_, '_>) -> Result<Value, Stop> {
        self.opcodes(cx)
    }

    /// The memo, for a machine that continues with it.
    pub(super) fn into_memo(self) -> Memo {
        self.memo
    }

    fn opcodes(&mut self, cx: &mut Cx<'_, '_>) -> Result<Value, Stop> {
        let mut until_charge = OPCODES_PER_CHARGE;
        loop {
            until_charge = until_charge.saturating_sub(1);
            if until_charge == 0 {
                until_charge = OPCODES_PER_CHARGE;
                cx.charge(OPCODES_PER_CHARGE, self.at)?;
            }
            self.at = self.cursor.position();
            let code = self.cursor.u8()?;
            match code {
                // The frequent ones first: constants, memo, containers.
                op::MEMOIZE => {
                    let top = self.top(cx);
                    if !self.memo.memoize(top, self.limits.memo) {
                        return Err(Stop::Limit { offset: self.at, limit: "memo" });
                    }
                }
                op::SHORT_BINUNICODE => {
                    let length = self.cursor.u8()?;
                    self.glance(u64::from(length), true, cx)?;
                    self.cursor.skip(u64::from(length))?;
                    self.stack.push(Value::str(self.at));
                }
                op::LONG_BINGET => {
                    let index = self.cursor.u32_le()?;
                    self.fetch(u64::from(index), cx);
                }
                op::BINGET => {
                    let index = self.cursor.u8()?;
                    self.fetch(u64::from(index), cx);
                }
                op::BINPUT => {
                    let index = self.cursor.u8()?;
                    self.put(u64::from(index), cx)?;
                }
                op::BININT1 => {
                    let number = self.cursor.u8()?;
                    self.stack.push(Value::int(i64::from(number)));
                }
                op::BININT2 => {
                    let number = self.cursor.u16_le()?;
                    self.stack.push(Value::int(i64::from(number)));
                }
                op::BININT => {
                    let number = self.cursor.i32_le()?;
                    self.stack.push(Value::int(i64::from(number)));
                }
                op::BINFLOAT => {
                    self.cursor.skip(8)?;
                    self.stack.push(Value::float(self.at));
                }
                op::MARK => self.marks.push(self.stack.len()),
                op::TUPLE1 => self.tuple(1, cx),
                op::TUPLE2 => self.tuple(2, cx),
                op::TUPLE3 => self.tuple(3, cx),
                op::TUPLE => self.gather(Shape::Tuple, cx),
                op::EMPTY_TUPLE => self.stack.push(Value::EMPTY_TUPLE),
                op::EMPTY_LIST => self.empty(Shape::List),
                op::EMPTY_DICT => self.empty(Shape::Dict),
                op::EMPTY_SET => self.empty(Shape::Set),
                op::APPEND => {
                    let item = self.pop(cx);
                    self.add_items("APPEND", &[item], cx);
                }
                op::SETITEM => {
                    let value = self.pop(cx);
                    let key = self.pop(cx);
                    self.add_items("SETITEM", &[key, value], cx);
                }
                op::APPENDS => self.gather_into("APPENDS", cx),
                op::SETITEMS => self.gather_into("SETITEMS", cx),
                op::ADDITEMS => self.gather_into("ADDITEMS", cx),
                op::NONE => self.stack.push(Value::NONE),
                op::NEWTRUE => self.stack.push(Value::bool(true)),
                op::NEWFALSE => self.stack.push(Value::bool(false)),
                op::FRAME => self.frame(cx)?,
                op::STOP => {
                    if !self.marks.is_empty() {
                        self.fault("STOP with a mark on the stack", cx);
                    }
                    let result = self.pop(cx);
                    if !self.stack.is_empty() {
                        self.anomaly("values-left-on-stack", cx);
                    }
                    return Ok(result);
                }
                _ => self.rare(code, cx)?,
            }
            // pickletools and the Python unpickler end a frame where it says;
            // the C unpickler reads on. What lies across is a disguise.
            if self.frame_end != 0 && self.cursor.position() >= self.frame_end {
                if self.cursor.position() > self.frame_end && code != op::FRAME {
                    self.anomaly("opcode-crosses-frame", cx);
                }
                if code != op::FRAME {
                    self.frame_end = 0;
                }
            }
        }
    }

    /// Opcodes that are rare, or cost far more than their dispatch.
    fn rare(&mut self, code: u8, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let at = self.at;
        match code {
            op::BINUNICODE | op::BINUNICODE8 | op::BINSTRING | op::SHORT_BINSTRING => {
                // Python 2 wrote its byte strings with the latter two.
                self.skip_constant(code, matches!(code, op::BINUNICODE | op::BINUNICODE8), cx)?;
                self.stack.push(Value::str(at));
            }
            op::SHORT_BINBYTES | op::BINBYTES | op::BINBYTES8 => {
                self.skip_constant(code, false, cx)?;
                self.stack.push(Value::bytes(at));
            }
            op::BYTEARRAY8 => {
                self.skip_constant(code, false, cx)?;
                self.stack.push(Value::bytearray(at));
            }
            op::LONG1 | op::LONG4 => {
                self.skip_counted(code)?;
                self.stack.push(Value::long(at));
            }
            op::INT => self.int_line(cx)?,
            op::LONG => {
                self.line()?;
                self.stack.push(Value::long(at));
            }
            op::FLOAT => {
                self.line()?;
                self.stack.push(Value::float(at));
            }
            op::STRING => {
                let line = self.line()?;
                let quoted =
                    line.len() >= 2 && matches!(line.first(), Some(b'\'' | b'"')) && line.first() == line.last();
                if !quoted {
                    self.fault("the STRING opcode argument must be quoted", cx);
                }
                self.glance_at_line(cx)?;
                self.stack.push(Value::str(at));
            }
            op::UNICODE => {
                self.line()?;
                self.glance_at_line(cx)?;
                self.stack.push(Value::str(at));
            }
            op::GET => {
                let index = self.index_line(cx)?;
                self.fetch(index, cx);
            }
            op::PUT => {
                let index = self.index_line(cx)?;
                self.put(index, cx)?;
            }
            op::LONG_BINPUT => {
                let index = self.cursor.u32_le()?;
                self.put(u64::from(index), cx)?;
            }
            op::POP => self.pop_opcode(cx),
            op::POP_MARK => {
                self.take_to_mark(cx);
            }
            op::DUP => {
                self.anomaly("dup", cx);
                let top = self.top(cx);
                self.stack.push(top);
            }
            op::LIST => self.gather(Shape::List, cx),
            op::DICT => self.gather(Shape::Dict, cx),
            op::FROZENSET => self.gather(Shape::FrozenSet, cx),
            op::GLOBAL => {
                let value = self.global_lines("GLOBAL", cx)?;
                self.stack.push(value);
            }
            op::STACK_GLOBAL => {
                let name = self.pop(cx);
                let module = self.pop(cx);
                let value = self.stack_global(module, name, cx);
                self.stack.push(value);
            }
            op::INST => {
                let class = self.global_lines("INST", cx)?;
                let args = self.take_to_mark(cx);
                let args = self.args_of(&args);
                self.call_and_push(class, args, How::Inst, cx)?;
            }
            op::OBJ => {
                let items = self.take_to_mark(cx);
                if let Some((class, args)) = items.split_first() {
                    let args = self.args_of(args);
                    self.call_and_push(*class, args, How::Obj, cx)?;
                } else {
                    self.fault("OBJ without a class", cx);
                    self.stack.push(Value::UNKNOWN);
                }
            }
            op::REDUCE => {
                let args = self.pop(cx);
                let callee = self.pop(cx);
                self.call_and_push(callee, args, How::Reduce, cx)?;
            }
            op::NEWOBJ => {
                let args = self.pop(cx);
                let class = self.pop(cx);
                self.call_and_push(class, args, How::NewObj, cx)?;
            }
            op::NEWOBJ_EX => {
                let kwargs = self.pop(cx);
                let args = self.pop(cx);
                let class = self.pop(cx);
                let mut all = self.arena.items(args, 64);
                all.push(kwargs);
                let all = self.args_of(&all);
                self.call_and_push(class, all, How::NewObjEx, cx)?;
            }
            op::BUILD => {
                let state = self.pop(cx);
                self.build(state, cx)?;
            }
            op::PERSID => {
                self.line()?;
                let id = Value::str(at);
                self.persistent(id, cx);
            }
            op::BINPERSID => {
                let id = self.pop(cx);
                self.persistent(id, cx);
            }
            op::EXT1 => {
                let code = self.cursor.u8()?;
                self.extension(u32::from(code), cx);
            }
            op::EXT2 => {
                let code = self.cursor.u16_le()?;
                self.extension(u32::from(code), cx);
            }
            op::EXT4 => {
                let code = self.cursor.u32_le()?;
                self.extension(code, cx);
            }
            op::NEXT_BUFFER => self.stack.push(Value::BUFFER),
            op::READONLY_BUFFER => {
                self.top(cx);
            }
            op::PROTO => {
                let version = self.cursor.u8()?;
                if version > 5 {
                    self.fault("unsupported pickle protocol", cx);
                }
                if at != self.start {
                    self.anomaly("proto-not-first", cx);
                }
            }
            _ => return Err(Stop::malformed(at, format!("invalid opcode {code:#04x}"))),
        }
        Ok(())
    }

    // Arguments.

    /// A string or bytes, which may be a pickle.
    fn skip_constant(&mut self, code: u8, is_text: bool, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let layout = op::argument(code).unwrap_or(op::Argument::Fixed(0));
        let length = op::counted_length(&mut self.cursor, layout)?;
        self.glance(length, is_text, cx)?;
        self.cursor.skip(length)
    }

    #[inline]
    fn skip_counted(&mut self, code: u8) -> Result<(), Stop> {
        let layout = op::argument(code).unwrap_or(op::Argument::Fixed(0));
        let length = op::counted_length(&mut self.cursor, layout)?;
        self.cursor.skip(length)
    }

    fn line(&mut self) -> Result<&[u8], Stop> {
        let bound = to_usize(self.limits.header_bytes);
        self.cursor.until(b'\n', bound)
    }

    fn int_line(&mut self, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let at = self.at;
        let line = self.line()?.to_vec();
        let number = parse_int(&line, Digits::Int);
        let unsigned = line.strip_prefix(b"-").unwrap_or(&line);
        if unsigned.len() > 1 && unsigned.starts_with(b"0") && line != b"00" && line != b"01" {
            // strtol reads base prefixes that pickletools refuses.
            self.anomaly("int-with-base-prefix", cx);
        }
        // Two characters that strtol reads to their end as 0 or 1: `-0`, too.
        let is_bool = line.len() == 2 && line.last().is_some_and(u8::is_ascii_digit);
        let value = match number {
            Some(number @ (0 | 1)) if is_bool => Value::bool(number == 1),
            Some(number) if i32::try_from(number).is_ok() => Value::int(number),
            _ => Value::long(at),
        };
        self.stack.push(value);
        Ok(())
    }

    fn index_line(&mut self, cx: &mut Cx<'_, '_>) -> Result<u64, Stop> {
        let line = self.line()?.to_vec();
        match parse_int(&line, Digits::Index).and_then(|index| u64::try_from(index).ok()) {
            Some(index) => Ok(index),
            None => {
                self.fault("memo index is not a number", cx);
                Ok(u64::MAX)
            }
        }
    }

    fn frame(&mut self, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let length = self.cursor.u64_le()?;
        let position = self.cursor.position();
        if position < self.frame_end {
            self.anomaly("frame-inside-frame", cx);
        }
        if length > self.cursor.remaining() {
            self.anomaly("frame-beyond-end", cx);
            self.fault("a frame reaches beyond the end of the file", cx);
        }
        self.frame_end = position.saturating_add(length);
        Ok(())
    }

    // The memo.

    #[inline]
    fn fetch(&mut self, index: u64, cx: &mut Cx<'_, '_>) {
        match self.memo.get(index) {
            Some(value) => self.stack.push(value),
            None => self.fetch_missing(index, cx),
        }
    }

    #[cold]
    fn fetch_missing(&mut self, index: u64, cx: &mut Cx<'_, '_>) {
        if self.carried.as_ref().is_some_and(|memo| memo.get(index).is_some()) {
            // Its node belongs to the stream before; only its absence is new.
            self.anomaly("memo-carried-over", cx);
        }
        self.fault("memo value not found", cx);
        self.stack.push(Value::UNKNOWN);
    }

    #[inline]
    fn put(&mut self, index: u64, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let top = self.top(cx);
        if index > self.memo.len().saturating_mul(4).saturating_add(1 << 20) {
            self.anomaly("memo-index-far-beyond", cx);
        }
        if self.memo.put(index, top, self.limits.memo) {
            return Ok(());
        }
        Err(Stop::Limit { offset: self.at, limit: "memo" })
    }

    // Faults and oddities.

    /// CPython would raise here. What came before has happened all the same.
    #[cold]
    pub(super) fn fault(&mut self, what: &'static str, cx: &mut Cx<'_, '_>) {
        self.record(|| Effect::Fault(what.to_owned()));
        self.faults = self.faults.saturating_add(1);
        if self.faults <= FAULTS_SHOWN {
            cx.gap(&Stop::malformed(self.at, what));
        }
    }

    /// Something that no pickler writes; once per kind and stream.
    #[cold]
    pub(super) fn anomaly(&mut self, what: &'static str, cx: &mut Cx<'_, '_>) {
        let count = self.anomalies.entry(what).or_insert(0);
        *count = count.saturating_add(1);
        if *count == 1 {
            cx.push(Evidence::new(Fact::PickleAnomaly, what, Span::at(self.at)));
        }
    }

    /// A tuple of arguments.
    pub(super) fn args_of(&mut self, items: &[Value]) -> Value {
        if items.is_empty() { Value::EMPTY_TUPLE } else { self.arena.container(Shape::Tuple, items) }
    }

    /// How many opcodes' worth of values there are, for a hint of the cost.
    pub(super) fn stream_length(&self) -> u64 {
        self.cursor.position().saturating_sub(self.start)
    }

    fn extension(&mut self, code: u32, cx: &mut Cx<'_, '_>) {
        cx.push(Evidence::new(Fact::PickleExtension, code.to_string(), Span::at(self.at)));
        let value = self.arena.add(Node::Extension(code));
        self.record(|| Effect::Extension { code, result: Made { value, fresh: true } });
        self.stack.push(value);
    }

    fn call_and_push(&mut self, callee: Value, args: Value, how: How, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let nodes = self.arena.len();
        let result = self.call(callee, args, how, 0, cx);
        let made = self.made(*result.as_ref().unwrap_or(&Value::UNKNOWN), nodes);
        self.record(|| Effect::Call { callee, args, how, result: made });
        if self.was_folded {
            self.step_of_call(callee, args, made);
        }
        self.stack.push(result?);
        Ok(())
    }

    /// The object that BUILD changes.
    pub(super) fn build_target(&mut self, cx: &mut Cx<'_, '_>) -> Value {
        self.top(cx)
    }

    /// Forgets the frame: its length does not count what others wrote into it.
    pub(super) fn leave_frame(&mut self) {
        self.frame_end = 0;
    }

    /// Replaces the top of the stack.
    pub(super) fn replace_top(&mut self, value: Value) {
        if let Some(top) = self.stack.last_mut() {
            *top = value;
        }
    }

    /// Length as `u64`, for spans.
    pub(super) fn span_here(&self) -> Span {
        Span::new(self.at, self.cursor.position().saturating_sub(self.at))
    }
}
