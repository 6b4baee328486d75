//! Torch7 (`.t7`, `torch.save` of Lua Torch): tables and objects in a binary
//! stream (torch7 `File.lua`). Functions in it are Lua bytecode, which runs when
//! something calls them.

use std::collections::BTreeSet;

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::{About, Format, Head, Match};
use crate::input::{Cursor, Input, to_u64};
use crate::stop::Stop;

/// Type tags of `File.lua`.
const NIL: i32 = 0;
const NUMBER: i32 = 1;
const STRING: i32 = 2;
const TABLE: i32 = 3;
const TORCH: i32 = 4;
const BOOLEAN: i32 = 5;
const FUNCTION: i32 = 6;
const LEGACY_RECURSIVE_FUNCTION: i32 = 7;
const RECURSIVE_FUNCTION: i32 = 8;

/// The format.
#[derive(Debug)]
pub struct Torch7;

impl Format for Torch7 {
    fn name(&self) -> &'static str {
        "torch7"
    }

    fn about(&self) -> About {
        About {
            title: "Torch7 serialization (Lua Torch, binary)",
            extensions: &[".t7"],
            reads: "every table, object and function of the stream",
            leaves_out: "what Lua bytecode does; the ASCII form",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        // An object with index 1 and a version string, `V 1`.
        if head.starts_with(&[4, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, b'V', b' ']) {
            return Match::Magic;
        }
        // A table with index 1 whose first key is a string, or a number.
        if head.starts_with(&[3, 0, 0, 0, 1, 0, 0, 0]) && matches!(head.first.get(12..16), Some([1 | 2, 0, 0, 0])) {
            return Match::Likely;
        }
        if head.is_named(&[".t7"]) { Match::Name } else { Match::No }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let mut cursor = input.cursor();
        let mut seen: BTreeSet<i32> = BTreeSet::new();
        let mut functions = 0_u64;
        // Objects that are still to be read in each open container.
        let mut open: Vec<u64> = vec![1];
        while let Some(left) = open.last_mut() {
            if *left == 0 {
                open.pop();
                continue;
            }
            *left = left.saturating_sub(1);
            let offset = cursor.position();
            cx.charge(1, offset)?;
            if to_u64(seen.len()) > cx.limits().nodes {
                return Err(Stop::Limit { offset, limit: "nodes" });
            }
            let kind = cursor.i32_le()?;
            let inside = match kind {
                NIL => 0,
                NUMBER => {
                    cursor.skip(8)?;
                    0
                }
                BOOLEAN => {
                    cursor.skip(4)?;
                    0
                }
                STRING => {
                    string(&mut cursor)?;
                    0
                }
                TABLE | TORCH | FUNCTION | LEGACY_RECURSIVE_FUNCTION | RECURSIVE_FUNCTION => {
                    if seen.insert(cursor.i32_le()?) {
                        if !matches!(kind, TABLE | TORCH) {
                            functions = functions.saturating_add(1);
                            if functions == 1 {
                                cx.evidence(Kind::LanguageObject, "lua-function", Span::at(offset));
                            }
                        }
                        contents(&mut cursor, kind, offset, cx)?
                    } else {
                        0
                    }
                }
                _ => return Err(Stop::malformed(offset, format!("{kind} is no type of Torch7"))),
            };
            if inside > 0 {
                if to_u64(open.len()) >= cx.limits().nesting {
                    return Err(Stop::Limit { offset, limit: "nesting" });
                }
                open.push(inside);
            }
        }
        if cursor.is_at_end() {
            return Ok(());
        }
        cx.behind("behind the Torch7 object", input, cursor.position())?;
        Err(Stop::malformed(cursor.position(), "content behind the Torch7 object"))
    }
}

fn string(cursor: &mut Cursor<'_>) -> Result<Input, Stop> {
    let offset = cursor.position();
    let length = u64::try_from(cursor.i32_le()?).map_err(|_| Stop::malformed(offset, "a negative length"))?;
    cursor.sub(length)
}

/// Reads what an object begins with; how many objects it holds.
fn contents(cursor: &mut Cursor<'_>, kind: i32, offset: u64, cx: &mut Cx<'_, '_>) -> Result<u64, Stop> {
    match kind {
        TABLE => {
            let size = cursor.i32_le()?;
            let size = u64::try_from(size).map_err(|_| Stop::malformed(offset, "a negative length"))?;
            Ok(size.saturating_mul(2))
        }
        TORCH => {
            let first = string(cursor)?.prefix(64).all(64)?;
            // Files before versions were introduced have the class's name at once.
            let class = if first.starts_with(b"V ") { string(cursor)?.prefix(200).all(200)? } else { first };
            object(cursor, &String::from_utf8_lossy(&class), offset, cx)
        }
        _ => {
            // The bytecode, and a table of the values that the function closes over.
            string(cursor)?;
            Ok(1)
        }
    }
}

fn object(cursor: &mut Cursor<'_>, class: &str, offset: u64, cx: &mut Cx<'_, '_>) -> Result<u64, Stop> {
    let element = |name: &str| match name {
        "Byte" | "Char" => Some(1),
        "Short" | "Half" | "CudaHalf" => Some(2),
        "Int" | "Float" | "Cuda" | "CudaInt" => Some(4),
        "Long" | "Double" | "CudaDouble" | "CudaLong" => Some(8),
        "CudaByte" | "CudaChar" => Some(1),
        "CudaShort" => Some(2),
        _ => None,
    };
    let name = class.strip_prefix("torch.").unwrap_or(class);
    if let Some(size) = name.strip_suffix("Storage").and_then(element) {
        let count = cursor.u64_le()?;
        cursor.skip(count.saturating_mul(size))?;
        return Ok(0);
    }
    if name.strip_suffix("Tensor").and_then(element).is_some() {
        let dimensions = cursor.i32_le()?;
        let dimensions = u64::try_from(dimensions).ok().filter(|dimensions| *dimensions <= 64);
        let dimensions = dimensions.ok_or_else(|| Stop::malformed(offset, "a tensor of too many dimensions"))?;
        // Sizes and strides, then the offset of the first element; the storage is an object.
        cursor.skip(dimensions.saturating_mul(16).saturating_add(8))?;
        return Ok(1);
    }
    if class == "tds.Hash" || class == "tds.Vec" {
        let count = cursor.i32_le()?;
        let count = u64::try_from(count).unwrap_or_default();
        return Ok(if class == "tds.Hash" { count.saturating_mul(2) } else { count });
    }
    if !class.starts_with("nn.")
        && !class.starts_with("torch.")
        && !class.starts_with("cudnn.")
        && !class.starts_with("cunn.")
    {
        let shown = cx.shorten(class);
        let evidence = Evidence::new(Kind::LanguageObject, "lua-class", Span::at(offset));
        cx.push(evidence.with("detail", shown.clone()).with("name", shown));
    }
    // Every other class writes a table of its fields.
    Ok(1)
}
