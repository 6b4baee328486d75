//! Compression methods (APPNOTE 4.4.5).

use std::io::{self, Read};

use crate::formats::codec;
use crate::formats::stream::{Feed, Open};
use crate::limits::Limits;

pub(super) const STORED: u16 = 0;
pub(super) const DEFLATE: u16 = 8;
const DEFLATE64: u16 = 9;
const BZIP2: u16 = 12;
const LZMA: u16 = 14;
/// Zstandard's first number, given up in APPNOTE 6.3.8.
const ZSTD_OLD: u16 = 20;
const ZSTD: u16 = 93;
const XZ: u16 = 95;
/// WinZip's AES encryption takes the place of the method.
pub(super) const AES: u16 = 99;

/// The decoder of `method`, when there is one; stored data needs none.
pub(super) fn decoder(method: u16) -> Option<Open> {
    Some(match method {
        DEFLATE => codec::deflate,
        DEFLATE64 => codec::deflate64,
        BZIP2 => codec::bzip2,
        LZMA => |feed, limits| codec::zip_lzma(feed, None, limits),
        ZSTD_OLD | ZSTD => codec::zstd,
        XZ => codec::xz,
        _ => return None,
    })
}

/// Opens a member of `size` bytes when unpacked, or of as many as its end
/// marker says.
pub(super) fn open(method: u16, feed: Feed, size: Option<u64>, limits: &Limits) -> Option<io::Result<Box<dyn Read>>> {
    if method == LZMA {
        return Some(codec::zip_lzma(feed, size, limits));
    }
    decoder(method).map(|open| open(feed, limits))
}

/// What a method is called, for a table.
pub(super) fn label(method: u16) -> String {
    match method {
        STORED => "stored".to_owned(),
        DEFLATE => "deflate".to_owned(),
        DEFLATE64 => "deflate64".to_owned(),
        BZIP2 => "bzip2".to_owned(),
        LZMA => "lzma".to_owned(),
        ZSTD_OLD | ZSTD => "zstd".to_owned(),
        XZ => "xz".to_owned(),
        _ => name(method),
    }
}

/// What a method is called, for the report.
pub(super) fn name(method: u16) -> String {
    let name = match method {
        1 => "shrunk",
        2..=5 => "reduced",
        6 => "imploded",
        10 => "PKWARE implode",
        96 => "JPEG",
        97 => "WavPack",
        98 => "PPMd",
        AES => "AES",
        _ => return format!("method {method}"),
    };
    format!("method {method} ({name})")
}
