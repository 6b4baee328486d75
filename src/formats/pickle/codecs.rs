//! Text and byte codecs of Python that folding computes.

use base64::Engine as _;

pub(super) fn rot13(c: char) -> char {
    let shifted = |base: u8| {
        let at = u32::from(c).saturating_sub(u32::from(base));
        char::from_u32(u32::from(base).saturating_add(at.saturating_add(13).checked_rem(26).unwrap_or(0))).unwrap_or(c)
    };
    match c {
        'a'..='z' => shifted(b'a'),
        'A'..='Z' => shifted(b'A'),
        _ => c,
    }
}

pub(super) fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// Base64 of either alphabet, white space and missing padding forgiven, as
/// Python's decoder does.
pub(super) fn unbase64(text: &[u8]) -> Option<Vec<u8>> {
    use base64::alphabet::STANDARD;
    use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
    let clean: Vec<u8> = text
        .iter()
        .filter_map(|byte| match byte {
            b'-' => Some(b'+'),
            b'_' => Some(b'/'),
            byte if byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=') => Some(*byte),
            _ => None,
        })
        .collect();
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(&STANDARD, config).decode(clean).ok()
}

pub(super) fn decode_text(bytes: &[u8], encoding: Option<&str>) -> String {
    let encoding = encoding.unwrap_or("utf-8").to_ascii_lowercase().replace(['_', ' '], "-");
    match encoding.as_str() {
        "rot13" | "rot-13" => String::from_utf8_lossy(bytes).chars().map(rot13).collect(),
        "utf-16" | "utf-16-le" | "utf-16le" => utf16(bytes, u16::from_le_bytes),
        "utf-16-be" | "utf-16be" => utf16(bytes, u16::from_be_bytes),
        "unicode-escape" => String::from_utf8_lossy(&super::constants::unescape(bytes, true)).into_owned(),
        _ => match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
        },
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let units = bytes.chunks_exact(2).filter_map(|pair| pair.try_into().ok()).map(unit);
    char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).filter(|c| *c != '\u{feff}').collect()
}

pub(super) fn encode_text(text: &str, encoding: Option<&str>) -> Vec<u8> {
    let encoding = encoding.unwrap_or("utf-8").to_ascii_lowercase().replace(['_', ' '], "-");
    match encoding.as_str() {
        "latin1" | "latin-1" | "iso-8859-1" => text.chars().filter_map(|c| u8::try_from(u32::from(c)).ok()).collect(),
        "utf-16" | "utf-16-le" | "utf-16le" => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        "rot13" | "rot-13" => text.chars().map(rot13).collect::<String>().into_bytes(),
        _ => text.as_bytes().to_vec(),
    }
}
