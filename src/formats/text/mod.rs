//! Plain text: documents, vocabularies, tables, licences, sources of other
//! languages. Text is data to a loader; what may hide in it are encoded
//! payloads and credentials, and bytes that are no text at all.

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::{About, Format, Head, Match};
use crate::input::{Input, to_u64};
use crate::stop::Stop;
use crate::text::encoded::{self, Nature, SHORTEST};
use crate::text::{self, Encoding, secrets};

/// Reads plain text: see [`Format`].
#[derive(Debug)]
pub struct Text;

/// Endings of texts whose characters are not judged by chance.
const NAMED: &[&str] = &[
    ".txt",
    ".md",
    ".rst",
    ".csv",
    ".tsv",
    ".json",
    ".jsonl",
    ".vocab",
    ".merges",
    ".bpe",
    ".model",
    ".py",
    ".yaml",
    ".yml",
    ".tiktoken",
    ".log",
    ".html",
    ".xml",
    ".license",
    ".svg",
    ".tex",
    ".bib",
    ".srt",
    ".vtt",
    ".list",
    ".lst",
];

/// Bytes looked at together; a credential is found whole across an edge.
const WINDOW: usize = 1 << 20;
const OVERLAP: usize = 4096;

/// A line at least this long that holds nothing but base64 goes on in the
/// next line: encoders wrap at 64 or 76.
const WRAPPED: usize = 60;

impl Format for Text {
    fn name(&self) -> &'static str {
        "text"
    }

    fn about(&self) -> About {
        About {
            title: "Plain text in UTF-8, UTF-16 or an 8-bit encoding",
            extensions: &[".txt", ".md", ".csv", ".vocab"],
            reads: "all characters: encoded payloads, credentials, bytes that are not text",
            leaves_out: "what the words mean",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        if head.len == 0 {
            return Match::No;
        }
        let named = head.is_named(NAMED);
        let Some(first) = text::encoding(head.first, named) else { return Match::No };
        // Without its mark, the end of a UTF-16 text is not to be told.
        let ends = matches!(first, Encoding::Utf16 { .. })
            || text::encoding(head.last, named || first == Encoding::Bytes).is_some();
        if ends { Match::Likely } else { Match::No }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let start = input.prefix(2).all(2)?;
        if start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff") {
            let whole = text::source(input, cx.limits().source_bytes)?;
            return examine(text::decode(&whole).as_bytes(), 0, true, cx);
        }
        if let Some(whole) = input.as_slice() {
            return examine(whole, 0, true, cx);
        }
        let mut offset = 0;
        while offset < input.len() {
            let len = input.len().saturating_sub(offset).min(to_u64(WINDOW));
            let window = input.bytes(offset, len, len)?;
            let is_last = offset.saturating_add(len) >= input.len();
            examine(&window, offset, is_last, cx)?;
            offset = offset.saturating_add(len);
            if !is_last {
                offset = offset.saturating_sub(to_u64(OVERLAP));
            }
        }
        Ok(())
    }
}

/// Looks at one window of the text, which begins at `base`.
fn examine(window: &[u8], base: u64, is_last: bool, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    cx.charge(to_u64(window.len() / 64), base)?;
    if let Some(at) = memchr::memchr(0, window) {
        let at = base.saturating_add(to_u64(at));
        return Err(Stop::malformed(at, "text ends here and something else begins"));
    }
    for secret in secrets::find(window) {
        let span = Span::at(base.saturating_add(to_u64(secret.at)));
        cx.push(Evidence::new(Kind::SecretFound, secret.kind, span).with("masked", secret.masked));
    }
    let mut at = 0;
    while let Some(found) = next_run(window, at) {
        let (start, end) = found;
        // A run that goes on beyond the window is met again in the next one.
        let cut = end == window.len() && !is_last && start > 0;
        if !cut && let Some((bytes, nature)) = encoded::payload(window.get(start..end).unwrap_or_default()) {
            let offset = base.saturating_add(to_u64(start));
            let name = format!("encoded payload at {offset}");
            match nature {
                Nature::Certain => cx.child(&name, bytes.into())?,
                Nature::Possible => cx.data(&name, bytes.into())?,
            }
        }
        at = end.max(start.saturating_add(1));
    }
    Ok(())
}

/// The next run of base64 digits that is worth decoding, line breaks of
/// wrapped blocks included.
fn next_run(window: &[u8], from: usize) -> Option<(usize, usize)> {
    let mut at = from;
    loop {
        let rest = window.get(at..)?;
        let skipped = rest.iter().position(|byte| encoded::is_base64(*byte))?;
        let start = at.saturating_add(skipped);
        let mut end = start.saturating_add(digits(window, start));
        let first = end.saturating_sub(start);
        while end.saturating_sub(start) >= WRAPPED {
            let breaks =
                window.get(end..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            let next = end.saturating_add(breaks);
            let more = digits(window, next);
            if breaks == 0 || breaks > 8 || more == 0 {
                break;
            }
            end = next.saturating_add(more);
        }
        let padding = window.get(end..).unwrap_or_default().iter().take(2).take_while(|byte| **byte == b'=').count();
        end = end.saturating_add(padding);
        if first >= SHORTEST {
            return Some((start, end));
        }
        at = end.max(start.saturating_add(1));
    }
}

fn digits(window: &[u8], from: usize) -> usize {
    window.get(from..).unwrap_or_default().iter().take_while(|byte| encoded::is_base64(**byte)).count()
}
