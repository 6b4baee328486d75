//! The bytes of a GGUF file, in `ggml/src/gguf.cpp`'s words.

use crate::engine::Cx;
use crate::input::{Cursor, Input, to_usize};
use crate::stop::Stop;

use super::types::{self, ARRAY, STRING};

/// Longest string and array that the loader reads (`GGUF_MAX_STRING_LENGTH`,
/// `GGUF_MAX_ARRAY_ELEMENTS`).
pub(super) const MAX_LENGTH: u64 = 1 << 30;

/// Strings of an array that are told: templates come by the handful, words of
/// a vocabulary by the thousand.
const STRINGS_TOLD: usize = 64;

/// A cursor that knows the file's version and byte order.
pub(super) struct Wire<'i> {
    pub cursor: Cursor<'i>,
    pub version: u32,
    pub big_endian: bool,
}

/// A metadata value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// A number, as far as it is whole and not negative.
    Number(Option<u64>),
    /// The bytes of a string: where and how many.
    String(u64, u64),
    /// Type of the elements, and how many.
    Array(u32, u64),
}

/// A metadata entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub at: u64,
    pub key: String,
    pub kind: u32,
    pub value: Value,
    /// An array within an array, which the loader refuses.
    pub nested: bool,
    /// The first strings of an array: where and how many bytes.
    pub strings: Vec<(u64, u64)>,
}

/// What a tensor's header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TensorInfo {
    pub at: u64,
    pub name: String,
    pub name_length: u64,
    pub ne: Vec<u64>,
    pub kind: u32,
    pub offset: u64,
}

impl Entry {
    /// Key, type and value, as a table shows them.
    pub(super) fn described(&self, input: &Input) -> Vec<serde_json::Value> {
        /// Bytes of a string that a table has room for, and more.
        const SHOWN: u64 = 4096;
        let (kind, value) = match self.value {
            Value::Number(bits) => (types::value_name(self.kind), self.number(bits.unwrap_or_default())),
            Value::String(at, length) => {
                let bytes = input.bytes(at, length.min(SHOWN), SHOWN).unwrap_or_default();
                (types::value_name(self.kind), String::from_utf8_lossy(&bytes).into())
            }
            Value::Array(of, count) => (format!("array of {}", types::value_name(of)), format!("{count} items").into()),
        };
        vec![self.key.clone().into(), kind.into(), value]
    }

    /// What the bits of a number mean; only those of its width are set.
    fn number(&self, bits: u64) -> serde_json::Value {
        let signed =
            |width: u32| bits.wrapping_shl(64_u32.saturating_sub(width)).cast_signed() >> 64_u32.saturating_sub(width);
        match self.kind {
            1 => signed(8).into(),
            3 => signed(16).into(),
            5 => signed(32).into(),
            // The shortest digits that give the same number, as ggml prints it.
            6 => u32::try_from(bits).map_or(0.0, f32::from_bits).to_string().parse::<f64>().ok().into(),
            7 => (bits != 0).into(),
            11 => bits.cast_signed().into(),
            12 => f64::from_bits(bits).into(),
            _ => bits.into(),
        }
    }
}

impl<'i> Wire<'i> {
    /// Reads the magic and the version.
    pub(super) fn open(input: &'i Input) -> Result<Self, Stop> {
        let mut cursor = input.cursor();
        cursor.skip(4)?;
        let version = cursor.u32_le()?;
        // As the loader tells it: the version of a file in the other byte
        // order has its low half empty.
        let big_endian = version != 0 && version.trailing_zeros() >= 16;
        let version = if big_endian { version.swap_bytes() } else { version };
        Ok(Self { cursor, version, big_endian })
    }

    pub(super) fn u32(&mut self) -> Result<u32, Stop> {
        if self.big_endian { self.cursor.u32_be() } else { self.cursor.u32_le() }
    }

    pub(super) fn u64(&mut self) -> Result<u64, Stop> {
        if self.big_endian { self.cursor.u64_be() } else { self.cursor.u64_le() }
    }

    /// A count, a length or a dimension: 32 bits in version 1, 64 after.
    pub(super) fn size(&mut self) -> Result<u64, Stop> {
        if self.version == 1 { self.u32().map(u64::from) } else { self.u64() }
    }

    /// The length of a string, within what the loader reads.
    fn length(&mut self) -> Result<u64, Stop> {
        let at = self.cursor.position();
        let length = self.size()?;
        if length > MAX_LENGTH {
            return Err(Stop::malformed(at, format!("a string of {length} bytes")));
        }
        Ok(length)
    }

    /// Where a string's bytes are and how many; passes over them.
    fn string(&mut self) -> Result<(u64, u64), Stop> {
        let length = self.length()?;
        let at = self.cursor.position();
        self.cursor.skip(length)?;
        Ok((at, length))
    }

