//! The records of a tar archive: POSIX ustar and pax (IEEE 1003.1 `pax`),
//! GNU's extensions (`tar.h` of GNU tar), and what Python's `tarfile` makes of
//! both.

use crate::input::{Cursor, Input, to_usize};
use crate::stop::Stop;

/// Everything is counted in blocks of this size.
pub(super) const BLOCK: u64 = 512;
const BLOCK_LENGTH: usize = 512;

/// A member's header, in POSIX's words.
#[derive(Debug, Clone)]
pub(super) struct Header {
    pub name: Vec<u8>,
    pub mode: u64,
    pub size: u64,
    pub typeflag: u8,
    pub linkname: Vec<u8>,
    /// The checksum field fits the block.
    pub sound: bool,
    /// The size field holds a number.
    pub size_sound: bool,
    /// GNU's sparse map: `offset`, `numbytes` pairs; then the real size, and
    /// whether more map follows in blocks of its own.
    pub sparse: Vec<(u64, u64)>,
    pub real_size: u64,
    pub is_extended: bool,
}

/// A field as a slice; empty when the block is shorter, which it never is.
fn field(block: &[u8; BLOCK_LENGTH], at: usize, length: usize) -> &[u8] {
    block.get(at..at.saturating_add(length)).unwrap_or_default()
}

fn text(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// A number in octal, or in base 256 when the first bit is set; `None` when it
/// is neither, or negative.
fn number(field: &[u8]) -> Option<u64> {
    match field {
        [0x80, rest @ ..] => {
            rest.iter().try_fold(0_u64, |value, byte| value.checked_mul(256)?.checked_add(u64::from(*byte)))
        }
        [0xff, ..] => None,
        _ => {
            let digits = text(field).trim_ascii();
            if digits.is_empty() {
                return Some(0);
            }
            digits.iter().try_fold(0_u64, |value, byte| match byte {
                b'0'..=b'7' => value.checked_mul(8)?.checked_add(u64::from(byte.saturating_sub(b'0'))),
                _ => None,
            })
        }
    }
}

/// Whether the checksum fits: the sum of all bytes, those of the field itself
/// taken as spaces. Old writers summed signed bytes.
pub(super) fn is_sound(block: &[u8; BLOCK_LENGTH]) -> bool {
    let Some(announced) = number(field(block, 148, 8)) else { return false };
    let (mut unsigned, mut signed) = (0_u64, 0_i64);
    for (at, byte) in block.iter().enumerate() {
        let byte = if (148..156).contains(&at) { b' ' } else { *byte };
        unsigned = unsigned.saturating_add(u64::from(byte));
        signed = signed.saturating_add(i64::from(byte.cast_signed()));
    }
    announced == unsigned || i64::try_from(announced) == Ok(signed)
}

/// Whether the block has the mark of ustar, POSIX's or GNU's.
pub(super) fn is_ustar(block: &[u8]) -> bool {
    block.get(257..262) == Some(b"ustar")
}

/// The block at `offset`; `None` at the end of the input.
pub(super) fn block(input: &Input, offset: u64) -> Result<Option<[u8; BLOCK_LENGTH]>, Stop> {
    if offset >= input.len() {
        return Ok(None);
    }
    Cursor::at(input, offset).array().map(Some)
}

/// Reads a header block.
pub(super) fn header(block: &[u8; BLOCK_LENGTH]) -> Header {
    let typeflag = block.get(156).copied().unwrap_or(0);
    let gnu = field(block, 257, 8) == b"ustar  \0";
    let mut name = Vec::new();
    let prefix = text(field(block, 345, 155));
    if is_ustar(block) && !gnu && !prefix.is_empty() {
        name.extend_from_slice(prefix);
        name.push(b'/');
    }
    name.extend_from_slice(text(field(block, 0, 100)));
    let size = number(field(block, 124, 12));
    let mut sparse = Vec::new();
    if typeflag == b'S' {
        sparse.extend(pairs(field(block, 386, 96)));
    }
    Header {
        name,
        mode: number(field(block, 100, 8)).unwrap_or(0),
        size: size.unwrap_or(0),
        typeflag,
        linkname: text(field(block, 157, 100)).to_vec(),
        sound: is_sound(block),
        size_sound: size.is_some(),
        sparse,
        real_size: number(field(block, 483, 12)).unwrap_or(0),
        is_extended: typeflag == b'S' && block.get(482).is_some_and(|byte| *byte != 0),
    }
}

fn pairs(fields: &[u8]) -> impl Iterator<Item = (u64, u64)> {
    fields.chunks_exact(24).map_while(|pair| {
        let (offset, length) = pair.split_at_checked(12)?;
        if text(offset).is_empty() && text(length).is_empty() && offset.first() != Some(&0x80) {
            return None;
        }
        Some((number(offset)?, number(length)?))
    })
}

/// A block that continues the sparse map: its pairs, and whether one more follows.
pub(super) fn sparse_extension(block: &[u8; BLOCK_LENGTH]) -> (Vec<(u64, u64)>, bool) {
    (pairs(field(block, 0, 504)).collect(), block.get(504).is_some_and(|byte| *byte != 0))
}

/// The records of a pax header: `length key=value` lines. `None` stands for
/// one that is not well formed; nothing is read after it.
pub(super) fn pax(mut data: &[u8]) -> Vec<Option<(Vec<u8>, Vec<u8>)>> {
    let mut records = Vec::new();
    while data.first().is_some_and(|byte| *byte != 0) {
        let record = pax_record(data);
        match record {
            Some((key, value, rest)) => {
                records.push(Some((key.to_vec(), value.to_vec())));
                data = rest;
            }
            None => {
                records.push(None);
                break;
            }
        }
    }
    records
}

fn pax_record(data: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = data.iter().take(20).position(|byte| *byte == b' ')?;
    let length: u64 = std::str::from_utf8(data.get(..space)?).ok()?.parse().ok()?;
    let (record, rest) = data.split_at_checked(to_usize(length))?;
    let body = record.get(space.saturating_add(1)..)?.strip_suffix(b"\n")?;
    let equals = body.iter().position(|byte| *byte == b'=')?;
    let (key, value) = body.split_at_checked(equals)?;
    Some((key, value.get(1..)?, rest))
}
