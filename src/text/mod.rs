//! What text of any kind may carry, shared by the formats that are text:
//! character encodings, encoded payloads, credentials, shell commands.

#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::string_slice,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

pub(crate) mod config;
pub(crate) mod digits;
pub(crate) mod encoded;
pub(crate) mod pattern;
pub(crate) mod secrets;
pub(crate) mod shell;

use std::borrow::Cow;

use crate::input::Input;
use crate::stop::Stop;

/// How the bytes of a text stand for characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// UTF-8, with or without a byte order mark.
    Utf8,
    /// UTF-16 with a byte order mark, least significant byte first or last.
    Utf16 {
        /// Most significant byte first.
        big_endian: bool,
    },
    /// One byte a character, or an Asian encoding that has no control
    /// characters either: readable as Latin-1 for what is looked for here.
    Bytes,
}

/// Shortest content that is taken for text of an unknown 8-bit encoding:
/// random bytes this long without a single control character have odds of
/// less than one in two thousand.
const UNKNOWN_ENCODING_FROM: usize = 64;

/// The encoding of `bytes`, when they are text at all. `bytes` may be the
/// beginning or the end of something longer; `named` says that the file's name
/// is one of a text.
pub(crate) fn encoding(bytes: &[u8], named: bool) -> Option<Encoding> {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        let big_endian = bytes.starts_with(b"\xfe\xff");
        let text = utf16(bytes, big_endian);
        return (controls(text.as_bytes()) == 0 && !text.contains(char::REPLACEMENT_CHARACTER))
            .then_some(Encoding::Utf16 { big_endian });
    }
    let found = controls(bytes);
    // Vocabularies list stray control characters; nothing textual holds NUL.
    let tolerated = if named { bytes.len() / 200 } else { 0 };
    if found > tolerated || memchr::memchr(0, bytes).is_some() {
        return None;
    }
    if is_utf8(bytes) {
        return Some(Encoding::Utf8);
    }
    (named || bytes.len() >= UNKNOWN_ENCODING_FROM).then_some(Encoding::Bytes)
}

/// Whether `bytes` are UTF-8 but for a character cut at either end.
fn is_utf8(bytes: &[u8]) -> bool {
    let from = bytes.iter().take(3).take_while(|byte| (0x80..0xc0).contains(*byte)).count();
    match std::str::from_utf8(bytes.get(from..).unwrap_or_default()) {
        Ok(_) => from == 0 || bytes.len() > 3,
        Err(error) => error.error_len().is_none() && error.valid_up_to() > 0,
    }
}

/// Control characters that no text has: all but tab, line ends, form feed,
/// backspace and the escape of terminal colours.
fn controls(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| matches!(byte, 0..=7 | 0x0b | 0x0e..=0x1a | 0x1c..=0x1f)).count()
}

fn utf16(bytes: &[u8], big_endian: bool) -> String {
    let units = bytes.get(2..).unwrap_or_default().chunks_exact(2).map(|pair| match pair {
        [a, b] if big_endian => u16::from_be_bytes([*a, *b]),
        [a, b] => u16::from_le_bytes([*a, *b]),
        _ => 0,
    });
    char::decode_utf16(units).map(|char| char.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

/// The characters of `bytes`; whatever their encoding, nothing is left out.
pub(crate) fn decode(bytes: &[u8]) -> Cow<'_, str> {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Cow::Owned(utf16(bytes, bytes.starts_with(b"\xfe\xff")));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(bytes.iter().map(|byte| char::from(*byte)).collect()),
    }
}

/// A whole source text of at most `bound` bytes.
///
/// # Errors
/// [`Stop::Limit`] naming `source-bytes` when it is longer.
pub(crate) fn source(input: &Input, bound: u64) -> Result<Vec<u8>, Stop> {
    if input.len() > bound {
        return Err(Stop::Limit { offset: bound, limit: "source-bytes" });
    }
    input.all(bound)
}

/// Keeps a limit as a gap. A text is always read as text too, so that a reader
/// that only may be right would otherwise leave no trace of having given up.
///
/// # Errors
/// Any other [`Stop`].
pub(crate) fn keep_limit<T: Default>(outcome: Result<T, Stop>, cx: &mut crate::engine::Cx<'_, '_>) -> Result<T, Stop> {
    match outcome {
        Err(stop @ Stop::Limit { .. }) => {
            cx.gap(&stop);
            Ok(T::default())
        }
        other => other,
    }
}

/// At most `chars` characters of `text`, on one line.
pub(crate) fn excerpt(text: &str, chars: usize) -> String {
    let mut short = String::new();
    let mut taken = 0_usize;
    for word in text.split_whitespace() {
        if taken > 0 {
            short.push(' ');
        }
        for char in word.chars() {
            if taken >= chars {
                short.push('…');
                return short;
            }
            short.push(char);
            taken = taken.saturating_add(1);
        }
        taken = taken.saturating_add(1);
    }
    short
}
