//! Zstandard files: any number of frames in a row, skippable ones included.

use crate::engine::Cx;
use crate::formats::stream::{self, Wrapper};
use crate::formats::{About, Format, Head, Match, codec};
use crate::input::Input;
use crate::stop::Stop;

/// Reads Zstandard files: see [`Format`].
#[derive(Debug)]
pub struct Zstd;

const WRAPPER: Wrapper = Wrapper {
    format: "zstd",
    extensions: &[(".tzst", ".tar"), (".zst", ""), (".zstd", "")],
    begins: is_zstd,
    open: codec::zstd,
    several: true,
};

fn is_zstd(first: &[u8]) -> bool {
    matches!(first, [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

impl Format for Zstd {
    fn name(&self) -> &'static str {
        "zstd"
    }

    fn about(&self) -> About {
        About {
            title: "Zstandard (RFC 8878)",
            extensions: &[".zst", ".tzst"],
            reads: "the content of all frames, joined as readers join them; what stands behind the last one",
            leaves_out: "frames that need a dictionary, the content of skippable frames",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        match head.first {
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Match::Magic,
            first if is_zstd(first) => Match::Likely,
            _ => Match::No,
        }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        stream::unwrap(&WRAPPER, input, cx)
    }
}
