//! A bare zlib stream, which joblib writes for `compress=True`.

use crate::engine::Cx;
use crate::formats::stream::{self, Wrapper};
use crate::formats::{About, Format, Head, Match, codec};
use crate::input::Input;
use crate::stop::Stop;

/// Reads zlib streams: see [`Format`].
#[derive(Debug)]
pub struct Zlib;

const WRAPPER: Wrapper = Wrapper {
    format: "zlib",
    extensions: &[(".z", ""), (".zlib", "")],
    begins: is_zlib,
    open: codec::zlib,
    several: false,
    skipped: |_| None,
};

fn is_zlib(first: &[u8]) -> bool {
    // CMF 0x78: deflate with a window of 32 KiB; the check bits leave one FLG for
    // each level when no dictionary is asked for (RFC 1950 2.2).
    matches!(first, [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..])
}

impl Format for Zlib {
    fn name(&self) -> &'static str {
        "zlib"
    }

    fn about(&self) -> About {
        About {
            title: "zlib stream (RFC 1950)",
            extensions: &[".z"],
            reads: "the content; what stands behind it",
            leaves_out: "streams that need a dictionary",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        if is_zlib(head.first) && codec::plausible(codec::zlib, head.first) { Match::Likely } else { Match::No }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        stream::unwrap(&WRAPPER, input, cx)
    }
}
