//! gzip files: any number of members in a row.

use std::io::{self, BufRead, Read as _};

use crate::engine::Cx;
use crate::evidence::Span;
use crate::formats::stream::{self, Wrapper};
use crate::formats::{About, Format, Head, Match, codec, members};
use crate::input::{Cursor, Input, to_usize};
use crate::limits::Limits;
use crate::stop::Stop;

/// Reads gzip files: see [`Format`].
#[derive(Debug)]
pub struct Gzip;

const WRAPPER: Wrapper = Wrapper {
    format: "gzip",
    extensions: &[(".tgz", ".tar"), (".gz", ""), (".gzip", "")],
    begins: is_gzip,
    open: codec::gzip,
    several: true,
    skipped: |_| None,
};

// RFC 1952 2.3.1: FLG bits.
const FHCRC: u8 = 0x02;
const FEXTRA: u8 = 0x04;
const FNAME: u8 = 0x08;
const FCOMMENT: u8 = 0x10;

fn is_gzip(first: &[u8]) -> bool {
    // ID1, ID2, CM = deflate.
    matches!(first, [0x1f, 0x8b, 8, ..])
}

impl Format for Gzip {
    fn name(&self) -> &'static str {
        "gzip"
    }

    fn about(&self) -> About {
        About {
            title: "gzip (RFC 1952)",
            extensions: &[".gz", ".tgz"],
            reads: "the content of all members, joined as readers join them; what stands behind the last one",
            leaves_out: "the comment and extra fields of the header",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        if !is_gzip(head.first) {
            return Match::No;
        }
        match head.first.get(3) {
            // The reserved bits are zero in every file; without them, chance needs 27 bits.
            Some(flags) if flags & 0xe0 == 0 => Match::Magic,
            _ => Match::Likely,
        }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        if let Some(name) = stored_name(input, cx.limits()) {
            members::check_name(cx, &name, Span::at(0));
        }
        stream::unwrap(&WRAPPER, input, cx)
    }
}

/// Passes over the header of one member.
pub(super) fn header(feed: &mut impl BufRead, limits: &Limits) -> io::Result<()> {
    let mut fixed = [0; 10];
    feed.read_exact(&mut fixed)?;
    let [0x1f, 0x8b, 8, flags, ..] = fixed else { return Err(io::Error::other("this is no gzip header")) };
    if flags & FEXTRA != 0 {
        let mut length = [0; 2];
        feed.read_exact(&mut length)?;
        skip(feed, u64::from(u16::from_le_bytes(length)))?;
    }
    for flag in [FNAME, FCOMMENT] {
        if flags & flag != 0 {
            skip_text(feed, limits)?;
        }
    }
    if flags & FHCRC != 0 {
        skip(feed, 2)?;
    }
    Ok(())
}

fn skip(feed: &mut impl BufRead, length: u64) -> io::Result<()> {
    let skipped = io::copy(&mut feed.take(length), &mut io::sink())?;
    if skipped < length { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}

fn skip_text(feed: &mut impl BufRead, limits: &Limits) -> io::Result<()> {
    let mut left = limits.header_bytes;
    let mut byte = [0];
    while left > 0 {
        feed.read_exact(&mut byte)?;
        if byte == [0] {
            return Ok(());
        }
        left = left.saturating_sub(1);
    }
    Err(io::Error::other("a name in the gzip header is above limit `header-bytes`"))
}

/// The file name in the header of the first member, which `gunzip -N` uses.
fn stored_name(input: &Input, limits: &Limits) -> Option<Vec<u8>> {
    let mut cursor = Cursor::new(input);
    let [_, _, _, flags, ..] = cursor.array::<10>().ok()?;
    if flags & FEXTRA != 0 {
        let length = cursor.u16_le().ok()?;
        cursor.skip(u64::from(length)).ok()?;
    }
    if flags & FNAME == 0 {
        return None;
    }
    cursor.until(0, to_usize(limits.string_bytes)).ok().map(<[u8]>::to_vec)
}
