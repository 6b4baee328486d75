//! LZ4 frame files: any number of frames in a row.

use crate::engine::Cx;
use crate::formats::stream::{self, Wrapper};
use crate::formats::{About, Format, Head, Match, codec};
use crate::input::Input;
use crate::stop::Stop;

/// Reads LZ4 frame files: see [`Format`].
#[derive(Debug)]
pub struct Lz4;

const WRAPPER: Wrapper = Wrapper {
    format: "lz4",
    extensions: &[(".tlz4", ".tar"), (".lz4", "")],
    begins: is_lz4,
    open: codec::lz4,
    several: true,
    skipped: |_| None,
};

fn is_lz4(first: &[u8]) -> bool {
    // The frame magic, or that of the legacy frame.
    matches!(first, [0x04, 0x22, 0x4d, 0x18, ..] | [0x02, 0x21, 0x4c, 0x18, ..])
}

impl Format for Lz4 {
    fn name(&self) -> &'static str {
        "lz4"
    }

    fn about(&self) -> About {
        About {
            title: "LZ4 (LZ4 Frame Format 1.6.4)",
            extensions: &[".lz4"],
            reads: "the content of all frames, joined as readers join them; what stands behind the last one",
            leaves_out: "frames that need a dictionary",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        if is_lz4(head.first) { Match::Magic } else { Match::No }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        stream::unwrap(&WRAPPER, input, cx)
    }
}
