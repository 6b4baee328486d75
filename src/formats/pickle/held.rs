//! Pickles that a stream holds as plain bytes or text, of which nothing in it
//! is loaded: whoever unpacks the value loads them next. They are examined as
//! what is carried, unless a call of the stream has been followed into them.

use std::collections::BTreeSet;

use super::machine::Machine;
use super::opcodes::{self as op, DryRun};
use super::value::Value;
use super::wrapped::{self, LOOK, ROUNDS};
use crate::engine::Cx;
use crate::input::{Input, to_u64, to_usize};
use crate::stop::Stop;
use crate::text::encoded;

/// Length of the shortest pickle that imports something worth a call.
const SHORTEST: u64 = 12;

/// Bytes of a constant that say whether it is worth a second look.
const GLANCE: usize = 256;

/// Length of a line that is passed over.
const LINE: usize = 1 << 20;

/// Opcodes that fit the stack, one after the other, and are no chance.
const OPCODES: u32 = 16_384;

/// Places that wait for the end of the stream, where it is known what its
/// calls have led to.
const WAITING: usize = 4096;

/// Constants that may be pickles.
#[derive(Debug, Default)]
pub(super) struct Held {
    waiting: Vec<Constant>,
    /// Those that a call has been followed into, by the place of their opcode.
    followed: BTreeSet<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Constant {
    /// Where its opcode stands.
    opcode: u64,
    content: Content,
    is_text: bool,
}

#[derive(Debug, Clone, Copy)]
enum Content {
    /// As it stands in the stream.
    Raw { start: u64, length: u64 },
    /// A line with escapes.
    Line,
}

impl Machine<'_> {
    /// Keeps the constant in mind whose `length` bytes come next, when it may
    /// be a pickle.
    #[inline]
    pub(super) fn glance(&mut self, length: u64, is_text: bool, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        if length < SHORTEST || is_text && length < to_u64(encoded::SHORTEST) {
            return Ok(());
        }
        self.glance_longer(length, is_text, cx)
    }

    fn glance_longer(&mut self, length: u64, is_text: bool, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        self.cursor.fill(to_usize(length).min(GLANCE))?;
        let held = self.cursor.buffered();
        let head = held.get(..to_usize(length).min(GLANCE).min(held.len())).unwrap_or_default();
        if !wrapped::is_worth_a_look(head, is_text) {
            return Ok(());
        }
        let content = Content::Raw { start: self.cursor.position(), length };
        self.keep(Constant { opcode: self.at, content, is_text }, cx)
    }

    /// The same for the STRING or UNICODE that was just read.
    pub(super) fn glance_at_line(&mut self, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        if self.cursor.position().saturating_sub(self.at) < SHORTEST {
            return Ok(());
        }
        let Some(content) = self.line_of(self.at) else { return Ok(()) };
        let is_text = self.input.bytes(self.at, 1, 1)?.first() == Some(&op::UNICODE);
        let head = content.get(..content.len().min(GLANCE)).unwrap_or_default();
        if !wrapped::is_worth_a_look(head, is_text) {
            return Ok(());
        }
        self.keep(Constant { opcode: self.at, content: Content::Line, is_text }, cx)
    }

    fn keep(&mut self, constant: Constant, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        self.held.waiting.push(constant);
        if self.held.waiting.len() >= WAITING { self.open_held(cx) } else { Ok(()) }
    }

    /// A call was followed into the constant `value`.
    pub(super) fn followed_into(&mut self, value: Value) {
        use super::value::Kind;
        if let Kind::Str(opcode) | Kind::Bytes(opcode) | Kind::Bytearray(opcode) = value.kind() {
            self.held.followed.insert(opcode);
        }
    }

    /// Examines the pickles among the constants that were kept in mind.
    ///
    /// # Errors
    /// When no more artifacts may be examined.
    pub(super) fn open_held(&mut self, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        for constant in std::mem::take(&mut self.held.waiting) {
            if self.held.followed.contains(&constant.opcode) {
                continue;
            }
            // What the stream promises and the file does not have is told by
            // whoever reads it.
            let input = match constant.content {
                Content::Raw { start, length } => self.input.window(start, length).ok(),
                Content::Line => self.line_of(constant.opcode).map(Input::from),
            };
            let Some(input) = input else { continue };
            cx.charge(8, constant.opcode)?;
            if is_pickle(&input)? || wrapped::is_packed(&head_of(&input)?) || holds_more(&input)? {
                cx.carried(&format!("bytes carried as data @ {:#x}", constant.opcode), input)?;
                continue;
            }
            let Some(decoded) = self.decoded(&input, constant, cx)? else { continue };
            cx.carried(&format!("text carried as data @ {:#x} (decoded)", constant.opcode), decoded.into())?;
        }
        Ok(())
    }

