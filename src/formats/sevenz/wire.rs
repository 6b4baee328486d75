//! The start of a 7z file, and the header that says how large the real header
//! is: enough to refuse what would not fit in memory.

use crate::input::{Cursor, Input};
use crate::limits::Limits;
use crate::stop::Stop;

pub(super) const SIGNATURE: &[u8] = b"7z\xbc\xaf\x27\x1c";
pub(super) const SIGNATURE_HEADER_LENGTH: u64 = 32;

// Property ids (7zFormat.txt, "Property IDs").
const END: u8 = 0x00;
const PACK_INFO: u8 = 0x06;
const UNPACK_INFO: u8 = 0x07;
const SIZE: u8 = 0x09;
const FOLDER: u8 = 0x0b;
const ENCODED_HEADER: u8 = 0x17;
const CODERS_UNPACK_SIZE: u8 = 0x0c;

/// The library keeps some 200 bytes for a file, and a header of this part of
/// `memory-bytes` can announce as many files as it has bytes.
const HEADER_SHARE: u64 = 16;

/// Checks the sizes of the headers. Returns where the archive ends.
pub(super) fn check(input: &Input, limits: &Limits) -> Result<u64, Stop> {
    let bound = limits.memory_bytes / HEADER_SHARE;
    let too_large = |offset| Stop::Limit { offset, limit: "memory-bytes" };
    let mut cursor = Cursor::at(input, 12);
    let offset = SIGNATURE_HEADER_LENGTH.saturating_add(cursor.u64_le()?);
    let size = cursor.u64_le()?;
    if size > bound {
        return Err(too_large(offset));
    }
    let header = input.bytes(offset, size, bound)?;
    let end = offset.saturating_add(size);
    if header.first() != Some(&ENCODED_HEADER) {
        return Ok(end);
    }
    let header = Input::from(header);
    let mut cursor = Cursor::at(&header, 1);
    let largest = unpack_size(&mut cursor, limits).map_err(|stop| stop.shifted(offset))?;
    if largest > bound { Err(too_large(offset)) } else { Ok(end) }
}

/// The largest size that the coders of an encoded header unpack to.
fn unpack_size(cursor: &mut Cursor<'_>, limits: &Limits) -> Result<u64, Stop> {
    expect(cursor, PACK_INFO)?;
    number(cursor)?; // pack position
    let streams = count(cursor, limits)?;
    expect(cursor, SIZE)?;
    for _ in 0..streams {
        number(cursor)?;
    }
    expect(cursor, END)?;
    expect(cursor, UNPACK_INFO)?;
    expect(cursor, FOLDER)?;
    let folders = count(cursor, limits)?;
    expect(cursor, 0)?; // not external
    let mut outputs: u64 = 0;
    for _ in 0..folders {
        outputs = outputs.saturating_add(folder(cursor, limits)?);
    }
    expect(cursor, CODERS_UNPACK_SIZE)?;
    let mut largest = 0;
    for _ in 0..outputs {
        largest = number(cursor)?.max(largest);
    }
    Ok(largest)
}

/// Passes over one folder; returns how many streams its coders put out.
fn folder(cursor: &mut Cursor<'_>, limits: &Limits) -> Result<u64, Stop> {
    let (mut inputs, mut outputs): (u64, u64) = (0, 0);
    for _ in 0..count(cursor, limits)? {
        let flags = cursor.u8()?;
        cursor.skip(u64::from(flags & 0x0f))?;
        let (more_in, more_out) =
            if flags & 0x10 == 0 { (1, 1) } else { (count(cursor, limits)?, count(cursor, limits)?) };
        inputs = inputs.saturating_add(more_in);
        outputs = outputs.saturating_add(more_out);
        if flags & 0x20 != 0 {
            let length = number(cursor)?;
            cursor.skip(length)?;
        }
    }
    let pairs = outputs.saturating_sub(1);
    let packed = inputs.saturating_sub(pairs);
    let numbers = pairs.saturating_mul(2).saturating_add(if packed > 1 { packed } else { 0 });
    for _ in 0..numbers {
        number(cursor)?;
    }
    Ok(outputs)
}

fn expect(cursor: &mut Cursor<'_>, id: u8) -> Result<(), Stop> {
    let at = cursor.position();
    if cursor.u8()? == id { Ok(()) } else { Err(Stop::malformed(at, "the encoded 7z header has another structure")) }
}

fn count(cursor: &mut Cursor<'_>, limits: &Limits) -> Result<u64, Stop> {
    let at = cursor.position();
    let count = number(cursor)?;
    if count > limits.artifacts { Err(Stop::Limit { offset: at, limit: "artifacts" }) } else { Ok(count) }
}

/// A number as 7z writes it: leading one bits of the first byte count the bytes
/// that follow, which are its low part.
fn number(cursor: &mut Cursor<'_>) -> Result<u64, Stop> {
    let first = cursor.u8()?;
    let extra = first.leading_ones();
    let mut value: u64 = 0;
    for at in 0..extra {
        value |= u64::from(cursor.u8()?) << at.saturating_mul(8);
    }
    if extra < 7 {
        let mask = 0x7f_u8.checked_shr(extra).unwrap_or(0);
        value |= u64::from(first & mask) << extra.saturating_mul(8);
    }
    Ok(value)
}
