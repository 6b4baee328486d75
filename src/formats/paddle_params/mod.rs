//! PaddlePaddle parameters as `LoDTensor` streams: `.pdiparams` and the files of
//! the old format (`paddle/fluid/framework/lod_tensor.cc`, `tensor_util.cc`).
//! `.pdparams` are pickles and are read as such.

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::{About, Format, Head, Match};
use crate::input::Input;
use crate::stop::Stop;

/// Longest `TensorDesc`: a type and some dimensions.
const DESCRIPTION: u64 = 4096;

/// The format.
#[derive(Debug)]
pub struct PaddleParams;

impl Format for PaddleParams {
    fn name(&self) -> &'static str {
        "paddle-params"
    }

    fn about(&self) -> About {
        About {
            title: "PaddlePaddle parameters (LoDTensor streams)",
            extensions: &[".pdiparams"],
            reads: "the description of every tensor",
            leaves_out: "the numbers",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        // Version 0, no levels, version 0 again, a short description that begins with its type.
        match head.first {
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, length, 0, 0, 0, 0x08, kind, 0x10 | 0x12, ..]
                if (2..=120).contains(length) && *kind <= 32 =>
            {
                Match::Magic
            }
            _ if head.is_named(&[".pdiparams"]) => Match::Name,
            _ => Match::No,
        }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let mut cursor = input.cursor();
        while !cursor.is_at_end() {
            let offset = cursor.position();
            cx.charge(1, offset)?;
            if cursor.u32_le()? != 0 {
                if offset > 0 {
                    cx.behind("behind the tensors", input, offset)?;
                }
                return Err(Stop::malformed(offset, "a LoDTensor of an unknown version"));
            }
            let levels = cursor.u64_le()?;
            if levels > 64 {
                return Err(Stop::malformed(offset, "a LoDTensor of too many levels"));
            }
            for _ in 0..levels {
                let length = cursor.u64_le()?;
                cursor.skip(length)?;
            }
            cursor.skip(4)?;
            let length = u64::from(cursor.u32_le()?);
            if length > DESCRIPTION {
                return Err(Stop::malformed(offset, "a tensor description that is too long"));
            }
            let description = cursor.sub(length)?;
            let Some(size) = size(&description)? else {
                let evidence = Evidence::new(Kind::TensorLayout, "overflow", Span::at(offset));
                cx.push(
                    evidence
                        .with("tensor", format!("@ {offset:#x}"))
                        .with("detail", "the dimensions multiply beyond 64 bits"),
                );
                return Err(Stop::malformed(offset, "a tensor whose size can't be told"));
            };
            cursor.skip(size)?;
        }
        Ok(())
    }
}

/// Bytes of the tensor that a `VarType.TensorDesc` describes: field 1 is the
/// type, field 2 the dimensions.
fn size(description: &Input) -> Result<Option<u64>, Stop> {
    let mut cursor = description.cursor();
    let mut size = Some(1_u64);
    let mut each = 4;
    while !cursor.is_at_end() {
        match cursor.varint()? {
            0x08 => {
                each = match cursor.varint()? {
                    0 | 20 | 21 | 32 | 33 => 1,
                    1 | 4 | 22 => 2,
                    3 | 6 | 19 | 23 => 8,
                    24 => 16,
                    _ => 4,
                }
            }
            0x10 => {
                let dimension = cursor.varint()?;
                size = size.and_then(|size| size.checked_mul(dimension));
            }
            0x12 => {
                let length = cursor.varint()?;
                let packed = cursor.sub(length)?;
                let mut packed = packed.cursor();
                while !packed.is_at_end() {
                    let dimension = packed.varint()?;
                    size = size.and_then(|size| size.checked_mul(dimension));
                }
            }
            _ => return Err(Stop::malformed(cursor.position(), "an unknown field in a tensor description")),
        }
    }
    Ok(size.and_then(|size| size.checked_mul(each)))
}
