//! RAR archives: recognised, so that the report can say what was not examined.

use crate::engine::Cx;
use crate::formats::{About, Format, Head, Match};
use crate::input::Input;
use crate::stop::Stop;

/// Recognises RAR archives: see [`Format`].
#[derive(Debug)]
pub struct Rar;

impl Format for Rar {
    fn name(&self) -> &'static str {
        "rar"
    }

    fn about(&self) -> About {
        About {
            title: "RAR 1.5 to 5",
            extensions: &[".rar"],
            reads: "nothing: a RAR archive is recognised and reported as not examined",
            leaves_out: "everything; there is no free decoder",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        // RAR 5 has one more byte in its mark.
        let rar = head.starts_with(b"Rar!\x1a\x07\x00") || head.starts_with(b"Rar!\x1a\x07\x01\x00");
        if rar { Match::Magic } else { Match::No }
    }

    fn read(&self, _input: &Input, _cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        Err(Stop::unsupported(0, "the RAR format"))
    }
}
