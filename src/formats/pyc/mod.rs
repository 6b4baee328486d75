//! Compiled Python modules: the header of PEP 552; the code object behind it
//! is read by the marshal format.

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::{About, Format, Head, Match, marshal};
use crate::input::{Input, to_u64};
use crate::stop::Stop;

/// Reads compiled Python modules: see [`Format`].
#[derive(Debug)]
pub struct Pyc;

/// Length of the header since CPython 3.7.
const HEADER: u64 = 16;

/// CPython's magic numbers end in `\r\n`; the number before it has been in
/// these ranges (`Lib/importlib/_bootstrap_external.py`).
fn is_magic(first: &[u8]) -> bool {
    let Some([low, high, b'\r', b'\n']) = first.get(..4) else { return false };
    let number = u16::from_le_bytes([*low, *high]);
    (3000..=3999).contains(&number)
        || (62011..=62211).contains(&number)
        || matches!(number, 20121 | 50428 | 50823 | 60202 | 60717)
}

impl Format for Pyc {
    fn name(&self) -> &'static str {
        "pyc"
    }

    fn about(&self) -> About {
        About {
            title: "Compiled Python module (PEP 552)",
            extensions: &[".pyc", ".pyo"],
            reads: "the header; the code behind it as marshal",
            leaves_out: "nothing",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        // TYPE_CODE, with or without FLAG_REF.
        let code = [8, 12, 16].iter().any(|at| matches!(head.first.get(*at), Some(0x63 | 0xe3)));
        match (is_magic(head.first), code) {
            (true, true) => Match::Magic,
            (true, false) if head.is_named(&[".pyc", ".pyo"]) => Match::Magic,
            (false, _) if head.is_named(&[".pyc", ".pyo"]) => Match::Name,
            _ => Match::No,
        }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let first = input.prefix(HEADER).all(HEADER)?;
        if !is_magic(&first) {
            return Err(Stop::malformed(0, "not the magic number of a compiled Python module"));
        }
        // The number tells how long the header is: its fields may look like code.
        let magic = first.first_chunk::<2>().map_or(0, |magic| u16::from_le_bytes(*magic));
        let header = marshal::header(magic).map_or(HEADER, |(_, length)| to_u64(length));
        cx.push(Evidence::new(Kind::CompiledPython, "module", Span::at(0)));
        cx.child_as("marshal", "code", input.tail(header))
    }
}
