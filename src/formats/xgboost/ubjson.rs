//! Universal Binary JSON (ubjson.org, draft 12) as XGBoost writes it, read in
//! order and without recursion.

use crate::engine::Cx;
use crate::input::{Cursor, Input, to_u64, to_usize};
use crate::stop::Stop;

use super::model::{Model, Piece};

/// Whether `bytes` begin an object whose first key is one of a model's.
pub(super) fn looks_like_model(bytes: &[u8]) -> bool {
    let key = match bytes {
        [b'{', b'L', 0, 0, 0, 0, 0, 0, 0, len, rest @ ..]
        | [b'{', b'l', 0, 0, 0, len, rest @ ..]
        | [b'{', b'I', 0, len, rest @ ..]
        | [b'{', b'i' | b'U', len, rest @ ..] => rest.get(..usize::from(*len)),
        _ => None,
    };
    key.is_some_and(|key| [&b"learner"[..], b"version", b"Config", b"Model"].contains(&key))
}

/// An open container.
struct Open {
    object: bool,
    /// Elements left, when it was counted.
    left: Option<u64>,
    /// The marker of every element, when it was typed.
    typed: Option<u8>,
}

/// Reads one document into `model`.
pub(super) fn read(input: &Input, model: &mut Model, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    let mut cursor = input.cursor();
    let mut stack: Vec<Open> = Vec::new();
    let mut begun = false;
    loop {
        let offset = cursor.position();
        cx.charge(1, offset)?;
        if let Some(open) = stack.last_mut() {
            let ends = match open.left {
                Some(0) => true,
                Some(left) => {
                    open.left = Some(left.saturating_sub(1));
                    false
                }
                None => {
                    let end = if open.object { b'}' } else { b']' };
                    let at_end = cursor.peek(1)?.first() == Some(&end);
                    if at_end {
                        cursor.skip(1)?;
                    }
                    at_end
                }
            };
            if ends {
                stack.pop();
                model.piece(Piece::End, offset, cx);
                continue;
            }
            if open.object {
                let marker = cursor.u8()?;
                let text = text(&mut cursor, marker, cx)?;
                model.piece(Piece::Key(&text), offset, cx);
            }
        } else if begun {
            break;
        }
        begun = true;
        let marker = match stack.last().and_then(|open| open.typed) {
            Some(marker) => marker,
            None => cursor.u8()?,
        };
        match marker {
            b'{' | b'[' => {
                if to_u64(stack.len()) >= cx.limits().nesting {
                    return Err(Stop::Limit { offset, limit: "nesting" });
                }
                let mut open = container(&mut cursor, marker == b'{')?;
                if let (false, Some(left), Some(typed)) = (open.object, open.left, open.typed) {
                    // Arrays of floats, and of values that take no bytes, hold nothing to look at.
                    let size = match typed {
                        b'd' => Some(4),
                        b'D' => Some(8),
                        b'Z' | b'T' | b'F' | b'N' => Some(0),
                        _ => None,
                    };
                    if let Some(size) = size {
                        cursor.skip(left.saturating_mul(size))?;
                        open.left = Some(0);
                    }
                }
                let piece = if open.object { Piece::BeginObject } else { Piece::BeginArray };
                model.piece(piece, offset, cx);
                stack.push(open);
            }
            b'S' | b'H' => {
                let marker = cursor.u8()?;
                let text = text(&mut cursor, marker, cx)?;
                model.piece(Piece::Text(&text), offset, cx);
            }
            b'i' | b'U' | b'I' | b'l' | b'L' | b'C' => {
                let number = integer(&mut cursor, marker)?;
                model.piece(Piece::Integer(number), offset, cx);
            }
            b'd' => cursor.skip(4)?,
            b'D' => cursor.skip(8)?,
            b'Z' | b'T' | b'F' => model.piece(Piece::Other, offset, cx),
            b'N' => {}
            _ => return Err(Stop::malformed(offset, "a byte that is no UBJSON marker")),
        }
    }
    if cursor.is_at_end() {
        return Ok(());
    }
    cx.behind("behind the UBJSON document", input, cursor.position())?;
    Err(Stop::malformed(cursor.position(), "content behind the UBJSON document"))
}

/// The optional type and count behind a container's marker.
fn container(cursor: &mut Cursor<'_>, object: bool) -> Result<Open, Stop> {
    let mut typed = None;
    let mut left = None;
    if cursor.peek(1)?.first() == Some(&b'$') {
        cursor.skip(1)?;
        typed = Some(cursor.u8()?);
    }
    if cursor.peek(1)?.first() == Some(&b'#') {
        cursor.skip(1)?;
        let marker = cursor.u8()?;
        left = Some(length(cursor, marker)?);
    } else if typed.is_some() {
        return Err(Stop::malformed(cursor.position(), "a UBJSON container with a type and no count"));
    }
    Ok(Open { object, left, typed })
}

fn integer(cursor: &mut Cursor<'_>, marker: u8) -> Result<i64, Stop> {
    Ok(match marker {
        b'i' => i64::from(i8::from_be_bytes(cursor.array()?)),
        b'U' | b'C' => i64::from(cursor.u8()?),
        b'I' => i64::from(i16::from_be_bytes(cursor.array()?)),
        b'l' => i64::from(cursor.i32_be()?),
        b'L' => i64::from_be_bytes(cursor.array()?),
        _ => return Err(Stop::malformed(cursor.position(), "a UBJSON length of an unknown type")),
    })
}

fn length(cursor: &mut Cursor<'_>, marker: u8) -> Result<u64, Stop> {
    let offset = cursor.position();
    u64::try_from(integer(cursor, marker)?).map_err(|_| Stop::malformed(offset, "a negative UBJSON length"))
}

fn text(cursor: &mut Cursor<'_>, marker: u8, cx: &Cx<'_, '_>) -> Result<String, Stop> {
    let length = length(cursor, marker)?;
    let held = cursor.sub(length)?;
    let bound = cx.limits().string_bytes;
    let bytes = held.prefix(bound).all(bound)?;
    debug_assert!(bytes.len() <= to_usize(bound), "bounded above");
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
