//! JSON and JSON Lines: configurations, tokenizers, indices, models. Every key
//! and string is seen; keys that make a loader import, construct or fetch
//! something are evidence, encoded payloads are children.

pub(super) mod documents;

use std::borrow::Cow;

use crate::artifact::GapReason;
use crate::engine::Cx;
use crate::formats::{About, Format, Head, Match};
use crate::input::{Input, to_u64};
use crate::json::{Event, Events};
use crate::stop::Stop;
use crate::text;
use crate::text::config::Walk;

/// Reads JSON: see [`Format`].
#[derive(Debug)]
pub struct Json;

const NAMED: &[&str] = &[".json", ".jsonl", ".ndjson", ".ipynb", ".geojson", ".webmanifest"];
const LINES: &[&str] = &[".jsonl", ".ndjson"];

/// Whether `first` could begin a JSON object or array, not merely something
/// in brackets.
pub(crate) fn begins(first: &[u8]) -> bool {
    let first = first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(first);
    let mut bytes = first.iter().copied().filter(|byte| !byte.is_ascii_whitespace());
    match (bytes.next(), bytes.next()) {
        (Some(b'{'), next) => matches!(next, Some(b'"' | b'}') | None),
        (Some(b'['), next) => {
            matches!(next, Some(b'{' | b'[' | b']' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n') | None)
        }
        _ => false,
    }
}

impl Format for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn about(&self) -> About {
        About {
            title: "JSON (RFC 8259, as Python reads it) and JSON Lines; Hugging Face configurations",
            extensions: NAMED,
            reads: "every key and string: code that loaders import or construct, templates, encoded payloads",
            leaves_out: "what numbers mean",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        // Blanks before a document are as many as its author likes; letters of
        // UTF-16 and UTF-32 keep their places.
        let blank = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0;
        let blanks = head.first.iter().position(|byte| !blank(byte)).unwrap_or(head.first.len()) & !3;
        let start = head.first.get(blanks..).unwrap_or_default();
        let start = start.get(..start.len().min(1024)).unwrap_or_default();
        let only_blanks = start.iter().all(blank);
        match (begins(&documents::decoded(start)), head.is_named(NAMED)) {
            (true, _) => Match::Likely,
            (false, true) if only_blanks && !head.first.is_empty() => Match::Likely,
            (false, true) => Match::Name,
            _ => Match::No,
        }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let outcome = read(input, cx);
        text::keep_limit(outcome, cx)
    }
}

fn read(input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    let whole = input.all(cx.limits().header_bytes)?;
    let decoded = documents::decoded(&whole);
    let bytes: &[u8] = &decoded;
    let name = cx.name().to_lowercase();
    let mut kinds = documents::Kinds::default();
    let outcome = match documents(bytes, &mut kinds, cx) {
        Ok(end) if end < to_u64(bytes.len()) => {
            let content = if let Cow::Owned(text) = &decoded { Input::from(text.as_slice()) } else { input.clone() };
            cx.behind("behind the JSON document", &content, end)?;
            Err(Stop::malformed(end, "something follows the JSON document"))
        }
        other => other.map(|_| ()),
    };
    let text = match &decoded {
        Cow::Borrowed(_) => None,
        Cow::Owned(text) => Some(text.as_slice()),
    };
    kinds.examine(input, text, cx)?;
    let named = NAMED.iter().any(|ending| name.ends_with(ending));
    if let Err(stop) = &outcome
        && named
    {
        // Something by this name is meant to be JSON: that it can't be
        // read is a gap even when it can be read as text.
        cx.gap(stop);
        return Ok(());
    }
    if outcome.is_ok() && bytes.iter().all(u8::is_ascii_whitespace) && !bytes.is_empty() && named {
        cx.gap_because(GapReason::Malformed, "there is no JSON document", 0);
    }
    outcome
}

/// Reads one document, or one a line; where something else begins.
fn documents(bytes: &[u8], kinds: &mut documents::Kinds, cx: &mut Cx<'_, '_>) -> Result<u64, Stop> {
    let depth = cx.limits().nesting;
    let mut base = 0_usize;
    let lines = LINES.iter().any(|ending| cx.name().to_lowercase().ends_with(ending));
    loop {
        let rest = bytes.get(base..).unwrap_or_default();
        if rest.iter().all(u8::is_ascii_whitespace) {
            return Ok(to_u64(bytes.len()));
        }
        let mut events = Events::new(rest, depth);
        document(&mut events, to_u64(base), kinds, cx).map_err(|stop| stop.shifted(to_u64(base)))?;
        let read = crate::input::to_usize(events.after());
        base = base.saturating_add(read);
        // More documents follow each other in JSON Lines; elsewhere, Python
        // refuses what comes behind the first.
        let more = bytes.get(base..).unwrap_or_default();
        if read == 0 || !more.is_empty() && !lines && !begins(more) {
            return Ok(to_u64(base));
        }
    }
}

fn document(events: &mut Events<'_>, base: u64, kinds: &mut documents::Kinds, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    let mut walk = Walk::new(cx.name());
    let mut keyed: Option<String> = None;
    while let Some((offset, event)) = events.next()? {
        cx.charge(1, offset)?;
        let offset = offset.saturating_add(base);
        if let Some(key) = keyed.take() {
            kinds.key(&key, matches!(event, Event::Number(_)));
        }
        match event {
            Event::BeginObject => walk.open_object(),
            Event::BeginArray => walk.open_array(),
            Event::EndObject | Event::EndArray => walk.close(),
            Event::Key(key) => {
                walk.key(&key);
                keyed = Some(key.into_owned());
            }
            Event::String(text) => walk.string(&text, offset, cx)?,
            Event::Bool(value) => walk.truth(value, offset, cx),
            Event::Number(_) | Event::Null => walk.other(),
        }
    }
    Ok(())
}
