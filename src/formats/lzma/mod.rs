//! LZMA-alone files: the format of old `lzma` tools, which joblib still writes.

use crate::engine::Cx;
use crate::formats::stream::{self, Wrapper};
use crate::formats::{About, Format, Head, Match, codec};
use crate::input::Input;
use crate::stop::Stop;

/// Reads LZMA-alone files: see [`Format`].
#[derive(Debug)]
pub struct Lzma;

const WRAPPER: Wrapper = Wrapper {
    format: "lzma",
    extensions: &[(".tlz", ".tar"), (".lzma", "")],
    begins: is_lzma,
    open: codec::lzma_alone,
    several: false,
    skipped: |_| None,
};

fn is_lzma(first: &[u8]) -> bool {
    // Every writer's default properties: lc = 3, lp = 0, pb = 2. With others,
    // ordinary binary data would look like this.
    let [0x5d, d0, d1, d2, d3, s0, s1, s2, s3, s4, s5, s6, s7, 0, ..] = *first else { return false };
    let dictionary = u32::from_le_bytes([d0, d1, d2, d3]);
    let size = u64::from_le_bytes([s0, s1, s2, s3, s4, s5, s6, s7]);
    // What liblzma asks of a header: a dictionary of 2^n or 2^n + 2^(n-1) bytes,
    // and a size that is unknown or below 256 GiB.
    let rounded = dictionary.is_power_of_two() || (dictionary % 3 == 0 && (dictionary / 3).is_power_of_two());
    rounded && size != 0 && (size == u64::MAX || size < 1 << 38)
}

impl Format for Lzma {
    fn name(&self) -> &'static str {
        "lzma"
    }

    fn about(&self) -> About {
        About {
            title: "LZMA alone (lzma-file-format.txt of XZ Utils)",
            extensions: &[".lzma"],
            reads: "the content; what stands behind it",
            leaves_out: "nothing",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        if is_lzma(head.first) && codec::plausible(codec::lzma_alone, head.first) { Match::Likely } else { Match::No }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        stream::unwrap(&WRAPPER, input, cx)
    }
}
