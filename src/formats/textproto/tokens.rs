//! Words and strings of protobuf in text, with comments and punctuation left
//! out (protobuf.dev/reference/protobuf/textformat-spec).

use std::borrow::Cow;

use crate::input::to_u64;

/// A piece of the text.
pub(super) enum Token<'s> {
    /// A name or a number.
    Word(&'s str),
    /// A string, without its quotes and with its escapes undone. Strings that
    /// follow each other are one.
    Text(Cow<'s, str>),
}

/// Goes through a text.
pub(super) struct Tokens<'s> {
    source: &'s str,
    at: usize,
}

impl<'s> Tokens<'s> {
    pub(super) fn new(source: &'s str) -> Self {
        Self { source, at: 0 }
    }

    /// The next token, and where it begins.
    pub(super) fn next(&mut self) -> Option<(u64, Token<'s>)> {
        let (start, token) = self.one()?;
        let Token::Text(mut text) = token else { return Some((start, token)) };
        loop {
            let before = self.at;
            self.skip_blank();
            let quoted = self.rest().starts_with(['"', '\'']);
            match quoted.then(|| self.one()).flatten() {
                Some((_, Token::Text(more))) => text.to_mut().push_str(&more),
                _ => {
                    self.at = before;
                    return Some((start, Token::Text(text)));
                }
            }
        }
    }

    fn rest(&self) -> &'s str {
        self.source.get(self.at..).unwrap_or_default()
    }

    /// Goes on to what is neither white space nor comment.
    fn skip_blank(&mut self) {
        loop {
            let rest = self.rest();
            let length = match rest.chars().next() {
                Some('#') => rest.find('\n').unwrap_or(rest.len()),
                Some(blank) if blank.is_whitespace() => blank.len_utf8(),
                _ => return,
            };
            self.at = self.at.saturating_add(length);
        }
    }

    fn one(&mut self) -> Option<(u64, Token<'s>)> {
        loop {
            self.skip_blank();
            let at = self.at;
            let rest = self.rest();
            let first = rest.chars().next()?;
            let is_word = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '.' | '-');
            if first == '"' || first == '\'' {
                let body = rest.get(1..).unwrap_or_default();
                let length = end(body, first);
                let close = body.get(length..).is_some_and(|after| after.starts_with(first));
                self.at = at.saturating_add(length).saturating_add(1).saturating_add(usize::from(close));
                return Some((to_u64(at), Token::Text(unescaped(body.get(..length).unwrap_or_default()))));
            }
            let length = if is_word(first) {
                rest.find(|letter| !is_word(letter)).unwrap_or(rest.len())
            } else {
                first.len_utf8()
            };
            self.at = at.saturating_add(length);
            if is_word(first) {
                return Some((to_u64(at), Token::Word(rest.get(..length)?)));
            }
        }
    }
}

/// Where the string that `body` begins with ends: at its quote, or where the
/// line does.
fn end(body: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, letter) in body.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '\n' => return at,
            _ if letter == quote => return at,
            _ => {}
        }
    }
    body.len()
}

/// The text with octal, hexadecimal and Unicode escapes undone.
fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            out.push(letter);
            continue;
        }
        let Some(kind) = letters.next() else { break };
        let (radix, most, mut value) = match kind {
            '0'..='7' => (8, 2, kind.to_digit(8).unwrap_or_default()),
            'x' | 'X' => (16, 2, 0),
            'u' => (16, 4, 0),
            'U' => (16, 8, 0),
            _ => {
                out.push(match kind {
                    'n' => '\n',
                    't' => '\t',
                    'r' => '\r',
                    other => other,
                });
                continue;
            }
        };
        for _ in 0..most {
            let Some(digit) = letters.peek().and_then(|digit| digit.to_digit(radix)) else { break };
            value = value.saturating_mul(radix).saturating_add(digit);
            letters.next();
        }
        out.push(char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER));
    }
    Cow::Owned(out)
}
