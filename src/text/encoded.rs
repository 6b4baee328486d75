//! Payloads that stand in text as base64 or hexadecimal digits.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Shortest run of digits that is decoded; the smallest pickle that calls
/// anything needs about this many.
pub(crate) const SHORTEST: usize = 24;

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_allow_trailing_bits(true)
    .with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// What encoded bytes turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nature {
    /// A pickle, a zip or an executable by a signature that chance does not make.
    Certain,
    /// Compressed content, or what may be a pickle without a signature.
    Possible,
}

/// Decodes base64 (either alphabet, padding or not), passing over white space.
pub(crate) fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let packed: Vec<u8> = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    // An incomplete last group of one digit holds no byte.
    let whole = packed.iter().take_while(|byte| **byte != b'=').count();
    let usable = if whole % 4 == 1 { whole.saturating_sub(1) } else { whole };
    let digits = packed.get(..usable)?;
    if digits.iter().any(|byte| matches!(byte, b'-' | b'_')) {
        URL_SAFE.decode(digits).ok()
    } else {
        STANDARD.decode(digits).ok()
    }
}

/// Decodes pairs of hexadecimal digits.
pub(crate) fn hex(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 2);
    let mut high: Option<u8> = None;
    for digit in text.iter().filter(|byte| !byte.is_ascii_whitespace()) {
        let value = u8::try_from(char::from(*digit).to_digit(16)?).ok()?;
        match high.take() {
            None => high = Some(value << 4),
            Some(first) => bytes.push(first | value),
        }
    }
    high.is_none().then_some(bytes)
}

/// The bytes that `text` encodes, when they are something that is loaded or
/// run rather than a picture or a digest.
pub(crate) fn payload(text: &[u8]) -> Option<(Vec<u8>, Nature)> {
    if text.len() < SHORTEST {
        return None;
    }
    let first = text.get(..SHORTEST)?;
    if first.iter().all(u8::is_ascii_hexdigit) && text.iter().all(u8::is_ascii_hexdigit) {
        let bytes = hex(text)?;
        if is_digest(&bytes) {
            return None;
        }
        return nature(&bytes).map(|nature| (bytes, nature));
    }
    if !first.iter().all(|byte| is_base64(*byte)) {
        return None;
    }
    let start = base64(first)?;
    nature(&start)?;
    if !text.iter().all(|byte| is_base64(*byte) || byte.is_ascii_whitespace() || *byte == b'=') {
        return None;
    }
    let bytes = base64(text)?;
    if is_digest(&bytes) {
        return None;
    }
    nature(&bytes).map(|nature| (bytes, nature))
}

/// Whether a few bytes only begin like a pickle, as one digest in a million
/// does: lists of packages hold many.
fn is_digest(bytes: &[u8]) -> bool {
    const LONGEST: usize = 64;
    if bytes.len() > LONGEST || bytes.first() != Some(&0x80) {
        return false;
    }
    let run = crate::formats::pickle::dry_run(bytes);
    !run.stopped && run.imports == 0
}

/// Whether `byte` is a digit of base64, in either alphabet.
pub(crate) fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

/// What `bytes` are by their first few.
pub(crate) fn nature(bytes: &[u8]) -> Option<Nature> {
    match bytes {
        // PROTO 4 and 5 are followed by a frame in all but tiny pickles.
        [0x80, 4 | 5, 0x95, ..] | [b'P', b'K', 3, 4, ..] | [0x7f, b'E', b'L', b'F', 1 | 2, ..] => Some(Nature::Certain),
        [0x80, 2..=5, opcode, ..] if is_pickle_start(*opcode) => Some(Nature::Certain),
        [0x1f, 0x8b, 8, ..]
        | [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, ..]
        | [0xfd, b'7', b'z', b'X', b'Z', 0, ..]
        | [0x28, 0xb5, 0x2f, 0xfd, ..]
        | [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => Some(Nature::Possible),
        [b'M', b'Z', ..] if bytes.len() > 0x40 => Some(Nature::Possible),
        [b'c' | b'i' | b'(', ..] if is_text_pickle(bytes) => Some(Nature::Possible),
        _ => None,
    }
}

/// Opcodes with which picklers begin: containers, marks, strings, globals.
fn is_pickle_start(opcode: u8) -> bool {
    matches!(
        opcode,
        b'}' | b']'
            | b')'
            | b'('
            | b'c'
            | b'X'
            | b'U'
            | b'\x8c'
            | b'\x8f'
            | b'K'
            | b'J'
            | b'M'
            | b'\x95'
            | b'C'
            | b'B'
            | b'N'
    )
}

/// A pickle of protocol 0: `c` or `i`, a module, a line end, a name, a line end.
fn is_text_pickle(bytes: &[u8]) -> bool {
    let from = bytes.iter().take_while(|byte| **byte == b'(').count().saturating_add(1);
    let mut lines = bytes.get(from..).unwrap_or_default().split(|byte| *byte == b'\n');
    let is_name = |line: Option<&[u8]>| {
        line.is_some_and(|line| {
            !line.is_empty() && line.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'))
        })
    };
    is_name(lines.next()) && lines.next().is_some()
}
