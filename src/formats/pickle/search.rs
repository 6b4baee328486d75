//! Where the next pickle of a file begins, padding and junk passed over: a
//! program may seek past what no linear reader expects.

use super::{Pickle, opcodes};
use crate::engine::Cx;
use crate::formats::{Format as _, Head, Match};
use crate::input::{Cursor, Input, to_u64};
use crate::limits::WINDOW_BYTES;
use crate::stop::Stop;

/// Bytes that a candidate is judged by.
const LOOK: usize = 16 * 1024;

/// Opcodes that fit the stack, one after the other, and are no chance.
const OPCODES: u32 = 16_384;

/// The offset of the next pickle at or after `from`; nothing when there is
/// none.
///
/// # Errors
/// When the input can't be read, or its work is used up.
pub(super) fn next_stream(input: &Input, from: u64, cx: &mut Cx<'_, '_>) -> Result<Option<u64>, Stop> {
    if is_pickle(input, from)? {
        return Ok(Some(from));
    }
    // Padding first: what follows it may be of any protocol.
    let after_padding = skip_padding(input, from, cx)?;
    if after_padding > from && is_pickle(input, after_padding)? {
        return Ok(Some(after_padding));
    }
    next_program(input, after_padding, cx)
}

/// The offset of the next stream of protocol 1 or above that imports and calls,
/// among arbitrary bytes.
///
/// # Errors
/// When the input can't be read, or its work is used up.
pub(super) fn next_program(input: &Input, from: u64, cx: &mut Cx<'_, '_>) -> Result<Option<u64>, Stop> {
    let mut position = from;
    let mut block = vec![0; WINDOW_BYTES];
    while position < input.len() {
        let held = input.read_at(position, &mut block)?;
        let bytes = block.get(..held).unwrap_or_default();
        cx.charge(to_u64(held) / 1024, position)?;
        for (at, code) in bytes.iter().enumerate() {
            if !STARTS.contains(code) || !may_begin(bytes.get(at..).unwrap_or_default()) {
                continue;
            }
            cx.charge(8, position)?;
            let place = position.saturating_add(to_u64(at));
            let ahead = bytes.get(at..at.saturating_add(LOOK).min(held)).unwrap_or_default();
            // Near the end of what was read, what follows counts too.
            let whole = ahead.len() == LOOK || position.saturating_add(to_u64(held)) >= input.len();
            let begins = if whole { begins_program(input, place, ahead)? } else { is_program(input, place)? };
            if begins {
                return Ok(Some(place));
            }
        }
        // The last bytes are looked at again, with what follows them.
        let again = if position.saturating_add(to_u64(held)) < input.len() { 2 * NAMED } else { 0 };
        position = position.saturating_add(to_u64(held.saturating_sub(again).max(1)));
    }
    Ok(None)
}

fn head_at(input: &Input, at: u64) -> Result<Vec<u8>, Stop> {
    let length = input.len().saturating_sub(at).min(to_u64(LOOK));
    input.bytes(at, length, to_u64(LOOK))
}

fn is_pickle(input: &Input, at: u64) -> Result<bool, Stop> {
    let first = head_at(input, at)?;
    let head = Head { first: &first, last: &[], len: input.len().saturating_sub(at), name: "" };
    Ok(Pickle.recognise(&head) > Match::No)
}

/// Among arbitrary bytes, only a stream that imports, and that stops or calls,
/// is taken for one; and one that goes on for longer than is looked at.
pub(super) fn is_program(input: &Input, at: u64) -> Result<bool, Stop> {
    begins_program(input, at, &head_at(input, at)?)
}

/// The same of a place whose first bytes are `first`.
fn begins_program(input: &Input, at: u64, first: &[u8]) -> Result<bool, Stop> {
    let run = opcodes::dry_run(first);
    if run.broken || run.stopped || at.saturating_add(run.length) >= input.len() {
        return Ok(run.imports > 0 && run.calls > 0 && !run.broken);
    }
    let run = opcodes::dry_run_of(&input.tail(at), OPCODES);
    Ok(run.opcodes >= OPCODES || run.imports > 0 && run.calls > 0 && (run.stopped || !run.broken))
}

