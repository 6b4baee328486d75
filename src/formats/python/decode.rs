//! Decoders and decompressors of the standard library, over values that are
//! known.

use std::io::Read as _;

use crate::text::encoded;

use super::fold::LONGEST;
use super::value::{DECODED, Val};

/// `bytes.decode(codec)` and `codecs.decode(value, codec)`.
pub(super) fn codec_decode<'a>(bytes: &[u8], codec: &str, marks: u16) -> Option<Val<'a>> {
    let codec = codec.to_lowercase().replace(['_', ' '], "-");
    Some(match codec.as_str() {
        "utf-8" | "utf8" | "ascii" | "us-ascii" => Val::text(std::str::from_utf8(bytes).ok()?, marks),
        "latin-1" | "latin1" | "iso-8859-1" => {
            Val::text(bytes.iter().map(|byte| char::from(*byte)).collect::<String>(), marks)
        }
        "rot13" | "rot-13" => {
            let text = std::str::from_utf8(bytes).ok()?;
            Val::text(text.chars().map(rot13).collect::<String>(), marks | DECODED)
        }
        "hex" | "hex-codec" => Val::bytes(encoded::hex(bytes)?, marks | DECODED),
        "base64" | "base64-codec" | "base-64" => Val::bytes(encoded::base64(bytes)?, marks | DECODED),
        "zlib" | "zlib-codec" | "zip" => Val::bytes(inflate(flate2::read::ZlibDecoder::new(bytes))?, marks | DECODED),
        "bz2" | "bz2-codec" => Val::bytes(inflate(bzip2::read::BzDecoder::new(bytes))?, marks | DECODED),
        "utf-16" | "utf-16-le" | "utf-16le" => {
            let units = bytes.chunks_exact(2).map(|pair| match pair {
                [a, b] => u16::from_le_bytes([*a, *b]),
                _ => 0,
            });
            Val::text(char::decode_utf16(units).filter_map(Result::ok).collect::<String>(), marks | DECODED)
        }
        _ => return None,
    })
}

fn rot13(char: char) -> char {
    let turn =
        |base: u8, byte: u8| char::from(byte.wrapping_sub(base).wrapping_add(13).wrapping_rem(26).wrapping_add(base));
    match u8::try_from(char) {
        Ok(byte @ b'a'..=b'z') => turn(b'a', byte),
        Ok(byte @ b'A'..=b'Z') => turn(b'A', byte),
        _ => char,
    }
}

/// What a decompressor gives, when it is of a length that source can hide.
pub(super) fn inflate(reader: impl std::io::Read) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let bound = crate::input::to_u64(LONGEST);
    // Damage after the payload does not unmake it.
    let _ = reader.take(bound).read_to_end(&mut out);
    (!out.is_empty()).then_some(out)
}

pub(super) fn base32(digits: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let (mut held, mut bits) = (0_u32, 0_u32);
    for digit in digits.iter().filter(|digit| !digit.is_ascii_whitespace() && **digit != b'=') {
        let value = match digit.to_ascii_uppercase() {
            letter @ b'A'..=b'Z' => u32::from(letter.saturating_sub(b'A')),
            number @ b'2'..=b'7' => u32::from(number.saturating_sub(b'2')).saturating_add(26),
            _ => return None,
        };
        held = (held << 5 | value) & 0xfff;
        bits = bits.saturating_add(5);
        if bits >= 8 {
            bits = bits.saturating_sub(8);
            out.push(u8::try_from((held >> bits) & 0xff).ok()?);
        }
    }
    Some(out)
}

/// Python's base85 (RFC 1924's alphabet) and Ascii85.
pub(super) fn base85(digits: &[u8], ascii85: bool) -> Option<Vec<u8>> {
    const RFC1924: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~";
    let mut values: Vec<u32> = Vec::new();
    for digit in digits.iter().filter(|digit| !digit.is_ascii_whitespace()) {
        if ascii85 && *digit == b'z' {
            values.extend([0; 5]);
            continue;
        }
        let value = if ascii85 {
            usize::from(digit.checked_sub(b'!').filter(|value| *value < 85)?)
        } else {
            RFC1924.iter().position(|known| known == digit)?
        };
        values.push(u32::try_from(value).ok()?);
    }
    let mut out = Vec::new();
    for group in values.chunks(5) {
        let missing = 5_usize.saturating_sub(group.len());
        let padded = group.iter().copied().chain(std::iter::repeat_n(84, missing));
        let word = padded.fold(0_u32, |word, value| word.wrapping_mul(85).wrapping_add(value));
        out.extend(word.to_be_bytes().iter().take(4_usize.saturating_sub(missing)));
    }
    Some(out)
}

/// Whether `name` decodes or decompresses, known argument or not.
pub(super) fn decodes(name: &str) -> bool {
    matches!(
        name,
        "base64.b64decode"
            | "base64.standard_b64decode"
            | "base64.urlsafe_b64decode"
            | "base64.decodebytes"
            | "base64.b16decode"
            | "base64.b32decode"
            | "base64.b85decode"
            | "base64.a85decode"
            | "binascii.unhexlify"
            | "binascii.a2b_hex"
            | "binascii.a2b_base64"
            | "zlib.decompress"
            | "gzip.decompress"
            | "bz2.decompress"
            | "lzma.decompress"
            | "codecs.decode"
            | "marshal.loads"
            | "builtins.bytes.fromhex"
            | "cryptography.fernet.Fernet.decrypt"
            | "builtins.bytearray.fromhex"
    )
}
