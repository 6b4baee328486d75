//! Encodings of bytes as text that are rarer than base64: base32, the two of
//! base85, uuencode.

/// Digits of `base64.b85encode` (RFC 1924), and of ZeroMQ's Z85.
const RFC_1924: &[u8; 85] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~";
const Z85: &[u8; 85] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

/// Which digits stand for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Base85 {
    /// `base64.b85encode`
    Rfc1924,
    /// `base64.z85encode`
    Z85,
    /// `base64.a85encode`, with Adobe's marks or without.
    Ascii85,
}

/// Decodes base32 (RFC 4648), in capitals or not; `hex` for the alphabet that
/// begins with the decimal digits.
pub(crate) fn base32(digits: &[u8], hex: bool) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(digits.len());
    let (mut held, mut bits) = (0_u32, 0_u32);
    for digit in digits.iter().filter(|digit| !digit.is_ascii_whitespace() && **digit != b'=') {
        let value = if hex {
            char::from(*digit).to_digit(32)?
        } else {
            match digit.to_ascii_uppercase() {
                letter @ b'A'..=b'Z' => u32::from(letter.saturating_sub(b'A')),
                number @ b'2'..=b'7' => u32::from(number.saturating_sub(b'2')).saturating_add(26),
                _ => return None,
            }
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

/// Decodes groups of five digits.
pub(crate) fn base85(digits: &[u8], which: Base85) -> Option<Vec<u8>> {
    let digits = match which {
        Base85::Ascii85 => {
            let digits = digits.trim_ascii();
            let digits = digits.strip_prefix(b"<~").unwrap_or(digits);
            digits.strip_suffix(b"~>").unwrap_or(digits)
        }
        Base85::Rfc1924 | Base85::Z85 => digits,
    };
    let mut out = Vec::with_capacity(digits.len());
    let (mut word, mut held) = (0_u32, 0_u32);
    for digit in digits.iter().filter(|digit| !digit.is_ascii_whitespace()) {
        // Adobe writes four zeros as one letter.
        if which == Base85::Ascii85 && *digit == b'z' && held == 0 {
            out.extend([0; 4]);
            continue;
        }
        word = word.wrapping_mul(85).wrapping_add(value(*digit, which)?);
        held = held.saturating_add(1);
        if held == 5 {
            out.extend(word.to_be_bytes());
            (word, held) = (0, 0);
        }
    }
    if held > 0 {
        let missing = 5_u32.saturating_sub(held);
        let padded = (0..missing).fold(word, |word, _| word.wrapping_mul(85).wrapping_add(84));
        let kept = crate::input::to_usize(u64::from(held.saturating_sub(1)));
        out.extend(padded.to_be_bytes().iter().take(kept));
    }
    Some(out)
}

fn value(digit: u8, which: Base85) -> Option<u32> {
    let at = |digits: &[u8; 85]| digits.iter().position(|known| *known == digit);
    let value = match which {
        Base85::Rfc1924 => at(RFC_1924)?,
        Base85::Z85 => at(Z85)?,
        Base85::Ascii85 => usize::from(digit.checked_sub(b'!').filter(|value| *value < 85)?),
    };
    u32::try_from(value).ok()
}

/// Whether `byte` is a digit of one of the two that Python writes.
pub(crate) fn is_base85(byte: u8, which: Base85) -> bool {
    value(byte, which).is_some() || which == Base85::Ascii85 && byte == b'z'
}

/// Decodes lines of uuencode, with the lines around them or without.
pub(crate) fn uuencode(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    for line in text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end) {
        let Some((length, digits)) = line.split_first() else { continue };
        if line.starts_with(b"begin ") || line == b"end" {
            continue;
        }
        let length = usize::from(length.checked_sub(b' ')? & 0x3f);
        let mut bytes: Vec<u8> = Vec::new();
        for group in digits.chunks(4) {
            let bits = group.iter().try_fold(0_u32, |bits, digit| {
                Some(bits << 6 | u32::from(digit.checked_sub(b' ').filter(|value| *value <= 64)? & 0x3f))
            })?;
            let missing = u32::try_from(4_usize.saturating_sub(group.len())).ok()?;
            bytes.extend(bits.checked_shl(missing.saturating_mul(6))?.to_be_bytes().iter().skip(1));
        }
        bytes.truncate(length);
        out.extend(bytes);
    }
    (!out.is_empty()).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_decodes_what_python_writes() {
        let bytes = b"import os\n\0\0\0\0\xff".as_slice();
        assert_eq!(base32(b"NFWXA33SOQQG64YKAAAAAAH7", false).as_deref(), Some(bytes));
        assert_eq!(base32(b"D5MN0RRIEGG6USOA0000007V", true).as_deref(), Some(bytes));
        assert_eq!(base85(b"X>D+Ca&#bXa|!?e0093", Base85::Rfc1924).as_deref(), Some(bytes));
        assert_eq!(base85(b"x(d*cA=-BxA%.)E0093", Base85::Z85).as_deref(), Some(bytes));
        assert_eq!(base85(b"<~Bl.g-Ec`FBEs_mI!!*$~>", Base85::Ascii85).as_deref(), Some(bytes));
        let lines = b"begin 666 <data>\n/:6UP;W)T(&]S\"@    #_\n \nend\n";
        assert_eq!(uuencode(lines).as_deref(), Some(bytes));
        assert_eq!(base85(b"X>D+Ca \x7f", Base85::Rfc1924), None);
    }
}