    /// The pickle that a constant encodes.
    fn decoded(&self, input: &Input, constant: Constant, cx: &mut Cx<'_, '_>) -> Result<Option<Vec<u8>>, Stop> {
        let bound = self.limits.memory_bytes;
        if input.len() > bound {
            if wrapped::is_worth_a_look(&head_of(input)?, constant.is_text) {
                cx.gap(&Stop::Limit { offset: constant.opcode, limit: "memory-bytes" });
            }
            return Ok(None);
        }
        let mut waiting = vec![(input.all(bound)?, ROUNDS)];
        while let Some((bytes, rounds)) = waiting.pop() {
            cx.charge(to_u64(bytes.len() / 64), constant.opcode)?;
            let shown = bytes.get(..bytes.len().min(GLANCE)).unwrap_or_default();
            for step in wrapped::steps(shown, constant.is_text && rounds == ROUNDS) {
                // The first bytes tell whether all are worth it.
                let leads = step.undo(shown, to_u64(LOOK)).is_some_and(|head| wrapped::leads(&head, rounds));
                let Some(next) = leads.then(|| step.undo(&bytes, self.limits.folded_bytes)).flatten() else { continue };
                let decoded = Input::from(next.as_slice());
                if is_pickle(&decoded)? || wrapped::is_packed(&next) || holds_more(&decoded)? {
                    return Ok(Some(next));
                }
                if let Some(rounds) = rounds.checked_sub(1) {
                    waiting.push((next, rounds));
                }
            }
        }
        Ok(None)
    }
}

fn head_of(input: &Input) -> Result<Vec<u8>, Stop> {
    input.bytes(0, input.len().min(to_u64(LOOK)), to_u64(LOOK))
}

/// Whether a whole pickle that imports something stands here: nothing else
/// fits so well, and one that imports nothing does nothing.
fn is_pickle(input: &Input) -> Result<bool, Stop> {
    let head = head_of(input)?;
    let mut run = op::dry_run(&head);
    if !run.broken && !run.stopped && run.length < input.len() {
        run = op::dry_run_of(input, OPCODES);
    }
    Ok(is_program(&run, &head))
}

/// Whether a pickle that imports nothing stands here, and holds what may be
/// another.
fn holds_more(input: &Input) -> Result<bool, Stop> {
    let mut cursor = input.cursor();
    let (mut opcodes, mut found) = (0, false);
    if !matches!(cursor.peek(2), Ok([op::PROTO, 0..=5])) {
        return Ok(false);
    }
    while opcodes < OPCODES {
        let Ok(code) = cursor.u8() else { break };
        let Some(layout) = op::argument(code) else { return Ok(false) };
        let passed = match layout {
            op::Argument::Fixed(n) => cursor.skip(u64::from(n)),
            op::Argument::Line => cursor.until(b'\n', LINE).map(drop),
            op::Argument::TwoLines => return Ok(false),
            op::Argument::Counted(_) | op::Argument::SignedCounted => {
                let length = match op::counted_length(&mut cursor, layout) {
                    Ok(length) => length,
                    Err(_) => break,
                };
                cursor.fill(to_usize(length).min(GLANCE))?;
                let head = cursor.buffered();
                let head = head.get(..to_usize(length).min(GLANCE).min(head.len())).unwrap_or_default();
                let is_text = matches!(code, op::SHORT_BINUNICODE | op::BINUNICODE | op::BINUNICODE8);
                found |= length >= SHORTEST && wrapped::is_worth_a_look(head, is_text);
                cursor.skip(length)
            }
        };
        if passed.is_err() || code == op::STOP || found {
            break;
        }
        opcodes = opcodes.saturating_add(1);
    }
    Ok(found)
}

pub(super) fn is_program(run: &DryRun, head: &[u8]) -> bool {
    let certain = matches!(head, [op::PROTO, 0..=5, ..]) || run.names >= 2 && run.odd_names == 0;
    let goes_on = run.opcodes >= OPCODES && !run.broken;
    run.imports > 0 && certain && (run.stopped || run.calls > 0 || goes_on)
}
