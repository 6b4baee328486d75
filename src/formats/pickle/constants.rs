//! Constants, read again from where their opcode stands.

use super::opcodes::{self as op, Argument};
use super::value::{Kind, Node, Value};
use crate::formats::pickle::machine::Machine;
use crate::input::{Cursor, to_usize};
use crate::stop::Stop;

impl Machine<'_> {
    /// The argument bytes of the opcode at `offset`, at most `bound` of them.
    fn argument_bytes(&self, offset: u64, bound: u64) -> Result<(u8, Vec<u8>), Stop> {
        let mut cursor = Cursor::at(self.input, offset);
        let code = cursor.u8()?;
        let layout = op::argument(code).ok_or_else(|| Stop::malformed(offset, "not a constant"))?;
        let bytes = match layout {
            Argument::Fixed(n) => cursor.take(usize::from(n))?.to_vec(),
            Argument::Line | Argument::TwoLines => cursor.until(b'\n', to_usize(bound))?.to_vec(),
            Argument::Counted(_) | Argument::SignedCounted => {
                let length = op::counted_length(&mut cursor, layout)?;
                self.input.bytes(cursor.position(), length, bound)?
            }
        };
        Ok((code, bytes))
    }

    /// The text of a string value, when it is known and not above the limit.
    pub(super) fn text_of(&self, value: Value) -> Option<String> {
        self.text_within(value, self.limits.string_bytes)
    }

    /// The same, when it is written in at most `bound` bytes.
    pub(super) fn text_within(&self, value: Value, bound: u64) -> Option<String> {
        match value.kind() {
            Kind::Str(offset) => {
                let (code, bytes) = self.argument_bytes(offset, bound).ok()?;
                Some(match code {
                    op::STRING => lossy(&unescape(strip_quotes(&bytes), false)),
                    op::UNICODE => String::from_utf8_lossy(&unescape(&bytes, true)).into_owned(),
                    op::BINSTRING | op::SHORT_BINSTRING => lossy(&bytes),
                    _ => String::from_utf8_lossy(&bytes).into_owned(),
                })
            }
            Kind::Node(_) => match self.arena.get(value) {
                Some(Node::Text(index)) => self.arena.texts.get(usize::try_from(*index).ok()?).cloned(),
                _ => None,
            },
            _ => None,
        }
    }

    /// The content of the STRING or UNICODE at `opcode`, unescaped.
    pub(super) fn line_of(&self, opcode: u64) -> Option<Vec<u8>> {
        let (code, bytes) = self.argument_bytes(opcode, self.limits.memory_bytes).ok()?;
        match code {
            op::STRING => Some(unescape(strip_quotes(&bytes), false)),
            op::UNICODE => Some(unescape(&bytes, true)),
            _ => None,
        }
    }

    /// The content of a bytes-like value, or of a protocol-0 string as the
    /// loader's `encoding="bytes"` sees it.
    pub(super) fn bytes_of(&self, value: Value) -> Option<Vec<u8>> {
        match value.kind() {
            Kind::Bytes(offset) | Kind::Bytearray(offset) => {
                self.argument_bytes(offset, self.limits.folded_bytes).ok().map(|(_, bytes)| bytes)
            }
            Kind::Node(_) => match self.arena.get(value) {
                Some(Node::Blob(index)) => self.arena.blobs.get(usize::try_from(*index).ok()?).cloned(),
                _ => None,
            },
            _ => None,
        }
    }

    /// Where the bytes of a constant stand in the stream.
    pub(super) fn bytes_span(&self, value: Value) -> Option<(u64, u64)> {
        let (Kind::Bytes(offset) | Kind::Bytearray(offset)) = value.kind() else { return None };
        let mut cursor = Cursor::at(self.input, offset);
        let layout = op::argument(cursor.u8().ok()?)?;
        let length = op::counted_length(&mut cursor, layout).ok()?;
        Some((cursor.position(), length))
    }

    /// An integer that fits 64 bits.
    pub(super) fn int_of(&self, value: Value) -> Option<i64> {
        match value.kind() {
            Kind::Int(number) => Some(number),
            Kind::Bool(flag) => Some(i64::from(flag)),
            Kind::Long(offset) => {
                let (code, bytes) = self.argument_bytes(offset, 64).ok()?;
                match code {
                    op::INT => parse_int(&bytes, Digits::Int),
                    op::LONG => parse_int(&bytes, Digits::Long),
                    _ => little_endian(&bytes),
                }
            }
            _ => None,
        }
    }

    /// A number as Python would write it, for reports.
    pub(super) fn number_text(&self, value: Value) -> Option<String> {
        match value.kind() {
            Kind::Int(number) => Some(number.to_string()),
            Kind::Long(offset) => {
                let (code, bytes) = self.argument_bytes(offset, 64).ok()?;
                Some(match code {
                    op::INT | op::LONG => {
                        let reading = if code == op::INT { Digits::Int } else { Digits::Long };
                        match parse_int(&bytes, reading) {
                            Some(number) => number.to_string(),
                            None => String::from_utf8_lossy(&bytes).trim_end_matches('L').to_owned(),
                        }
                    }
                    _ => long_text(&bytes),
                })
            }
            Kind::Float(offset) => {
                let (code, bytes) = self.argument_bytes(offset, 64).ok()?;
                let number = if code == op::FLOAT {
                    std::str::from_utf8(bytes.split(|byte| *byte == 0).next()?).ok()?.parse().ok()?
                } else {
                    f64::from_be_bytes(bytes.try_into().ok()?)
                };
                Some(format!("{number:?}"))
            }
            _ => None,
        }
    }
}

