//! What a constant may hide a pickle in: text that encodes bytes, compressed
//! bytes, and one in the other a few times over.

use std::sync::LazyLock;

use super::held::is_program;
use super::opcodes as op;
use crate::formats::unpack;
use crate::input::to_u64;
use crate::text::digits::{self, Base85};
use crate::text::encoded;

/// Bytes that a pickle is told from chance by.
pub(super) const LOOK: usize = 16 * 1024;

/// Digits that tell whether more are worth decoding: the longest signature has
/// 14 bytes.
const FEW: usize = 32;

/// How often a constant is decoded or unpacked over again.
pub(super) const ROUNDS: u32 = 3;

/// One layer around a pickle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// A character for each byte, as protocols below 3 write them.
    Narrow,
    /// `\\x80` and the like.
    Escapes,
    Hex,
    Base64,
    Base32,
    Base85,
    Ascii85,
    Packed,
}

/// The steps that a byte may be a digit of, by their bit.
const DIGITS: [(Step, u8); 5] =
    [(Step::Hex, HEX), (Step::Base64, 2), (Step::Base32, 4), (Step::Base85, 8), (Step::Ascii85, 16)];
const HEX: u8 = 1;

/// Which of [`DIGITS`] each byte belongs to.
static BITS: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let bits = |byte: u8| DIGITS.iter().filter(|(step, _)| step.has_digit(byte)).fold(0, |bits, (_, bit)| bits | bit);
    (0..=u8::MAX).map(bits).collect()
});

impl Step {
    fn has_digit(self, byte: u8) -> bool {
        byte.is_ascii_whitespace()
            || match self {
                Self::Hex => byte.is_ascii_hexdigit(),
                Self::Base64 => encoded::is_base64(byte) || byte == b'=',
                Self::Base32 => byte.is_ascii_alphabetic() || matches!(byte, b'2'..=b'7' | b'='),
                Self::Base85 => digits::is_base85(byte, Base85::Rfc1924),
                Self::Ascii85 => digits::is_base85(byte, Base85::Ascii85) || byte == b'~',
                Self::Narrow | Self::Escapes | Self::Packed => false,
            }
    }

    /// The bytes within, at most `bound` where they were compressed.
    pub(super) fn undo(self, bytes: &[u8], bound: u64) -> Option<Vec<u8>> {
        match self {
            Self::Narrow => narrow(bytes),
            Self::Escapes => {
                let digits: Vec<u8> = bytes.iter().copied().filter(|byte| !matches!(byte, b'\\' | b'x')).collect();
                encoded::hex(digits.get(..digits.len() & !1)?)
            }
            // The last digit of a head may be cut from its pair.
            Self::Hex => encoded::hex(bytes).or_else(|| encoded::hex(bytes.get(..bytes.len().checked_sub(1)?)?)),
            Self::Base64 => encoded::base64(bytes),
            Self::Base32 => digits::base32(bytes, false),
            Self::Base85 => digits::base85(bytes, Base85::Rfc1924),
            Self::Ascii85 => digits::base85(bytes, Base85::Ascii85),
            Self::Packed => unpack::any(bytes, bound),
        }
    }
}

/// The layers that may be around what begins with `head`. Only a text of the
/// stream itself may have a character for each byte.
pub(super) fn steps(head: &[u8], is_text: bool) -> Vec<Step> {
    if is_text && is_wide(head) {
        return vec![Step::Narrow];
    }
    if unpack::is_packed(head) {
        return vec![Step::Packed];
    }
    let Some(first) = head.get(..encoded::SHORTEST) else { return Vec::new() };
    if first.starts_with(b"\\x") {
        return vec![Step::Escapes];
    }
    let bits = first.iter().try_fold(u8::MAX, |bits, byte| {
        let bits = bits & BITS.get(usize::from(*byte)).copied().unwrap_or_default();
        (bits != 0).then_some(bits)
    });
    // Words of prose have blanks between them; of digits, pairs do.
    let bits = bits.map_or(0, |bits| if first.contains(&b' ') { bits & HEX } else { bits });
    DIGITS.iter().filter(|(_, bit)| bits & bit != 0).map(|(step, _)| *step).collect()
}

/// Whether what begins with `head` may be a pickle, packed or encoded or
/// neither.
pub(super) fn is_worth_a_look(head: &[u8], is_text: bool) -> bool {
    if is_text && is_wide(head) {
        return narrow(head).is_some_and(|head| leads(&head, ROUNDS));
    }
    // A pickle without bytes beyond ASCII has lines.
    if (!is_text || memchr::memchr(b'\n', head).is_some()) && begins(head) {
        return true;
    }
    let few = head.get(..head.len().min(FEW)).unwrap_or_default();
    steps(head, false).into_iter().any(|step| {
        let is_text = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
        // Most digests and names end here.
        step.undo(if step == Step::Packed { head } else { few }, to_u64(LOOK))
            .is_some_and(|few| begins(&few) || few.iter().all(is_text))
            && step.undo(head, to_u64(LOOK)).is_some_and(|head| leads(&head, ROUNDS))
    })
}

/// Whether `head` may begin a pickle once `rounds` layers at most are undone.
pub(super) fn leads(head: &[u8], rounds: u32) -> bool {
    if begins(head) {
        return true;
    }
    let Some(rounds) = rounds.checked_sub(1) else { return false };
    steps(head, false).into_iter().any(|step| step.undo(head, to_u64(LOOK)).is_some_and(|head| leads(&head, rounds)))
}

/// Whether a pickle, or one that is packed, may begin so.
fn begins(head: &[u8]) -> bool {
    match head {
        [op::PROTO, 0..=5, next, ..] => op::argument(*next).is_some(),
        _ if unpack::is_packed(head) => true,
        // Without PROTO: an import comes early, or what there is fits.
        _ => {
            let run = op::dry_run(head);
            run.imports > 0 || !run.broken && !run.stopped && run.opcodes > 1
        }
    }
}

/// Whether `bytes` begin a compressed stream with a pickle in it, or with
/// another such stream.
pub(super) fn is_packed(bytes: &[u8]) -> bool {
    let mut packed = std::borrow::Cow::Borrowed(bytes);
    for _ in 0..ROUNDS {
        if !unpack::is_packed(&packed) {
            return false;
        }
        let Some(head) = unpack::any(&packed, to_u64(LOOK)) else { return false };
        let run = op::dry_run(&head);
        if is_program(&run, &head) || !run.broken && !run.stopped && matches!(head.as_slice(), [op::PROTO, 0..=5, ..]) {
            return true;
        }
        packed = head.into();
    }
    false
}

/// Whether a text begins like a pickle or a compressed stream that has a
/// character for each byte: one of the first two is beyond ASCII, but for two
/// kinds of compression.
fn is_wide(head: &[u8]) -> bool {
    matches!(head, [0xc2 | 0xc3, ..] | [_, 0xc2 | 0xc3, ..] | [0x5d, 0, 0, ..])
        || head.starts_with(b"BZh") && unpack::is_packed(head)
}

/// The bytes of text that has one character for each; the last may be cut.
fn narrow(text: &[u8]) -> Option<Vec<u8>> {
    let valid = match std::str::from_utf8(text) {
        Ok(valid) => valid,
        Err(error) => std::str::from_utf8(text.get(..error.valid_up_to())?).ok()?,
    };
    valid.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect()
}