    /// The text of a key or name, at most `bound` bytes of it.
    fn name(&mut self, bound: u64) -> Result<(String, u64), Stop> {
        let length = self.length()?;
        let at = self.cursor.position();
        if length > self.cursor.remaining() {
            return Err(Stop::Truncated {
                offset: self.cursor.input().len(),
                needed: length.saturating_sub(self.cursor.remaining()),
            });
        }
        let text = String::from_utf8_lossy(self.cursor.peek(to_usize(length.min(bound)))?).into_owned();
        self.cursor.seek(at.saturating_add(length));
        Ok((text, length))
    }

    /// One metadata entry.
    pub(super) fn entry(&mut self, cx: &mut Cx<'_, '_>) -> Result<Entry, Stop> {
        let at = self.cursor.position();
        let (key, _) = self.name(cx.limits().string_bytes)?;
        let kind_at = self.cursor.position();
        let kind = self.u32()?;
        let mut nested = false;
        let mut strings = Vec::new();
        let value = match kind {
            STRING => {
                let (at, length) = self.string()?;
                Value::String(at, length)
            }
            ARRAY => {
                let of = self.u32()?;
                let count = self.size()?;
                if count > MAX_LENGTH {
                    return Err(Stop::malformed(kind_at, format!("an array of {count} elements")));
                }
                nested = of == ARRAY;
                self.skip_array(of, count, &mut strings, cx)?;
                Value::Array(of, count)
            }
            _ => {
                let Some(width) = types::width(kind) else {
                    return Err(Stop::malformed(kind_at, format!("there is no metadata type {kind}")));
                };
                Value::Number(self.number(width)?)
            }
        };
        Ok(Entry { at, key, kind, value, nested, strings })
    }

    fn number(&mut self, width: u64) -> Result<Option<u64>, Stop> {
        Ok(match width {
            1 => Some(u64::from(self.cursor.u8()?)),
            2 => Some(u64::from(if self.big_endian { self.cursor.u16_be()? } else { self.cursor.u16_le()? })),
            4 => Some(u64::from(self.u32()?)),
            _ => Some(self.u64()?),
        })
    }

    /// Passes over an array's elements: at once when they have a fixed size.
    /// Arrays of arrays are followed with the counts kept aside, not by calls.
    fn skip_array(
        &mut self,
        of: u32,
        count: u64,
        strings: &mut Vec<(u64, u64)>,
        cx: &mut Cx<'_, '_>,
    ) -> Result<(), Stop> {
        let mut open: Vec<u64> = Vec::new();
        let (mut of, mut left) = (of, count);
        loop {
            let at = self.cursor.position();
            if let Some(width) = types::width(of) {
                let Some(bytes) = left.checked_mul(width) else {
                    return Err(Stop::malformed(
                        at,
                        format!("an array of {left} elements is larger than 64 bits count"),
                    ));
                };
                self.cursor.skip(bytes)?;
            } else if of == STRING {
                for _ in 0..left {
                    cx.charge(1, at)?;
                    let string = self.string()?;
                    if strings.len() < STRINGS_TOLD {
                        strings.push(string);
                    }
                }
            } else if of == ARRAY {
                cx.charge(1, at)?;
                if left > 0 {
                    if open.len() >= to_usize(cx.limits().nesting) {
                        return Err(Stop::Limit { offset: at, limit: "nesting" });
                    }
                    open.push(left.saturating_sub(1));
                    of = self.u32()?;
                    left = self.size()?;
                    continue;
                }
            } else {
                return Err(Stop::malformed(at, format!("there is no metadata type {of}")));
            }
            match open.last_mut() {
                None => return Ok(()),
                Some(0) => {
                    open.pop();
                    (of, left) = (ARRAY, 0);
                }
                Some(more) => {
                    *more = more.saturating_sub(1);
                    of = self.u32()?;
                    left = self.size()?;
                }
            }
        }
    }

    /// One tensor's header. More than 4 dimensions are refused by the loader;
    /// as many as are there are read so that what follows is in step.
    pub(super) fn tensor(&mut self, cx: &mut Cx<'_, '_>) -> Result<TensorInfo, Stop> {
        let at = self.cursor.position();
        let (name, name_length) = self.name(cx.limits().string_bytes)?;
        let dims_at = self.cursor.position();
        let n_dims = self.u32()?;
        if n_dims > 64 {
            return Err(Stop::malformed(dims_at, format!("tensor `{}` has {n_dims} dimensions", cx.shorten(&name))));
        }
        let mut ne = Vec::new();
        for _ in 0..n_dims {
            ne.push(self.size()?);
        }
        let kind = self.u32()?;
        let offset = self.u64()?;
        Ok(TensorInfo { at, name, name_length, ne, kind, offset })
    }
}
