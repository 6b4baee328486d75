//! HTML and SVG: documents that a browser may run scripts of.

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::{About, Format, Head, Match};
use crate::input::{Input, to_u64};
use crate::stop::Stop;
use crate::text;

/// Reads HTML and SVG: see [`Format`].
#[derive(Debug)]
pub struct Markup;

impl Format for Markup {
    fn name(&self) -> &'static str {
        "markup"
    }

    fn about(&self) -> About {
        About {
            title: "HTML and SVG documents",
            extensions: &[".html", ".htm", ".svg"],
            reads: "whether scripts are in it",
            leaves_out: "what the scripts do: no model loader runs them",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        let first = text::decode(head.first.get(..head.first.len().min(1024)).unwrap_or_default()).to_lowercase();
        let start = first.trim_start();
        let begins = start.starts_with("<!doctype html")
            || start.starts_with("<html")
            || start.starts_with("<svg")
            || start.starts_with("<?xml") && start.contains("<svg");
        let named =
            head.is_named(&[".html", ".htm", ".svg"]) && head.len > 0 && text::encoding(head.first, true).is_some();
        if begins || named { Match::Likely } else { Match::No }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let outcome = read(input, cx);
        text::keep_limit(outcome, cx)
    }
}

fn read(input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    let bytes = input.all(cx.limits().header_bytes)?;
    cx.charge(to_u64(bytes.len()), 0)?;
    let lower = bytes.to_ascii_lowercase();
    if let Some(at) = memchr::memmem::find(&lower, b"<script").or_else(|| memchr::memmem::find(&lower, b"javascript:"))
    {
        cx.push(Evidence::new(Kind::EmbeddedScript, "javascript", Span::at(to_u64(at))).with("where", "markup"));
    }
    Ok(())
}
