//! Pickles that a stream holds as plain bytes or text, of which nothing in it
//! is loaded: whoever unpacks the value loads them next. They are examined as
//! what is carried, unless a call of the stream has been followed into them.

use std::collections::BTreeSet;
use std::io::Read as _;

use super::machine::Machine;
use super::opcodes::{self as op, DryRun};
use super::value::Value;
use crate::engine::Cx;
use crate::input::{Input, to_u64, to_usize};
use crate::stop::Stop;
use crate::text::encoded;

/// Length of the shortest pickle that imports something worth a call.
const SHORTEST: u64 = 12;

/// Bytes of a constant that say whether it is worth a second look.
const GLANCE: usize = 256;

/// Bytes that a pickle is told from chance by.
const LOOK: usize = 16 * 1024;

/// Length of a line that is passed over.
const LINE: usize = 1 << 20;

/// Opcodes that fit the stack, one after the other, and are no chance.
const OPCODES: u32 = 16_384;

/// Places that wait for the end of the stream, where it is known what its
/// calls have led to.
const WAITING: usize = 4096;

/// How often text is decoded over again.
const ROUNDS: u32 = 3;

/// How the texts begin that encode a pickle, or what is packed with zlib or
/// gzip, once or twice: the first digit of `80`, `c`, `i`, `(`, `]`, `}`, `78`
/// and `1f` in base64 and in hexadecimal, and of those digits in turn; and the
/// backslash of `\\x80`.
const FIRST_DIGITS: &[u8] = b"gYaKXfeHTbZWSMNO125678\\";

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
        if !is_worth_a_look(head, is_text) {
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
        if !is_worth_a_look(head, is_text) {
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
            if is_pickle(&input)? || is_packed(&head_of(&input)?) || holds_more(&input)? {
                cx.carried(&format!("bytes carried as data @ {:#x}", constant.opcode), input)?;
                continue;
            }
            let Some(decoded) = self.decoded(&input, constant, cx) else { continue };
            cx.carried(&format!("text carried as data @ {:#x} (decoded)", constant.opcode), decoded.into())?;
        }
        Ok(())
    }

    /// The pickle that a constant encodes.
    fn decoded(&self, input: &Input, constant: Constant, cx: &mut Cx<'_, '_>) -> Option<Vec<u8>> {
        let bound = self.limits.memory_bytes;
        if input.len() > bound {
            let begins = head_of(input).ok().and_then(|head| decode(&head)).is_some_and(|head| begins(&head));
            if begins {
                cx.gap(&Stop::Limit { offset: constant.opcode, limit: "memory-bytes" });
            }
            return None;
        }
        let mut bytes = input.all(bound).ok()?;
        for _ in 0..ROUNDS {
            bytes = match narrow(&bytes).filter(|_| constant.is_text) {
                Some(narrow) => narrow,
                None => decode(&bytes)?,
            };
            let decoded = Input::from(bytes.as_slice());
            if is_pickle(&decoded).ok()? || is_packed(&bytes) || holds_more(&decoded).ok()? {
                return Some(bytes);
            }
        }
        None
    }
}

fn head_of(input: &Input) -> Result<Vec<u8>, Stop> {
    input.bytes(0, input.len().min(to_u64(LOOK)), to_u64(LOOK))
}

/// Whether what begins with `head` may be a pickle, packed or encoded or
/// neither.
fn is_worth_a_look(head: &[u8], is_text: bool) -> bool {
    if is_text {
        let raw = narrow(head).is_some() || memchr::memchr(b'\n', head).is_some();
        if raw && begins(&narrow(head).unwrap_or_else(|| head.to_vec())) {
            return true;
        }
    } else if begins(head) {
        return true;
    }
    let Some(first) = head.get(..encoded::SHORTEST) else { return false };
    first.first().is_some_and(|byte| FIRST_DIGITS.contains(byte))
        && first.iter().all(is_digit)
        && decode(head).is_some_and(|bytes| begins(&bytes) || bytes.iter().all(is_digit))
}

/// Digits of what [`decode`] reads, and what stands between them.
fn is_digit(byte: &u8) -> bool {
    encoded::is_base64(*byte) || byte.is_ascii_whitespace() || matches!(byte, b'=' | b'\\')
}

/// Whether a pickle, or one that is packed, may begin so.
fn begins(head: &[u8]) -> bool {
    match head {
        [op::PROTO, 0..=5, next, ..] => op::argument(*next).is_some(),
        [0x1f, 0x8b, 8, ..] => true,
        _ if is_zlib(head) => true,
        // Without PROTO: an import comes early, or what there is fits.
        _ => {
            let run = op::dry_run(head);
            run.imports > 0 || !run.broken && !run.stopped && run.opcodes > 1
        }
    }
}

/// RFC 1950 2.2, as the format of that name knows it.
fn is_zlib(head: &[u8]) -> bool {
    matches!(head, [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..])
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
                found |= length >= SHORTEST && is_worth_a_look(head, is_text);
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

fn is_program(run: &DryRun, head: &[u8]) -> bool {
    let certain = matches!(head, [op::PROTO, 0..=5, ..]) || run.names >= 2 && run.odd_names == 0;
    let goes_on = run.opcodes >= OPCODES && !run.broken;
    run.imports > 0 && certain && (run.stopped || run.calls > 0 || goes_on)
}

/// Whether `bytes` begin a zlib or gzip stream with a pickle in it.
fn is_packed(bytes: &[u8]) -> bool {
    let mut head = Vec::new();
    let most = to_u64(LOOK);
    match bytes {
        [0x1f, 0x8b, 8, ..] => {
            flate2::read::GzDecoder::new(bytes).take(most).read_to_end(&mut head).ok();
        }
        _ if is_zlib(bytes) => {
            flate2::read::ZlibDecoder::new(bytes).take(most).read_to_end(&mut head).ok();
        }
        _ => return false,
    }
    let run = op::dry_run(&head);
    is_program(&run, &head) || !run.broken && !run.stopped && matches!(head.as_slice(), [op::PROTO, 0..=5, ..])
}

/// The bytes of text that has one character for each, as protocols below 3
/// write them; the last may be cut.
fn narrow(text: &[u8]) -> Option<Vec<u8>> {
    // All that begins as a pickle or a zlib stream has one of the first two
    // bytes beyond ASCII.
    if !matches!(text, [0xc2, ..] | [_, 0xc2 | 0xc3, ..]) {
        return None;
    }
    let valid = match std::str::from_utf8(text) {
        Ok(valid) => valid,
        Err(error) => std::str::from_utf8(text.get(..error.valid_up_to())?).ok()?,
    };
    valid.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect()
}

/// What base64 or hexadecimal digits encode.
fn decode(text: &[u8]) -> Option<Vec<u8>> {
    if !text.iter().all(is_digit) {
        return None;
    }
    if text.starts_with(b"\\x") {
        let digits: Vec<u8> = text.iter().copied().filter(|byte| !matches!(byte, b'\\' | b'x')).collect();
        return encoded::hex(digits.get(..digits.len() & !1)?);
    }
    let is_hex = text.iter().all(|byte| byte.is_ascii_hexdigit() || byte.is_ascii_whitespace());
    if is_hex { encoded::hex(text) } else { encoded::base64(text) }
}
