//! The formats before GGUF: `ggml`, `ggmf`, `ggjt` and LoRA's `ggla`.
//!
//! They hold numbers and strings only. `ggmf`, `ggjt` and `ggla` have one
//! layout each and are walked; plain `ggml` has as many as there were programs,
//! and is walked by the one that fits to the end.

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::{About, Format, Head, Match};
use crate::input::{Cursor, Input};
use crate::stop::Stop;

use super::types;

/// Dimensions that a tensor may have: `GGML_MAX_DIMS`.
const DIMENSIONS: std::ops::RangeInclusive<u32> = 1..=4;

/// The reader of what came before GGUF.
pub struct Ggml;

impl Format for Ggml {
    fn name(&self) -> &'static str {
        "ggml"
    }

    fn about(&self) -> About {
        About {
            title: "GGML, GGMF, GGJT and GGLA, as llama.cpp and whisper.cpp read them",
            extensions: &[".ggml", ".bin"],
            reads: "parameters, vocabulary and every tensor's place",
            leaves_out: "the numbers in tensors",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        // 32-bit numbers in little-endian order, so the letters are reversed.
        let magics: [&[u8]; 4] = [b"lmgg", b"fmgg", b"tjgg", b"algg"];
        if magics.iter().any(|magic| head.starts_with(magic)) { Match::Magic } else { Match::No }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let mut cursor = input.cursor();
        let magic = cursor.array::<4>()?;
        let padded = &magic != b"fmgg";
        match &magic {
            b"fmgg" | b"tjgg" => {
                let version = cursor.u32_le()?;
                if !(1..=3).contains(&version) {
                    return Err(Stop::unsupported(4, format!("GGJT version {version}")));
                }
                vocabulary(&mut cursor, cx)?;
            }
            b"algg" => {
                // Version, rank and alpha of the adapter.
                cursor.skip(12)?;
            }
            _ => return unversioned(input, cx),
        }
        while !cursor.is_at_end() {
            tensor(&mut cursor, padded, cx)?;
        }
        Ok(())
    }
}

/// Most parameters that a program wrote; whisper.cpp had 11.
const MOST_PARAMETERS: u64 = 12;

/// A file of before there were versions. How many parameters stand at its
/// beginning, and whether spectrogram filters (whisper.cpp) and the number of
/// words (gpt-2) follow, is for the program to know: the layout by which all
/// fits to the last byte is taken.
fn unversioned(input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    for parameters in 4..=MOST_PARAMETERS {
        for (filters, counted) in [(false, true), (false, false), (true, true)] {
            match fits(input, parameters, filters, counted, cx) {
                Ok(()) => return Ok(()),
                Err(stop @ (Stop::Limit { .. } | Stop::Unreadable { .. })) => return Err(stop),
                Err(_) => {}
            }
        }
    }
    Err(Stop::unsupported(4, "an unversioned GGML file that is cut short, or of a layout that is not known"))
}

/// Walks to the end by one layout; an error says that it is not this one.
fn fits(input: &Input, parameters: u64, filters: bool, counted: bool, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    let mut cursor = input.cursor();
    cursor.skip(4)?;
    let mut words = cursor.u32_le()?;
    cursor.skip(parameters.saturating_sub(1).saturating_mul(4))?;
    if filters {
        let (rows, columns) = (cursor.u32_le()?, cursor.u32_le()?);
        cursor.skip(u64::from(rows).saturating_mul(u64::from(columns)).saturating_mul(4))?;
    }
    if counted {
        words = cursor.u32_le()?;
    }
    for _ in 0..words {
        cx.charge(1, cursor.position())?;
        let length = cursor.u32_le()?;
        cursor.skip(u64::from(length))?;
    }
    if cursor.is_at_end() {
        return Err(Stop::malformed(cursor.position(), "no tensors"));
    }
    while !cursor.is_at_end() {
        let at = cursor.position();
        cx.charge(1, at)?;
        let n_dims = cursor.u32_le()?;
        if !DIMENSIONS.contains(&n_dims) {
            return Err(Stop::malformed(at, "no tensor"));
        }
        let size = described(&mut cursor, n_dims, false, at)?;
        cursor.skip(size)?;
    }
    Ok(())
}

/// Seven parameters, of which the first counts the words that follow.
fn vocabulary(cursor: &mut Cursor<'_>, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    let words = cursor.u32_le()?;
    cursor.skip(24)?;
    if u64::from(words).saturating_mul(8) > cursor.remaining() {
        let detail = format!("{words} words announced, and {} bytes left", cursor.remaining());
        cx.push(Evidence::new(Kind::HeaderField, "vocabulary", Span::at(8)).with("detail", detail));
    }
    for _ in 0..words {
        cx.charge(1, cursor.position())?;
        let length = cursor.u32_le()?;
        cursor.skip(u64::from(length))?;
        cursor.skip(4)?;
    }
    Ok(())
}

fn tensor(cursor: &mut Cursor<'_>, padded: bool, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    let at = cursor.position();
    cx.charge(1, at)?;
    let n_dims = cursor.u32_le()?;
    if !DIMENSIONS.contains(&n_dims) {
        let detail = format!("{n_dims} dimensions");
        cx.push(Evidence::new(Kind::HeaderField, "dimensions", Span::at(at)).with("detail", detail.clone()));
        return Err(Stop::malformed(at, format!("a tensor with {detail}")));
    }
    let size = described(cursor, n_dims, padded, at)?;
    cursor.skip(size)
}

/// What follows the number of dimensions of the tensor at `at`, up to its data;
/// the bytes that these take.
fn described(cursor: &mut Cursor<'_>, n_dims: u32, padded: bool, at: u64) -> Result<u64, Stop> {
    let name_length = cursor.u32_le()?;
    let kind = cursor.u32_le()?;
    let mut elements: u64 = 1;
    for _ in 0..n_dims {
        let n = cursor.u32_le()?;
        elements = match elements.checked_mul(u64::from(n)) {
            Some(elements) => elements,
            None => return Err(Stop::malformed(at, "a tensor's dimensions multiply to more than 64 bits")),
        };
    }
    cursor.skip(u64::from(name_length))?;
    if padded {
        let position = cursor.position();
        cursor.seek(position.checked_next_multiple_of(32).unwrap_or(position));
    }
    let Some((block, bytes)) = types::block(kind) else {
        return Err(Stop::unsupported(at, format!("the tensor type {kind}")));
    };
    let size = elements.checked_div(block).and_then(|blocks| blocks.checked_mul(bytes));
    size.ok_or_else(|| Stop::malformed(at, "a tensor of more than 64 bits of bytes"))
}
