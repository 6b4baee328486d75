//! Decoders and decompressors of the standard library, over values that are
//! known.

use crate::formats::unpack;
use crate::input::to_u64;
use crate::text::digits::{self, Base85};
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
        "zlib" | "zlib-codec" | "zip" => Val::bytes(decoded("zlib.decompress", bytes, None)?, marks | DECODED),
        "bz2" | "bz2-codec" => Val::bytes(decoded("bz2.decompress", bytes, None)?, marks | DECODED),
        "uu" | "uu-codec" => Val::bytes(digits::uuencode(bytes)?, marks | DECODED),
        "quopri" | "quopri-codec" | "quoted-printable" => Val::bytes(quoted_printable(bytes), marks | DECODED),
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

/// What a decoder or decompressor of the standard library makes of `bytes`, at
/// most of a length that source can hide. `second` is its second argument.
pub(super) fn decoded(name: &str, bytes: &[u8], second: Option<i64>) -> Option<Vec<u8>> {
    let bound = to_u64(LONGEST);
    match name {
        "binascii.unhexlify" | "binascii.a2b_hex" | "base64.b16decode" => encoded::hex(bytes),
        "base64.b64decode"
        | "base64.standard_b64decode"
        | "base64.urlsafe_b64decode"
        | "base64.decodebytes"
        | "base64.decodestring"
        | "binascii.a2b_base64" => encoded::base64(bytes),
        "base64.b32decode" => digits::base32(bytes, false),
        "base64.b32hexdecode" => digits::base32(bytes, true),
        "base64.b85decode" => digits::base85(bytes, Base85::Rfc1924),
        "base64.z85decode" => digits::base85(bytes, Base85::Z85),
        "base64.a85decode" => digits::base85(bytes, Base85::Ascii85),
        "binascii.a2b_uu" => digits::uuencode(bytes),
        "quopri.decodestring" | "binascii.a2b_qp" => Some(quoted_printable(bytes)),
        "zlib.decompress" => unpack::zlib(bytes, second, bound),
        "zlib.decompressobj.decompress" => unpack::zlib(bytes, None, bound),
        "gzip.decompress" => unpack::gzip(bytes, bound),
        "bz2.decompress" | "bz2.BZ2Decompressor.decompress" => unpack::bzip2(bytes, bound),
        "lzma.decompress" | "lzma.LZMADecompressor.decompress" => unpack::lzma(bytes, bound),
        _ => None,
    }
}

/// RFC 2045 6.7: `=` and two digits, or a line that goes on.
fn quoted_printable(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, more)) = rest.split_first() {
        rest = more;
        if *first != b'=' {
            out.push(*first);
        } else if let Some(after) = more.strip_prefix(b"\n").or_else(|| more.strip_prefix(b"\r\n")) {
            rest = after;
        } else if let Some((byte, after)) =
            more.split_at_checked(2).and_then(|(pair, after)| Some((encoded::hex(pair)?, after)))
        {
            out.extend(byte);
            rest = after;
        } else {
            out.push(*first);
        }
    }
    out
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
            | "base64.b32hexdecode"
            | "base64.z85decode"
            | "binascii.a2b_uu"
            | "binascii.a2b_qp"
            | "quopri.decodestring"
            | "uu.decode"
            | "base64.b85decode"
            | "base64.a85decode"
            | "binascii.unhexlify"
            | "binascii.a2b_hex"
            | "binascii.a2b_base64"
            | "zlib.decompress"
            | "gzip.decompress"
            | "bz2.decompress"
            | "lzma.decompress"
            | "zlib.decompressobj.decompress"
            | "bz2.BZ2Decompressor.decompress"
            | "lzma.LZMADecompressor.decompress"
            | "gzip.GzipFile.read"
            | "bz2.BZ2File.read"
            | "lzma.LZMAFile.read"
            | "codecs.decode"
            | "marshal.loads"
            | "builtins.bytes.fromhex"
            | "cryptography.fernet.Fernet.decrypt"
            | "builtins.bytearray.fromhex"
    )
}
