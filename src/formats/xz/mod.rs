//! xz files: any number of streams in a row.

use crate::engine::Cx;
use crate::formats::stream::{self, Wrapper};
use crate::formats::{About, Format, Head, Match, codec};
use crate::input::Input;
use crate::stop::Stop;

/// Reads xz files: see [`Format`].
#[derive(Debug)]
pub struct Xz;

const WRAPPER: Wrapper = Wrapper {
    format: "xz",
    extensions: &[(".txz", ".tar"), (".xz", "")],
    begins: is_xz,
    open: codec::xz,
    several: true,
    skipped: |_| None,
};

fn is_xz(first: &[u8]) -> bool {
    first.starts_with(&[0xfd, b'7', b'z', b'X', b'Z', 0])
}

impl Format for Xz {
    fn name(&self) -> &'static str {
        "xz"
    }

    fn about(&self) -> About {
        About {
            title: "xz (The .xz File Format 1.2.1)",
            extensions: &[".xz", ".txz"],
            reads: "the content of all streams, joined as readers join them; what stands behind the last one",
            leaves_out: "filters other than LZMA2, delta and the branch filters",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        if is_xz(head.first) { Match::Magic } else { Match::No }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        stream::unwrap(&WRAPPER, input, cx)
    }
}
