//! Zstandard files: any number of frames in a row, skippable ones included.

use crate::engine::Cx;
use crate::formats::stream::{self, Wrapper};
use crate::formats::{About, Format, Head, Match, codec, ocdbt};
use crate::input::Input;
use crate::stop::Stop;

/// Reads Zstandard files: see [`Format`].
#[derive(Debug)]
pub struct Zstd;

/// How Zstandard streams are read, for other formats that hold some.
pub(super) const WRAPPER: Wrapper = Wrapper {
    format: "zstd",
    extensions: &[(".tzst", ".tar"), (".zst", ""), (".zstd", "")],
    begins: is_zstd,
    open: codec::zstd,
    several: true,
    skipped,
};

fn is_zstd(first: &[u8]) -> bool {
    first.starts_with(&[0x28, 0xb5, 0x2f, 0xfd])
}

/// A skippable frame (RFC 8878 3.1.2): its content is the writer's own affair.
fn skipped(first: &[u8]) -> Option<(u64, u64)> {
    match *first {
        [0x50..=0x5f, 0x2a, 0x4d, 0x18, a, b, c, d, ..] => Some((8, u64::from(u32::from_le_bytes([a, b, c, d])))),
        _ => None,
    }
}

impl Format for Zstd {
    fn name(&self) -> &'static str {
        "zstd"
    }

    fn about(&self) -> About {
        About {
            title: "Zstandard (RFC 8878)",
            extensions: &[".zst", ".tzst"],
            reads: "the content of all frames, joined as readers join them; skippable frames; what stands behind the last one",
            leaves_out: "frames that need a dictionary",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        // Values of such a store are often packed, and it reads them one by one.
        if ocdbt::ends_in_node(head) {
            Match::No
        } else if is_zstd(head.first) {
            Match::Magic
        } else if skipped(head.first).is_some() {
            Match::Likely
        } else {
            Match::No
        }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        stream::unwrap(&WRAPPER, input, cx)
    }
}
