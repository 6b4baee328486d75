//! JSON the way tolerant loaders read it, with byte offsets.
//!
//! Differs from a strict reader where hostile files live: a key that stands
//! twice is kept twice (loaders disagree about which one counts), `NaN` and
//! `Infinity` are numbers as they are to Python, a byte order mark, bytes that
//! are not UTF-8 and lone surrogates are noted and read on. Nothing recurses:
//! nesting is bounded, and so is the number of values in a tree. [`Events`]
//! reads documents of any size in constant memory; [`parse`] builds a tree.

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::string_slice,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable
)]

use std::borrow::Cow;

use crate::input::{to_u64, to_usize};
use crate::limits::Limits;
use crate::stop::Stop;

/// Something that RFC 8259 forbids, and that some loader reads all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Oddity {
    /// The document begins with a byte order mark.
    ByteOrderMark,
    /// A string holds bytes that are not UTF-8.
    NotUtf8,
    /// An escape names half of a surrogate pair.
    LoneSurrogate,
    /// A control character stands in a string without an escape.
    ControlCharacter,
    /// `NaN`, `Infinity` or `-Infinity`.
    NotANumber,
}

impl Oddity {
    /// Its name in evidence.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ByteOrderMark => "byte-order-mark",
            Self::NotUtf8 => "not-utf8",
            Self::LoneSurrogate => "lone-surrogate",
            Self::ControlCharacter => "control-character",
            Self::NotANumber => "not-a-number",
        }
    }
}

/// One step through a document.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Event<'a> {
    /// `{`
    BeginObject,
    /// `}`
    EndObject,
    /// `[`
    BeginArray,
    /// `]`
    EndArray,
    /// The key of the value that comes next.
    Key(Cow<'a, str>),
    /// A string.
    String(Cow<'a, str>),
    /// A number as it is spelt.
    Number(&'a str),
    /// `true` or `false`.
    Bool(bool),
    /// `null`
    Null,
}

/// Where the reader stands in the innermost container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    /// A key or the end of the object.
    FirstKey,
    /// A key.
    Key,
    /// A comma or the end of the object.
    ObjectNext,
    /// A value or the end of the array.
    FirstItem,
    /// A comma or the end of the array.
    ArrayNext,
}

/// Reads a document step by step.
#[derive(Debug)]
pub(crate) struct Events<'a> {
    bytes: &'a [u8],
    at: usize,
    open: Vec<Expect>,
    depth: usize,
    begun: bool,
    value_due: bool,
    oddities: Vec<(u64, Oddity)>,
}

impl<'a> Events<'a> {
    /// A reader of `bytes` that follows containers `depth` levels deep.
    pub(crate) fn new(bytes: &'a [u8], depth: u64) -> Self {
        let mut events = Self {
            bytes,
            at: 0,
            open: Vec::new(),
            depth: to_usize(depth),
            begun: false,
            value_due: false,
            oddities: Vec::new(),
        };
        if bytes.starts_with(b"\xef\xbb\xbf") {
            events.note(0, Oddity::ByteOrderMark);
            events.at = 3;
        }
        events
    }

    /// Offset of the next byte that has not been looked at.
    pub(crate) fn position(&self) -> u64 {
        to_u64(self.at)
    }

    /// How many containers are open.
    pub(crate) fn level(&self) -> usize {
        self.open.len()
    }

    /// What the document has that it should not, one of each sort, and where.
    pub(crate) fn oddities(&self) -> &[(u64, Oddity)] {
        &self.oddities
    }

    /// Where the content after the document begins: white space aside, the
    /// length of the whole when nothing follows.
    pub(crate) fn after(&mut self) -> u64 {
        self.blank();
        self.position()
    }