fn skip_padding(input: &Input, from: u64, cx: &mut Cx<'_, '_>) -> Result<u64, Stop> {
    let mut cursor = Cursor::at(input, from);
    loop {
        cursor.fill(1)?;
        let buffered = cursor.buffered();
        if buffered.is_empty() {
            return Ok(cursor.position());
        }
        let padding =
            buffered.iter().take_while(|byte| matches!(byte, 0 | 0xff | b' ' | b'\n' | b'\r' | b'\t')).count();
        let all = padding == buffered.len();
        cx.charge(to_u64(padding) / 1024, cursor.position())?;
        cursor.skip(to_u64(padding))?;
        if !all {
            return Ok(cursor.position());
        }
    }
}

/// Bytes that a place in the middle of a stream is judged by.
const CONTINUES: usize = 1024;

/// Where a stream that was left goes on, among bytes that are none of it: the
/// first place at or after `from` that imports and calls.
///
/// # Errors
/// When the input can't be read, or its work is used up.
pub(super) fn continuation(input: &Input, from: u64, cx: &mut Cx<'_, '_>) -> Result<Option<u64>, Stop> {
    let mut position = from;
    let mut block = vec![0; WINDOW_BYTES];
    while position < input.len() {
        let held = input.read_at(position, &mut block)?;
        let bytes = block.get(..held).unwrap_or_default();
        let last = position.saturating_add(to_u64(held)) >= input.len();
        // What begins near the end is looked at again, with what follows it.
        let whole = if last { held } else { held.saturating_sub(CONTINUES).max(1) };
        for at in 0..whole {
            let Some(from) = bytes.get(at..at.saturating_add(CONTINUES).min(held)) else { break };
            if from.first().is_none_or(|code| opcodes::argument(*code).is_none()) {
                continue;
            }
            // A stack that what was passed over left behind is not there, so
            // that a dry run ends early; what it saw until then counts.
            let run = opcodes::dry_run(from);
            let place = position.saturating_add(to_u64(at));
            cx.charge(u64::from(run.opcodes), place)?;
            if run.imports > 0 && run.calls > 0 && run.names >= 2 && run.odd_names == 0 {
                return Ok(Some(place));
            }
        }
        position = position.saturating_add(to_u64(whole));
    }
    Ok(None)
}

/// The longest name that is looked for.
const NAMED: usize = 128;

/// Opcodes that a stream is looked for by.
const STARTS: [u8; 5] =
    [opcodes::PROTO, opcodes::GLOBAL, opcodes::SHORT_BINUNICODE, opcodes::BINUNICODE, opcodes::SHORT_BINSTRING];

/// Whether a stream may begin so: PROTO, or, where that was left out, an
/// import: the names of a module and of something in it, each to the end of its
/// line, or each a string, and then the opcode.
fn may_begin(bytes: &[u8]) -> bool {
    match bytes.split_first() {
        Some((&opcodes::PROTO, rest)) => matches!(rest.first(), Some(0..=5)),
        Some((&opcodes::GLOBAL, rest)) => line(rest).and_then(line).is_some(),
        Some(_) => {
            let end = string(bytes).and_then(string).and_then(<[u8]>::first);
            end == Some(&opcodes::STACK_GLOBAL)
        }
        None => false,
    }
}

/// What follows the string at the start of `bytes`, and its place in the memo.
fn string(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = match bytes {
        [opcodes::SHORT_BINUNICODE | opcodes::SHORT_BINSTRING, length, rest @ ..] => (usize::from(*length), rest),
        [opcodes::BINUNICODE, length, 0, 0, 0, rest @ ..] => (usize::from(*length), rest),
        _ => return None,
    };
    let (name, rest) = rest.split_at_checked(length)?;
    let rest = match rest {
        [opcodes::MEMOIZE, rest @ ..]
        | [opcodes::BINPUT, _, rest @ ..]
        | [opcodes::LONG_BINPUT, _, _, _, _, rest @ ..] => rest,
        rest => rest,
    };
    is_name(name).then_some(rest)
}

fn is_name(name: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
    name.first().is_some_and(|first| !first.is_ascii_digit()) && name.iter().all(plain)
}

/// What follows the name at the start of `bytes`.
fn line(bytes: &[u8]) -> Option<&[u8]> {
    let end = memchr::memchr(b'\n', bytes.get(..bytes.len().min(NAMED)).unwrap_or_default())?;
    is_name(bytes.get(..end)?).then(|| bytes.get(end.saturating_add(1)..).unwrap_or_default())
}
