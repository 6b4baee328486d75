//! joblib's own compressed file of before 2016: the letters `ZF`, the length
//! of the content in hexadecimal, and a zlib stream
//! (`joblib/numpy_pickle_compat.py`, `read_zfile`).

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::stream::{self, Wrapper};
use crate::formats::{About, Format, Head, Match, codec};
use crate::input::Input;
use crate::stop::Stop;

/// Reads joblib's old compressed files: see [`Format`].
#[derive(Debug)]
pub struct Zfile;

const MAGIC: &[u8] = b"ZF";

/// Characters of the length field: those of `hex(2 ** 64)`.
const LENGTH: usize = 19;

const WRAPPER: Wrapper = Wrapper {
    format: "zfile",
    extensions: &[(".z", "")],
    begins: |first| first.first() == Some(&0x78),
    open: codec::zlib,
    several: false,
    skipped: |_| None,
};

/// The length that the header declares, and where the stream begins.
fn header(first: &[u8]) -> Option<(u64, u64)> {
    let field = first.strip_prefix(MAGIC)?.get(..LENGTH)?;
    let text = std::str::from_utf8(field).ok()?.trim_end().trim_end_matches('L');
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))?;
    let length = u64::from_str_radix(digits, 16).ok()?;
    // Python 2 wrote one more space behind its long integers.
    let at = if first.get(21) == Some(&b' ') { 22 } else { 21 };
    Some((length, at))
}

impl Format for Zfile {
    fn name(&self) -> &'static str {
        "zfile"
    }

    fn about(&self) -> About {
        About {
            title: "joblib's compressed files before version 0.10",
            extensions: &[".z", ".pkl"],
            reads: "the content, its declared length, what stands behind it",
            leaves_out: "nothing",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        if header(head.first).is_some() { Match::Magic } else { Match::No }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let first = input.bytes(0, input.len().min(24), 24)?;
        let Some((length, at)) = header(&first) else {
            return Err(Stop::malformed(0, "the length of a ZF file is not a hexadecimal number"));
        };
        if at >= input.len() && length > 0 {
            return Err(Stop::Truncated { offset: at, needed: 1 });
        }
        let made = stream::unwrap(&WRAPPER, &input.tail(at), cx).map_err(|stop| stop.shifted(at));
        if length > cx.limits().inflated_bytes {
            cx.push(
                Evidence::new(Kind::HeaderField, "zfile-length", Span::new(2, 19)).with("detail", length.to_string()),
            );
        }
        made
    }
}