    /// The next step and where it begins; nothing after the end.
    ///
    /// # Errors
    /// [`Stop::Malformed`], [`Stop::Truncated`], or [`Stop::Limit`] naming
    /// `nesting`.
    pub(crate) fn next(&mut self) -> Result<Option<(u64, Event<'a>)>, Stop> {
        if self.value_due {
            self.value_due = false;
            return self.value().map(Some);
        }
        let Some(expect) = self.open.last().copied() else {
            if self.begun {
                return Ok(None);
            }
            self.begun = true;
            return self.value().map(Some);
        };
        let byte = self.peek()?;
        let at = self.position();
        match (expect, byte) {
            (Expect::FirstKey | Expect::ObjectNext, b'}') => {
                self.close();
                Ok(Some((at, Event::EndObject)))
            }
            (Expect::FirstItem | Expect::ArrayNext, b']') => {
                self.close();
                Ok(Some((at, Event::EndArray)))
            }
            (Expect::FirstKey | Expect::Key, b'"') => {
                self.expect(Expect::ObjectNext);
                let key = self.string()?;
                if self.peek()? != b':' {
                    return Err(self.wrong("a `:` after the key"));
                }
                self.at = self.at.saturating_add(1);
                self.value_due = true;
                Ok(Some((at, Event::Key(key))))
            }
            (Expect::ObjectNext, b',') => {
                self.at = self.at.saturating_add(1);
                self.expect(Expect::Key);
                self.next()
            }
            (Expect::ArrayNext, b',') => {
                self.at = self.at.saturating_add(1);
                self.value().map(Some)
            }
            (Expect::FirstItem, _) => {
                self.expect(Expect::ArrayNext);
                self.value().map(Some)
            }
            (Expect::FirstKey | Expect::Key, _) => Err(self.wrong("a key in quotes")),
            (Expect::ObjectNext, _) => Err(self.wrong("`,` or `}`")),
            (Expect::ArrayNext, _) => Err(self.wrong("`,` or `]`")),
        }
    }