/// `LONG1` and `LONG4`: two's complement, little-endian, any length.
fn little_endian(bytes: &[u8]) -> Option<i64> {
    if bytes.len() > 8 {
        return None;
    }
    let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
    let mut wide = [if negative { 0xff } else { 0 }; 8];
    wide.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(i64::from_le_bytes(wide))
}

/// `LONG1` and `LONG4` of any length, as Python writes a small one and in hex
/// when it is large.
pub(super) fn long_text(bytes: &[u8]) -> String {
    if let Some(number) = little_endian(bytes) {
        return number.to_string();
    }
    let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
    let mut carry = negative;
    let mut digits = String::new();
    for byte in bytes {
        let mut byte = if negative { !byte } else { *byte };
        (byte, carry) = byte.overflowing_add(u8::from(carry));
        digits.insert_str(0, &format!("{byte:02x}"));
    }
    let sign = if negative { "-" } else { "" };
    let digits = match digits.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    };
    format!("{sign}0x{digits}")
}

/// Which reading of a line of digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Digits {
    /// `INT`: `strtol` with base 0, else `PyLong_FromString` with base 0.
    Int,
    /// `LONG`: `PyLong_FromString` with base 0, behind which an `L` may stand.
    Long,
    /// `GET` and `PUT`: `PyLong_FromString` with base 10.
    Index,
}

/// Sign, base and digits of a line, the way CPython reads it: white space
/// around, underscores within, and nothing behind a NUL.
pub(super) fn digits(line: &[u8], reading: Digits) -> Option<(bool, u32, String)> {
    let line = match reading {
        Digits::Long => line.strip_suffix(b"L").unwrap_or(line),
        Digits::Int | Digits::Index => line,
    };
    let text = std::str::from_utf8(line.split(|byte| *byte == 0).next()?).ok()?;
    let text = text.trim_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(unsigned) => (true, unsigned),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = unsigned.to_ascii_lowercase();
    let prefixed = [("0x", 16), ("0o", 8), ("0b", 2)];
    let prefixed = prefixed.iter().filter(|_| reading != Digits::Index);
    let (radix, digits) =
        match prefixed.into_iter().find_map(|(prefix, radix)| Some((*radix, lower.strip_prefix(prefix)?))) {
            Some(found) => found,
            None if lower.starts_with('0') && lower.len() > 1 => match reading {
                Digits::Int => (8, lower.as_str()),
                Digits::Index => (10, lower.as_str()),
                // Only zeros may follow.
                Digits::Long => (1, lower.as_str()),
            },
            None => (10, lower.as_str()),
        };
    let digits = digits.replace('_', "");
    let fits = |c: char| if radix == 1 { c == '0' } else { c.is_digit(radix) };
    (!digits.is_empty() && digits.chars().all(fits)).then_some((negative, radix.max(2), digits))
}

/// The number that a line of digits is, when it fits 64 bits.
pub(super) fn parse_int(line: &[u8], reading: Digits) -> Option<i64> {
    let (negative, radix, digits) = digits(line, reading)?;
    let magnitude = i64::from_str_radix(&digits, radix).ok()?;
    if negative { magnitude.checked_neg() } else { Some(magnitude) }
}

/// Each byte as the character of its number: what Latin-1 decoding gives, and
/// ASCII where that is all there is.
fn lossy(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    }
}

fn strip_quotes(bytes: &[u8]) -> &[u8] {
    match bytes {
        [b'\'', inner @ .., b'\''] | [b'"', inner @ .., b'"'] => inner,
        other => other,
    }
}

/// Python's escapes: of string literals (`\n`, `\x41`, `\101`), or of
/// raw-unicode-escape (`\u0041` and `\U00000041` only) when `raw`.
pub(super) fn unescape(bytes: &[u8], raw: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'\\' {
            if raw && *first >= 0x80 {
                // raw-unicode-escape text is Latin-1; the result is UTF-8.
                push_char(&mut out, u32::from(*first));
            } else {
                out.push(*first);
            }
            continue;
        }
        let Some((escape, after)) = rest.split_first() else {
            out.push(b'\\');
            break;
        };
        let digits = match (raw, *escape) {
            (true, b'u') => Some((4, 16)),
            (true, b'U') => Some((8, 16)),
            (false, b'x') => Some((2, 16)),
            _ => None,
        };
        if let Some((count, radix)) = digits {
            let code = after.get(..count).and_then(|digits| std::str::from_utf8(digits).ok());
            if let Some(code) = code.and_then(|digits| u32::from_str_radix(digits, radix).ok()) {
                if raw {
                    push_char(&mut out, code);
                } else {
                    out.extend(u8::try_from(code).ok());
                }
                rest = after.get(count..).unwrap_or_default();
                continue;
            }
        }
        if raw {
            out.push(b'\\');
            continue;
        }
        if matches!(escape, b'0'..=b'7') {
            let count = rest.iter().take(3).take_while(|byte| matches!(byte, b'0'..=b'7')).count();
            let code = rest.get(..count).and_then(|digits| std::str::from_utf8(digits).ok());
            if let Some(code) = code.and_then(|digits| u32::from_str_radix(digits, 8).ok()) {
                out.extend(code.to_le_bytes().first());
            }
            rest = rest.get(count..).unwrap_or_default();
            continue;
        }
        let plain = match escape {
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'a' => 7,
            b'b' => 8,
            b'f' => 12,
            b'v' => 11,
            b'\\' | b'\'' | b'"' => *escape,
            _ => {
                out.push(b'\\');
                *escape
            }
        };
        if *escape != b'\n' {
            out.push(plain);
        }
        rest = after;
    }
    out
}

fn push_char(out: &mut Vec<u8>, code: u32) {
    let c = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}
