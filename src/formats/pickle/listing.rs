//! A listing of the opcodes, for `weighin inspect --opcodes`.

use std::fmt::Write as _;

use super::constants::long_text;
use super::opcodes::{self as op, Argument};
use crate::input::{Cursor, Input, to_u64, to_usize};
use crate::limits::Limits;
use crate::report::sanitise;
use crate::stop::Stop;

/// Characters of one argument that are shown.
const SHOWN: usize = 120;

/// Every opcode with its offset and argument, one a line; as JSON Lines when
/// `json`. Ends where decoding does, and says why.
pub fn disassemble(input: &Input, limits: &Limits, json: bool) -> String {
    let mut out = String::new();
    let mut cursor = input.cursor();
    let most = to_usize(limits.header_bytes);
    while !cursor.is_at_end() {
        let at = cursor.position();
        let read = one(&mut cursor);
        let ended = read.is_err();
        let line = match read {
            Ok((name, argument)) if json => {
                serde_json::json!({ "offset": at, "opcode": name, "argument": argument }).to_string()
            }
            Ok((name, argument)) => format!("{at:#010x}  {name:<16} {}", sanitise(&argument)),
            Err(stop) if json => serde_json::json!({ "offset": at, "stop": stop.to_string() }).to_string(),
            Err(stop) => format!("{at:#010x}  {stop}"),
        };
        let _ = writeln!(out, "{line}");
        if ended || out.len() > most {
            break;
        }
    }
    out
}

fn one(cursor: &mut Cursor<'_>) -> Result<(&'static str, String), Stop> {
    let at = cursor.position();
    let code = cursor.u8()?;
    let (Some(name), Some(layout)) = (op::name(code), op::argument(code)) else {
        return Err(Stop::malformed(at, format!("invalid opcode {code:#04x}")));
    };
    let argument = match layout {
        Argument::Fixed(0) => String::new(),
        Argument::Fixed(n) => number(code, cursor.take(usize::from(n))?),
        Argument::Line => shown(cursor.until(b'\n', 1 << 20)?),
        Argument::TwoLines => {
            let module = shown(cursor.until(b'\n', 1 << 20)?);
            format!("{module} {}", shown(cursor.until(b'\n', 1 << 20)?))
        }
        Argument::Counted(_) | Argument::SignedCounted => {
            let length = op::counted_length(cursor, layout)?;
            if matches!(code, op::LONG1 | op::LONG4) && length <= to_u64(SHOWN) {
                return Ok((name, long_text(cursor.take(to_usize(length))?)));
            }
            let seen = length.min(to_u64(SHOWN));
            let text = shown(cursor.peek(to_usize(seen.min(cursor.remaining())))?);
            cursor.skip(length)?;
            if length > seen { format!("{text}… ({length} bytes)") } else { text }
        }
    };
    Ok((name, argument))
}

fn number(code: u8, bytes: &[u8]) -> String {
    match (code, <[u8; 8]>::try_from(bytes), <[u8; 4]>::try_from(bytes)) {
        (op::BINFLOAT, Ok(bytes), _) => format!("{:?}", f64::from_be_bytes(bytes)),
        (op::BININT, _, Ok(bytes)) => i32::from_le_bytes(bytes).to_string(),
        _ => bytes.iter().rev().fold(0_u64, |value, byte| value.wrapping_shl(8) | u64::from(*byte)).to_string(),
    }
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.get(..SHOWN).unwrap_or(bytes)).into_owned()
}