    /// Passes over the value whose first step was `event`.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub(crate) fn skip(&mut self, event: &Event<'_>) -> Result<(), Stop> {
        if !matches!(event, Event::BeginObject | Event::BeginArray) {
            return Ok(());
        }
        let outside = self.level().saturating_sub(1);
        while self.level() > outside {
            if self.next()?.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn expect(&mut self, expect: Expect) {
        if let Some(last) = self.open.last_mut() {
            *last = expect;
        }
    }

    fn close(&mut self) {
        self.at = self.at.saturating_add(1);
        self.open.pop();
    }

    fn note(&mut self, at: u64, oddity: Oddity) {
        if !self.oddities.iter().any(|(_, known)| *known == oddity) {
            self.oddities.push((at, oddity));
        }
    }

    fn wrong(&self, wanted: &str) -> Stop {
        Stop::malformed(self.position(), format!("JSON has something else where {wanted} should be"))
    }

    fn ends(&self) -> Stop {
        Stop::Truncated { offset: to_u64(self.bytes.len()), needed: 1 }
    }

    fn blank(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.bytes.get(self.at) {
            self.at = self.at.saturating_add(1);
        }
    }

    /// The next byte that is not white space.
    fn peek(&mut self) -> Result<u8, Stop> {
        self.blank();
        self.bytes.get(self.at).copied().ok_or_else(|| self.ends())
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn value(&mut self) -> Result<(u64, Event<'a>), Stop> {
        let byte = self.peek()?;
        let at = self.position();
        let event = match byte {
            b'{' => self.begin(Expect::FirstKey, Event::BeginObject)?,
            b'[' => self.begin(Expect::FirstItem, Event::BeginArray)?,
            b'"' => Event::String(self.string()?),
            _ => self.scalar()?,
        };
        Ok((at, event))
    }

    fn begin(&mut self, expect: Expect, event: Event<'a>) -> Result<Event<'a>, Stop> {
        if self.open.len() >= self.depth {
            return Err(Stop::Limit { offset: self.position(), limit: "nesting" });
        }
        self.open.push(expect);
        self.at = self.at.saturating_add(1);
        Ok(event)
    }

    fn scalar(&mut self) -> Result<Event<'a>, Stop> {
        let from = self.position();
        let rest = self.rest();
        let len = rest
            .iter()
            .position(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')))
            .unwrap_or(rest.len());
        let word = rest.get(..len).and_then(|word| std::str::from_utf8(word).ok()).unwrap_or_default();
        let event = match word {
            "true" => Event::Bool(true),
            "false" => Event::Bool(false),
            "null" => Event::Null,
            "NaN" | "Infinity" | "-Infinity" => {
                self.note(from, Oddity::NotANumber);
                Event::Number(word)
            }
            _ if is_number(word) => Event::Number(word),
            _ => return Err(self.wrong("a value")),
        };
        self.at = self.at.saturating_add(len);
        Ok(event)
    }

    /// A string; the reader stands at its opening quote.
    fn string(&mut self) -> Result<Cow<'a, str>, Stop> {
        let from = self.at.saturating_add(1);
        let body = self.bytes.get(from..).unwrap_or_default();
        let mut owned: Option<Vec<u8>> = None;
        let mut at = 0_usize;
        loop {
            let fresh = body.get(at..).unwrap_or_default();
            let Some(found) = memchr::memchr2(b'"', b'\\', fresh) else { return Err(self.ends()) };
            let plain = fresh.get(..found).unwrap_or_default();
            if let Some(control) = plain.iter().position(|byte| *byte < b' ') {
                self.note(to_u64(from.saturating_add(at).saturating_add(control)), Oddity::ControlCharacter);
            }
            if let Some(owned) = &mut owned {
                owned.extend_from_slice(plain);
            }
            at = at.saturating_add(found).saturating_add(1);
            if fresh.get(found) == Some(&b'"') {
                let whole = at.saturating_sub(1);
                self.at = from.saturating_add(at);
                let text = match owned {
                    None => match std::str::from_utf8(body.get(..whole).unwrap_or_default()) {
                        Ok(text) => return Ok(Cow::Borrowed(text)),
                        Err(_) => body.get(..whole).unwrap_or_default().to_vec(),
                    },
                    Some(owned) => owned,
                };
                return Ok(Cow::Owned(String::from_utf8(text).unwrap_or_else(|error| {
                    self.note(to_u64(from), Oddity::NotUtf8);
                    String::from_utf8_lossy(error.as_bytes()).into_owned()
                })));
            }
            let text = owned.get_or_insert_with(|| body.get(..at.saturating_sub(1)).unwrap_or_default().to_vec());
            at = self.escape(body, at, from, text)?;
        }
    }

    /// Appends what the escape at `at` (past its backslash) stands for.
    fn escape(&mut self, body: &[u8], at: usize, from: usize, text: &mut Vec<u8>) -> Result<usize, Stop> {
        let here = to_u64(from.saturating_add(at));
        let plain = match body.get(at) {
            None => return Err(self.ends()),
            Some(byte @ (b'"' | b'\\' | b'/')) => *byte,
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'u') => {
                let (unit, mut next) = (unit(body, at.saturating_add(1)), at.saturating_add(5));
                let Some(unit) = unit else { return Err(Stop::malformed(here, "JSON escape without four digits")) };
                let mut code = unit;
                if (0xd800..0xdc00).contains(&unit) && body.get(next..).is_some_and(|rest| rest.starts_with(b"\\u")) {
                    let low = crate::json::unit(body, next.saturating_add(2));
                    if let Some(low) = low.filter(|low| (0xdc00..0xe000).contains(low)) {
                        code = 0x1_0000_u32
                            .saturating_add(unit.saturating_sub(0xd800) << 10)
                            .saturating_add(low.saturating_sub(0xdc00));
                        next = next.saturating_add(6);
                    }
                }
                let letter = char::from_u32(code).unwrap_or_else(|| {
                    self.note(here, Oddity::LoneSurrogate);
                    char::REPLACEMENT_CHARACTER
                });
                text.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
                return Ok(next);
            }
            Some(_) => return Err(Stop::malformed(here, "JSON string with an unknown escape")),
        };
        text.push(plain);
        Ok(at.saturating_add(1))
    }
}

/// The code unit whose four hexadecimal digits begin at `at`.
fn unit(body: &[u8], at: usize) -> Option<u32> {
    let digits = body.get(at..at.saturating_add(4))?;
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// Whether `word` is a number; leading zeros and a leading `+` are not JSON,
/// but they hide nothing and some readers take them.
fn is_number(word: &str) -> bool {
    let digits = word.trim_start_matches(['-', '+']);
    digits.starts_with(|first: char| first.is_ascii_digit() || first == '.')
        && digits.contains(|digit: char| digit.is_ascii_digit())
        && digits.chars().all(|digit| digit.is_ascii_digit() || matches!(digit, '.' | 'e' | 'E' | '+' | '-'))
}

/// A value and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Json {
    /// Offset of its first byte.
    pub offset: u64,
    /// What it is.
    pub value: Value,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// `null`
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number as it is spelt.
    Number(String),
    /// A string.
    String(String),
    /// An array.
    Array(Vec<Json>),
    /// An object: every key as often as it stands there, in that order.
    Object(Vec<(String, Json)>),
}

/// A document, and what it has that it should not.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Document {
    /// The outermost value.
    pub root: Json,
    /// One of each sort of oddity, and where.
    pub oddities: Vec<(u64, Oddity)>,
    /// Where the document ends, white space included; less than the length
    /// of the bytes when something follows.
    pub end: u64,
}

