//! Where each kind of picture ends, by its own structure.

use crate::engine::Cx;
use crate::input::{Cursor, Input};
use crate::stop::Stop;

/// PNG (ISO 15948): chunks up to `IEND`.
pub(super) fn png(input: &Input, cx: &mut Cx<'_, '_>) -> Result<u64, Stop> {
    let mut cursor = Cursor::at(input, 8);
    loop {
        cx.charge(1, cursor.position())?;
        let length = cursor.u32_be()?;
        let kind: [u8; 4] = cursor.array()?;
        cursor.skip(u64::from(length).saturating_add(4))?;
        if &kind == b"IEND" {
            return Ok(cursor.position());
        }
    }
}

/// JPEG (ITU-T T.81): segments, entropy-coded data after SOS, up to EOI.
pub(super) fn jpeg(input: &Input, cx: &mut Cx<'_, '_>) -> Result<u64, Stop> {
    let mut cursor = Cursor::at(input, 2);
    loop {
        cx.charge(1, cursor.position())?;
        if cursor.u8()? != 0xff {
            continue;
        }
        let marker = loop {
            let byte = cursor.u8()?;
            if byte != 0xff {
                break byte;
            }
        };
        match marker {
            0xd9 => return Ok(cursor.position()),
            // Stuffing and restart markers stand alone.
            0 | 1 | 0xd0..=0xd8 => {}
            _ => {
                let length = cursor.array::<2>().map(u16::from_be_bytes)?;
                cursor.skip(u64::from(length.saturating_sub(2)))?;
            }
        }
    }
}

/// GIF89a: blocks up to the trailer.
pub(super) fn gif(input: &Input, cx: &mut Cx<'_, '_>) -> Result<u64, Stop> {
    let mut cursor = Cursor::at(input, 10);
    let flags = cursor.u8()?;
    cursor.skip(2)?;
    table(&mut cursor, flags)?;
    loop {
        cx.charge(1, cursor.position())?;
        match cursor.u8()? {
            0x3b => return Ok(cursor.position()),
            0x21 => {
                cursor.skip(1)?;
                blocks(&mut cursor, cx)?;
            }
            0x2c => {
                cursor.skip(8)?;
                let flags = cursor.u8()?;
                table(&mut cursor, flags)?;
                cursor.skip(1)?;
                blocks(&mut cursor, cx)?;
            }
            0 => {}
            _ => return Err(Stop::malformed(cursor.position(), "not a block of a GIF")),
        }
    }
}

fn table(cursor: &mut Cursor<'_>, flags: u8) -> Result<(), Stop> {
    if flags & 0x80 != 0 {
        cursor.skip(3 << (u32::from(flags & 7).saturating_add(1)))?;
    }
    Ok(())
}

fn blocks(cursor: &mut Cursor<'_>, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    loop {
        cx.charge(1, cursor.position())?;
        let length = cursor.u8()?;
        if length == 0 {
            return Ok(());
        }
        cursor.skip(u64::from(length))?;
    }
}

/// RIFF: one chunk, its length rounded up to even. Longer forms of video
/// append further chunks, which are part of the file.
pub(super) fn riff(input: &Input) -> Result<u64, Stop> {
    let mut cursor = Cursor::new(input);
    let mut end = 0;
    while cursor.remaining() >= 8 {
        let kind: [u8; 4] = cursor.array()?;
        if &kind != b"RIFF" {
            break;
        }
        let length = u64::from(cursor.u32_le()?);
        // Streaming writers leave the length open.
        if length == 0 || length >= u64::from(u32::MAX).saturating_sub(8) {
            return Ok(input.len());
        }
        let padded = length.saturating_add(length & 1);
        if padded > cursor.remaining() {
            if length <= cursor.remaining() {
                return Ok(input.len());
            }
            return Err(Stop::Truncated { offset: input.len(), needed: padded.saturating_sub(cursor.remaining()) });
        }
        cursor.skip(padded)?;
        end = cursor.position();
    }
    Ok(end)
}

/// BMP: the length in its header.
pub(super) fn bmp(input: &Input) -> Result<u64, Stop> {
    let length = u64::from(Cursor::at(input, 2).u32_le()?);
    // Many writers leave it zero or wrong by the padding.
    Ok(if length < 26 || length > input.len() { input.len() } else { length })
}
