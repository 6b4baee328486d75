//! The Python literals of a `.npy` header: strings, numbers, `True`, `False`,
//! `None`, tuples, lists and dicts, and nothing that would have to be evaluated.

use crate::stop::Stop;

/// A literal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Literal {
    Text(String),
    /// Digits are kept when the number is beyond `i128`.
    Number(Option<i128>),
    Bool(bool),
    None,
    /// A tuple or a list.
    Sequence(Vec<Self>),
    Dict(Vec<(Self, Self)>),
}

impl Literal {
    /// The value of a key, when this is a dict.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let Self::Dict(items) = self else { return None };
        items.iter().find(|(name, _)| matches!(name, Self::Text(name) if name == key)).map(|(_, value)| value)
    }
}

/// Parses `text`, which may have white space around its one literal.
///
/// # Errors
/// Where it is something else than a literal, and when it nests deeper than `depth`.
pub(super) fn parse(text: &str, depth: u64) -> Result<Literal, Stop> {
    let mut parser = Parser { text: text.as_bytes(), at: 0 };
    let literal = parser.value(depth)?;
    match parser.peek() {
        None => Ok(literal),
        Some(_) => Err(parser.wrong("something follows the literal")),
    }
}

struct Parser<'t> {
    text: &'t [u8],
    at: usize,
}

impl Parser<'_> {
    fn wrong(&self, what: &'static str) -> Stop {
        Stop::malformed(crate::input::to_u64(self.at), what)
    }

    /// The next byte that is not white space.
    fn peek(&mut self) -> Option<u8> {
        while self.text.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at = self.at.saturating_add(1);
        }
        self.text.get(self.at).copied()
    }

    fn skip(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    fn value(&mut self, depth: u64) -> Result<Literal, Stop> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(Stop::Limit { offset: crate::input::to_u64(self.at), limit: "depth" });
        };
        match self.peek() {
            Some(b'(') => self.sequence(b')', depth),
            Some(b'[') => self.sequence(b']', depth),
            Some(b'{') => self.dict(depth),
            Some(b'\'' | b'"') => self.text(),
            Some(b'-' | b'+' | b'0'..=b'9') => Ok(self.number()),
            Some(byte) if byte.is_ascii_alphabetic() || byte == b'_' => self.word(),
            _ => Err(self.wrong("no literal begins like this")),
        }
    }

    fn sequence(&mut self, close: u8, depth: u64) -> Result<Literal, Stop> {
        self.skip();
        let mut items = Vec::new();
        loop {
            if self.peek() == Some(close) {
                self.skip();
                return Ok(Literal::Sequence(items));
            }
            items.push(self.value(depth)?);
            match self.peek() {
                Some(b',') => self.skip(),
                // Brackets around one value are no tuple; nobody writes them here.
                Some(byte) if byte == close => {}
                _ => return Err(self.wrong("a comma is missing in a sequence")),
            }
        }
    }

    fn dict(&mut self, depth: u64) -> Result<Literal, Stop> {
        self.skip();
        let mut items = Vec::new();
        loop {
            if self.peek() == Some(b'}') {
                self.skip();
                return Ok(Literal::Dict(items));
            }
            let key = self.value(depth)?;
            if self.peek() != Some(b':') {
                return Err(self.wrong("a colon is missing in a dict"));
            }
            self.skip();
            items.push((key, self.value(depth)?));
            match self.peek() {
                Some(b',') => self.skip(),
                Some(b'}') => {}
                _ => return Err(self.wrong("a comma is missing in a dict")),
            }
        }
    }

    fn number(&mut self) -> Literal {
        let start = self.at;
        self.skip();
        let is_number = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
        while self.text.get(self.at).is_some_and(is_number) {
            self.skip();
        }
        let digits =
            self.text.get(start..self.at).and_then(|digits| std::str::from_utf8(digits).ok()).unwrap_or_default();
        // Python 2 wrote long integers with an L.
        let digits = digits.trim_end_matches('L').replace('_', "");
        Literal::Number(digits.parse().ok())
    }

    fn word(&mut self) -> Result<Literal, Stop> {
        let start = self.at;
        let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        while self.text.get(self.at).is_some_and(is_word) {
            self.skip();
        }
        match self.text.get(start..self.at).unwrap_or_default() {
            b"True" => Ok(Literal::Bool(true)),
            b"False" => Ok(Literal::Bool(false)),
            b"None" => Ok(Literal::None),
            // String prefixes.
            b"u" | b"U" | b"b" | b"B" | b"r" | b"R" if matches!(self.text.get(self.at), Some(b'\'' | b'"')) => {
                self.text()
            }
            _ => Err(self.wrong("a name stands where a literal should")),
        }
    }

    fn text(&mut self) -> Result<Literal, Stop> {
        let quote = self.text.get(self.at).copied();
        self.skip();
        let mut bytes = Vec::new();
        loop {
            let Some(byte) = self.text.get(self.at).copied() else {
                return Err(self.wrong("a string has no end"));
            };
            self.skip();
            if Some(byte) == quote {
                return Ok(Literal::Text(String::from_utf8_lossy(&bytes).into_owned()));
            }
            bytes.push(byte);
            if byte == b'\\' {
                // Kept as written: no name of a type needs an escape.
                bytes.extend(self.text.get(self.at));
                self.skip();
            }
        }
    }
}
