//! The Protocol Buffers wire format, walked in place.
//!
//! Shared by the formats that are protobuf messages; it knows no schema. One
//! cursor goes forward through the file: nested messages are ranges of it, and
//! what nobody asks for, such as the bytes of a tensor, is passed over without
//! being read.

use crate::engine::Cx;
use crate::input::{Cursor, Input, to_usize};
use crate::stop::Stop;

/// How deep messages nest in readers of Google's libraries
/// (`CodedInputStream::default_recursion_limit_`).
pub(crate) const MAX_DEPTH: u32 = 100;

/// A message: what of it has not been read yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Message {
    at: u64,
    end: u64,
    depth: u32,
}

/// Some bytes of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bytes {
    /// Where they begin.
    pub at: u64,
    /// How many.
    pub len: u64,
    depth: u32,
}

impl Bytes {
    /// The same bytes as a message.
    pub(crate) fn message(self) -> Message {
        Message { at: self.at, end: self.at.saturating_add(self.len), depth: self.depth.saturating_add(1) }
    }
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value {
    /// Wire type 0.
    Varint(u64),
    /// Wire type 1.
    Fixed64(u64),
    /// Wire type 2: a string, bytes, a message or packed numbers.
    Bytes(Bytes),
    /// Wire type 3, up to its end.
    Group(Bytes),
    /// Wire type 5.
    Fixed32(u32),
}

/// One field of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Field {
    /// Its number in the schema.
    pub number: u32,
    /// What it holds.
    pub value: Value,
    /// Where its tag begins.
    pub at: u64,
}

/// Examines what follows a message that did not end where its fields do.
///
/// # Errors
/// As `outcome`, or when no more artifacts may be examined.
pub(crate) fn behind(outcome: Result<(), Stop>, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    if let Err(Stop::Malformed { .. }) = &outcome {
        let mut walker = Walker::new(input);
        let mut whole = walker.whole();
        loop {
            match walker.next(&mut whole) {
                Ok(Some(_)) => cx.charge(1, whole.at)?,
                Ok(None) => break,
                Err(_) => {
                    if whole.at > 0 {
                        cx.behind("behind the message", input, whole.at)?;
                    }
                    break;
                }
            }
        }
    }
    outcome
}

/// Reads messages of one input.
#[derive(Debug)]
pub(crate) struct Walker<'i> {
    cursor: Cursor<'i>,
}

impl<'i> Walker<'i> {
    /// A reader of `input`.
    pub(crate) fn new(input: &'i Input) -> Self {
        Self { cursor: input.cursor() }
    }

    /// The whole input as a message.
    pub(crate) fn whole(&self) -> Message {
        Message { at: 0, end: self.cursor.input().len(), depth: 0 }
    }

    /// The next field of `message`; nothing at its end.
    ///
    /// # Errors
    /// When the bytes are no field, or reach beyond the message.
    pub(crate) fn next(&mut self, message: &mut Message) -> Result<Option<Field>, Stop> {
        if message.at >= message.end {
            return Ok(None);
        }
        if message.depth > MAX_DEPTH {
            return Err(Stop::Limit { offset: message.at, limit: "nesting" });
        }
        let at = message.at;
        self.cursor.seek(at);
        let (number, wire) = self.tag()?;
        let value = match wire {
            0 => Value::Varint(self.cursor.varint()?),
            1 => Value::Fixed64(self.cursor.u64_le()?),
            2 => {
                let len = self.cursor.varint()?;
                let from = self.cursor.position();
                let end = from.checked_add(len).filter(|end| *end <= message.end);
                let Some(end) = end else {
                    let held = message.end.saturating_sub(from);
                    // Beyond the file is a file cut short, beyond the message
                    // around it a contradiction.
                    return Err(if message.end >= self.cursor.input().len() {
                        Stop::Truncated { offset: message.end, needed: len.saturating_sub(held) }
                    } else {
                        Stop::malformed(at, format!("field {number} is longer than the message around it"))
                    });
                };
                self.cursor.seek(end);
                Value::Bytes(Bytes { at: from, len, depth: message.depth })
            }
            3 => {
                let from = self.cursor.position();
                let end = self.group(number, message.end)?;
                Value::Group(Bytes { at: from, len: end.saturating_sub(from), depth: message.depth })
            }
            5 => Value::Fixed32(self.cursor.u32_le()?),
            _ => return Err(Stop::malformed(at, format!("there is no protobuf wire type {wire}"))),
        };
        message.at = self.cursor.position();
        if message.at > message.end {
            return Err(Stop::malformed(at, format!("field {number} is longer than the message around it")));
        }
        Ok(Some(Field { number, value, at }))
    }

    fn tag(&mut self) -> Result<(u32, u64), Stop> {
        let at = self.cursor.position();
        let tag = self.cursor.varint()?;
        let number = u32::try_from(tag >> 3).ok().filter(|number| (1..=0x1fff_ffff).contains(number));
        match number {
            Some(number) => Ok((number, tag & 7)),
            None => Err(Stop::malformed(at, "a protobuf field number is out of range")),
        }
    }

