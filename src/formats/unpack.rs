//! Decompressors of Python's standard library over bytes in memory, for what
//! code and pickles unpack as they run.

use std::io::Read;

/// KiB that a dictionary may take: what `xz -9` asks for and as much again.
/// A header can ask for 4 GiB.
const DICTIONARY_KIB: u32 = 128 << 10;

/// How the LZMA-alone format begins that Python and liblzma write: default
/// properties and a dictionary of whole 64 KiB.
const LZMA_ALONE: [u8; 3] = [0x5d, 0, 0];

/// Whether `head` begins something that [`any`] unpacks.
pub(super) fn is_packed(head: &[u8]) -> bool {
    match head {
        [0x1f, 0x8b, 8, ..] | [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => true,
        // RFC 1950 2.2: windows of 32 KiB, all four levels.
        [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..] => true,
        [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, ..] => true,
        // The first byte of the range coder's data is always zero.
        [_, _, _, _, _, _, _, _, _, _, _, _, _, 0, ..] => head.starts_with(&LZMA_ALONE),
        _ => false,
    }
}

/// At most `bound` bytes of what `packed` holds, by its first bytes; nothing
/// when that is not a single one.
pub(super) fn any(packed: &[u8], bound: u64) -> Option<Vec<u8>> {
    match packed {
        [0x1f, 0x8b, ..] => gzip(packed, bound),
        [b'B', b'Z', b'h', ..] => bzip2(packed, bound),
        [0xfd, b'7', ..] => lzma(packed, bound),
        _ if packed.starts_with(&LZMA_ALONE) => lzma(packed, bound),
        _ => zlib(packed, None, bound),
    }
}

/// `zlib.decompress(packed, wbits)`: negative for raw deflate, above 15 for
/// gzip, above 31 for either.
pub(super) fn zlib(packed: &[u8], wbits: Option<i64>, bound: u64) -> Option<Vec<u8>> {
    match wbits {
        Some(..=-1) => read(flate2::read::DeflateDecoder::new(packed), bound),
        Some(16..) if packed.starts_with(&[0x1f, 0x8b]) => gzip(packed, bound),
        _ => read(flate2::read::ZlibDecoder::new(packed), bound),
    }
}

/// `gzip.decompress`, members one after the other.
pub(super) fn gzip(packed: &[u8], bound: u64) -> Option<Vec<u8>> {
    read(flate2::read::MultiGzDecoder::new(packed), bound)
}

/// `bz2.decompress`, streams one after the other.
pub(super) fn bzip2(packed: &[u8], bound: u64) -> Option<Vec<u8>> {
    read(bzip2::read::MultiBzDecoder::new(packed), bound)
}

/// `lzma.decompress`, of either format by its first bytes (`FORMAT_AUTO`).
pub(super) fn lzma(packed: &[u8], bound: u64) -> Option<Vec<u8>> {
    if packed.starts_with(&LZMA_ALONE) {
        return read(lzma_rust2::LzmaReader::new_mem_limit(packed, DICTIONARY_KIB, None).ok()?, bound);
    }
    read(lzma_rust2::XzReader::new_mem_limit(packed, true, DICTIONARY_KIB), bound)
}

/// What comes out until damage or the bound: neither unmakes what came before.
fn read(reader: impl Read, bound: u64) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    reader.take(bound).read_to_end(&mut out).ok();
    (!out.is_empty()).then_some(out)
}
