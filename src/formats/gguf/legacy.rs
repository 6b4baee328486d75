//! The formats before GGUF: `ggml`, `ggmf`, `ggjt` and LoRA's `ggla`.
//!
//! They hold numbers and strings only. `ggmf`, `ggjt` and `ggla` have one
//! layout each and are walked; plain `ggml` has as many as there were programs.

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::{About, Format, Head, Match};
use crate::input::{Cursor, Input};
use crate::stop::Stop;

use super::types;

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
            reads: "GGMF, GGJT and GGLA: parameters, vocabulary and every tensor's place; GGML: its magic",
            leaves_out: "the layout of unversioned GGML files, which differs by model, and the numbers in tensors",
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
            _ => return Ok(()),
        }
        while !cursor.is_at_end() {
            tensor(&mut cursor, padded, cx)?;
        }
        Ok(())
    }
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
    let name_length = cursor.u32_le()?;
    let kind = cursor.u32_le()?;
    if !(1..=4).contains(&n_dims) {
        let detail = format!("{n_dims} dimensions");
        cx.push(Evidence::new(Kind::HeaderField, "dimensions", Span::at(at)).with("detail", detail.clone()));
        return Err(Stop::malformed(at, format!("a tensor with {detail}")));
    }
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
    let Some(size) = size else {
        return Err(Stop::malformed(at, "a tensor of more than 64 bits of bytes"));
    };
    cursor.skip(size)
}