    /// Passes over a group; where its end tag begins.
    fn group(&mut self, number: u32, end: u64) -> Result<u64, Stop> {
        let mut open = vec![number];
        loop {
            let at = self.cursor.position();
            if at >= end {
                return Err(Stop::malformed(at, "a protobuf group does not end"));
            }
            let (number, wire) = self.tag()?;
            match wire {
                0 => {
                    self.cursor.varint()?;
                }
                1 => self.cursor.skip(8)?,
                2 => {
                    let len = self.cursor.varint()?;
                    self.cursor.skip(len)?;
                }
                3 if open.len() < to_usize(u64::from(MAX_DEPTH)) => open.push(number),
                3 => return Err(Stop::Limit { offset: at, limit: "nesting" }),
                4 => {
                    if open.pop() != Some(number) {
                        return Err(Stop::malformed(at, "a protobuf group ends that did not begin"));
                    }
                    if open.is_empty() {
                        return Ok(at);
                    }
                }
                5 => self.cursor.skip(4)?,
                _ => return Err(Stop::malformed(at, format!("there is no protobuf wire type {wire}"))),
            }
        }
    }

    /// The text of a string field, at most `bound` bytes of it.
    ///
    /// # Errors
    /// When the bytes can't be read.
    pub(crate) fn text(&mut self, bytes: Bytes, bound: u64) -> Result<String, Stop> {
        self.cursor.seek(bytes.at);
        let shown = self.cursor.peek(to_usize(bytes.len.min(bound)))?;
        Ok(String::from_utf8_lossy(shown).into_owned())
    }

    /// Adds the numbers of a repeated field to `numbers`, packed or not, as
    /// long as there are no more than `bound`.
    ///
    /// # Errors
    /// When the bytes are no numbers, or there are too many.
    pub(crate) fn numbers(&mut self, value: Value, numbers: &mut Vec<i64>, bound: usize) -> Result<(), Stop> {
        let mut add = |at: u64, number: u64| {
            if numbers.len() >= bound {
                return Err(Stop::Limit { offset: at, limit: "header-bytes" });
            }
            numbers.push(number.cast_signed());
            Ok(())
        };
        match value {
            Value::Varint(number) => add(self.cursor.position(), number),
            Value::Bytes(bytes) => {
                self.cursor.seek(bytes.at);
                let end = bytes.at.saturating_add(bytes.len);
                while self.cursor.position() < end {
                    let number = self.cursor.varint()?;
                    add(self.cursor.position(), number)?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// The first fields of a message, for recognising which one it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Number and value of each field whose tag and length are in the head;
    /// offsets of bytes are in the head.
    pub fields: Vec<(u32, Value)>,
    /// The last field ends with the artifact, so that all are listed.
    pub complete: bool,
}

impl Shape {
    /// Reads the fields of an artifact of `len` bytes that begins with `head`;
    /// nothing when it is no protobuf message as far as the head shows.
    pub(crate) fn of(head: &[u8], len: u64) -> Option<Self> {
        // Enough to tell the messages apart that begin with repeated fields.
        const FIELDS: usize = 64;
        if head.is_empty() {
            return None;
        }
        let input = Input::from(head.get(..head.len().min(4096)).unwrap_or_default());
        let mut walker = Walker::new(&input);
        let mut shape = Self { fields: Vec::new(), complete: false };
        let mut message = walker.whole();
        // Lengths may reach beyond the head, not beyond the artifact.
        message.end = len;
        let shown = input.len();
        while shape.fields.len() < FIELDS && message.at < shown {
            match walker.next_of(&mut message) {
                Ok(Some(field)) => shape.fields.push((field.number, field.value)),
                Ok(None) => break,
                Err(Stop::Truncated { .. }) if len > shown => break,
                Err(_) => return None,
            }
        }
        shape.complete = message.at == len;
        (!shape.fields.is_empty()).then_some(shape)
    }

    /// The first field of this number.
    pub(crate) fn first(&self, number: u32) -> Option<Value> {
        self.fields.iter().find(|(field, _)| *field == number).map(|(_, value)| *value)
    }

    /// The bytes of the first field of this number, as far as `head` has them.
    pub(crate) fn bytes<'h>(&self, number: u32, head: &'h [u8]) -> Option<&'h [u8]> {
        match self.first(number)? {
            Value::Bytes(bytes) => {
                let from = to_usize(bytes.at);
                let end = from.saturating_add(to_usize(bytes.len)).min(head.len());
                head.get(from..end)
            }
            _ => None,
        }
    }

    /// The number in the first field of this number.
    pub(crate) fn number(&self, number: u32) -> Option<u64> {
        match self.first(number)? {
            Value::Varint(value) => Some(value),
            _ => None,
        }
    }

    /// Whether all fields are among `numbers`.
    pub(crate) fn only(&self, numbers: &[u32]) -> bool {
        self.fields.iter().all(|(number, _)| numbers.contains(number))
    }
}

impl Walker<'_> {
    /// As [`next`](Self::next), for a message that is longer than the input.
    fn next_of(&mut self, message: &mut Message) -> Result<Option<Field>, Stop> {
        let at = message.at;
        self.cursor.seek(at);
        let (number, wire) = self.tag()?;
        if wire != 2 {
            return self.next(message);
        }
        let len = self.cursor.varint()?;
        let from = self.cursor.position();
        let end = from.checked_add(len).filter(|end| *end <= message.end);
        let Some(end) = end else { return Err(Stop::malformed(at, "a field is longer than the file")) };
        message.at = end;
        Ok(Some(Field { number, value: Value::Bytes(Bytes { at: from, len, depth: 0 }), at }))
    }
}

/// Whether bytes are a name as schemas use them: UTF-8 without control
/// characters, and not empty.
pub(crate) fn is_name(bytes: &[u8]) -> bool {
    !bytes.is_empty() && std::str::from_utf8(bytes).is_ok_and(|text| !text.chars().any(char::is_control))
}