/// Reads a whole document into a tree. Content after it is not read.
///
/// # Errors
/// [`Stop::Malformed`], [`Stop::Truncated`], or [`Stop::Limit`] naming
/// `nesting` or `nodes`.
pub(crate) fn parse(bytes: &[u8], limits: &Limits) -> Result<Document, Stop> {
    let mut events = Events::new(bytes, limits.nesting);
    let mut open: Vec<(Option<String>, Json)> = Vec::new();
    let mut key: Option<String> = None;
    let mut nodes: u64 = 0;
    while let Some((offset, event)) = events.next()? {
        nodes = nodes.saturating_add(1);
        if nodes > limits.nodes {
            return Err(Stop::Limit { offset, limit: "nodes" });
        }
        let value = match event {
            Event::Key(name) => {
                key = Some(name.into_owned());
                continue;
            }
            Event::BeginObject => {
                open.push((key.take(), Json { offset, value: Value::Object(Vec::new()) }));
                continue;
            }
            Event::BeginArray => {
                open.push((key.take(), Json { offset, value: Value::Array(Vec::new()) }));
                continue;
            }
            Event::EndObject | Event::EndArray => match open.pop() {
                Some((name, done)) => {
                    key = name;
                    done
                }
                None => break,
            },
            Event::String(text) => Json { offset, value: Value::String(text.into_owned()) },
            Event::Number(text) => Json { offset, value: Value::Number(text.to_owned()) },
            Event::Bool(bool) => Json { offset, value: Value::Bool(bool) },
            Event::Null => Json { offset, value: Value::Null },
        };
        match open.last_mut().map(|(_, parent)| &mut parent.value) {
            Some(Value::Object(members)) => members.push((key.take().unwrap_or_default(), value)),
            Some(Value::Array(items)) => items.push(value),
            _ => {
                let end = events.after();
                return Ok(Document { root: value, oddities: events.oddities, end });
            }
        }
    }
    Err(Stop::Truncated { offset: to_u64(bytes.len()), needed: 1 })
}

impl Json {
    /// The member called `key`; the last one when there are several, as in
    /// Python.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.members().iter().rev().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// All members called `key`.
    pub(crate) fn get_all<'j>(&'j self, key: &str) -> impl Iterator<Item = &'j Self> {
        self.members().iter().filter(move |(name, _)| name == key).map(|(_, value)| value)
    }

    /// The members of an object; none of anything else.
    pub(crate) fn members(&self) -> &[(String, Self)] {
        match &self.value {
            Value::Object(members) => members,
            _ => &[],
        }
    }

    /// The items of an array; none of anything else.
    pub(crate) fn items(&self) -> &[Self] {
        match &self.value {
            Value::Array(items) => items,
            _ => &[],
        }
    }

    /// A string's text.
    pub(crate) fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// A truth value.
    pub(crate) fn as_bool(&self) -> Option<bool> {
        match &self.value {
            Value::Bool(bool) => Some(*bool),
            _ => None,
        }
    }

    /// Calls `each` with every value below this one, itself first, and the
    /// keys and indices that lead there.
    pub(crate) fn walk<'j>(&'j self, each: &mut dyn FnMut(&[Step<'j>], &'j Self)) {
        let mut path: Vec<Step<'j>> = Vec::new();
        let mut stack: Vec<(usize, Step<'j>, &'j Self)> = vec![(0, Step::Index(0), self)];
        while let Some((level, step, json)) = stack.pop() {
            path.truncate(level.saturating_sub(1));
            if level > 0 {
                path.push(step);
            }
            each(&path, json);
            let below = level.saturating_add(1);
            stack.extend(json.members().iter().rev().map(|(key, value)| (below, Step::Key(key), value)));
            stack
                .extend(json.items().iter().enumerate().rev().map(|(index, value)| (below, Step::Index(index), value)));
        }
    }
}

/// One step of the way to a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step<'j> {
    /// The member of an object.
    Key(&'j str),
    /// The item of an array.
    Index(usize),
}

/// The way to a value as evidence shows it: `a.b[3]`.
pub(crate) fn path_text(path: &[Step<'_>]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Key(key) => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(key);
            }
            Step::Index(index) => {
                text.push('[');
                text.push_str(&index.to_string());
                text.push(']');
            }
        }
    }
    text
}
