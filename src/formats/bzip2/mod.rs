//! bzip2 files: any number of streams in a row.

use crate::engine::Cx;
use crate::formats::stream::{self, Wrapper};
use crate::formats::{About, Format, Head, Match, codec};
use crate::input::Input;
use crate::stop::Stop;

/// Reads bzip2 files: see [`Format`].
#[derive(Debug)]
pub struct Bzip2;

const WRAPPER: Wrapper = Wrapper {
    format: "bzip2",
    extensions: &[(".tbz2", ".tar"), (".tbz", ".tar"), (".bz2", ""), (".bz", "")],
    begins: is_bzip2,
    open: codec::bzip2,
    several: true,
    skipped: |_| None,
};

fn is_bzip2(first: &[u8]) -> bool {
    let [b'B', b'Z', b'h', b'1'..=b'9', block @ ..] = first else { return false };
    // The digits of pi begin a block, those of its square root end the stream.
    block.starts_with(&[0x31, 0x41, 0x59, 0x26, 0x53, 0x59]) || block.starts_with(&[0x17, 0x72, 0x45, 0x38, 0x50, 0x90])
}

impl Format for Bzip2 {
    fn name(&self) -> &'static str {
        "bzip2"
    }

    fn about(&self) -> About {
        About {
            title: "bzip2",
            extensions: &[".bz2", ".tbz2"],
            reads: "the content of all streams, joined as readers join them; what stands behind the last one",
            leaves_out: "nothing",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        if is_bzip2(head.first) { Match::Magic } else { Match::No }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        stream::unwrap(&WRAPPER, input, cx)
    }
}
