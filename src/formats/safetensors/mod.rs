//! safetensors: a JSON header, then raw tensors.
//!
//! Nothing in it runs; what can be wrong is the header, which the reference
//! implementation checks strictly and other readers do not. Only the header is
//! read here, whatever the file's length.

mod wire;

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::{About, Format, Head, Match};
use crate::input::{Input, to_u64, to_usize};
use crate::inspect::TENSORS;
use crate::json::{Event, Events};
use crate::stop::Stop;

use wire::{Fault, Header, MAX_HEADER_SIZE, Placed};

/// The safetensors reader.
pub struct Safetensors;

impl Format for Safetensors {
    fn name(&self) -> &'static str {
        "safetensors"
    }

    fn about(&self) -> About {
        About {
            title: "safetensors, as safetensors/src/tensor.rs reads it",
            extensions: &[".safetensors"],
            reads: "the header: every tensor's type, shape and place, every metadata entry",
            leaves_out: "the numbers in the tensors",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        let named = if head.is_named(&[".safetensors"]) { Match::Name } else { Match::No };
        let Some(length) = head.first.first_chunk::<8>().map(|bytes| u64::from_le_bytes(*bytes)) else {
            return named;
        };
        let json = head.first.get(8..).unwrap_or_default();
        let Some(second) = json.iter().skip(1).find(|byte| !byte.is_ascii_whitespace()) else { return named };
        if !json.starts_with(b"{") || !matches!(second, b'"' | b'}') {
            return named;
        }
        let fits = length <= head.len.saturating_sub(8);
        let shown = json.get(..json.len().min(4096)).unwrap_or_default();
        let speaks = [&b"\"dtype\""[..], b"\"data_offsets\"", b"\"__metadata__\""];
        if (fits && length <= MAX_HEADER_SIZE) || speaks.iter().any(|word| memchr::memmem::find(shown, word).is_some())
        {
            Match::Magic
        } else {
            named
        }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let length = input.cursor().u64_le()?;
        let held = input.len().saturating_sub(8);
        if length > MAX_HEADER_SIZE {
            let detail = format!("{length} bytes, of which the loader reads {MAX_HEADER_SIZE}");
            cx.push(Evidence::new(Kind::HeaderField, "header-length", Span::new(0, 8)).with("detail", detail));
        }
        let read = length.min(held).min(cx.limits().header_bytes);
        let bytes = input.bytes(8, read, cx.limits().header_bytes)?;
        if bytes.first() != Some(&b'{') {
            cx.push(
                Evidence::new(Kind::HeaderField, "header-start", Span::at(8))
                    .with("detail", "the first byte of the header is not `{`"),
            );
        }
        cx.charge(read / 16, 8)?;
        let list = if cx.describes() { to_usize(cx.limits().listed_lines) } else { 0 };
        let mut header = Header::listing(list);
        let outcome = header.read(&bytes, cx.limits());
        describe(&header, length, cx);
        report(&header, input, cx)?;
        if read < length && read < held {
            return Err(Stop::Limit { offset: read.saturating_add(8), limit: "header-bytes" });
        }
        if read < length {
            return Err(Stop::Truncated { offset: input.len(), needed: length.saturating_sub(read) });
        }
        let end = match outcome {
            Ok(end) => end,
            Err(stop) => {
                // The header is all there, and no JSON.
                if matches!(stop, Stop::Malformed { .. } | Stop::Truncated { .. }) {
                    let at = Span::at(stop.offset().saturating_add(8));
                    cx.push(Evidence::new(Kind::HeaderField, "not-json", at).with("detail", stop.to_string()));
                }
                return Err(stop.shifted(8));
            }
        };
        if end < length {
            let span = Span::new(end.saturating_add(8), length.saturating_sub(end));
            cx.push(
                Evidence::new(Kind::BytesUnexplained, "between", span)
                    .with("length", span.length.to_string())
                    .with("of", "safetensors"),
            );
            cx.behind("behind the header", &input.prefix(length.saturating_add(8)), span.offset)?;
        }
        layout(header, &bytes, input, cx)
    }
}

/// Lists the tensors, when somebody wants to see them.
fn describe(header: &Header, length: u64, cx: &mut Cx<'_, '_>) {
    cx.field("header_length", || length.into());
    cx.field("tensors", || header.tensors.len().into());
    let data = length.saturating_add(8);
    for (index, Placed { begin, end, .. }) in header.tensors.iter().enumerate() {
        cx.row("tensors", TENSORS, || {
            let (name, dtype, shape) = header.listed.get(index).cloned().unwrap_or_default();
            let shape: Vec<serde_json::Value> =
                shape.iter().map(|n| n.parse::<u64>().map_or_else(|_| n.as_str().into(), Into::into)).collect();
            let (offset, bytes) = (data.saturating_add(*begin), end.saturating_sub(*begin));
            vec![name.into(), dtype.into(), shape.into(), offset.into(), bytes.into()]
        });
    }
}

/// Tells what the header says.
fn report(header: &Header, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    for fault in &header.faults {
        match fault {
            Fault::Field(what, at, detail) => {
                let at = Span::at(at.saturating_add(8));
                cx.push(Evidence::new(Kind::HeaderField, *what, at).with("detail", detail.clone()));
            }
            Fault::Layout(what, tensor, at, detail) => {
                let evidence = Evidence::new(Kind::TensorLayout, *what, Span::at(at.saturating_add(8)));
                let tensor = cx.shorten(tensor);
                cx.push(evidence.with("tensor", tensor).with("detail", detail.clone()));
            }
            Fault::Dtype(at, dtype) => {
                let shown: String = dtype.chars().take(40).collect();
                let evidence = Evidence::new(Kind::HeaderField, "dtype", Span::at(at.saturating_add(8)));
                cx.push(evidence.with("detail", format!("there is no tensor type `{shown}`")));
            }
        }
    }
    for entry in &header.metadata {
        let key = cx.shorten(&entry.key);
        let text = cx.shorten(&entry.text);
        let at = Span::at(entry.at.saturating_add(8));
        cx.push(Evidence::new(Kind::MetadataValue, key, at).with("text", text));
    }
    // What a framework keeps in its metadata is a configuration: read as one.
    if let Some((begin, end)) = header.metadata_at {
        let window = input.window(begin.saturating_add(8), end.saturating_sub(begin))?;
        cx.data("__metadata__", window)?;
    }
    let nesting = cx.limits().nesting;
    for entry in header.metadata.iter().filter(|entry| is_json(&entry.text, nesting)) {
        cx.data(&entry.key, Input::from(entry.text.as_bytes()))?;
    }
    Ok(())
}

/// Whether a string holds a whole JSON object or array.
fn is_json(text: &str, depth: u64) -> bool {
    if !text.trim_start().starts_with(['{', '[']) {
        return false;
    }
    let mut events = Events::new(text.as_bytes(), depth);
    while let Ok(event) = events.next() {
        match event {
            Some((_, Event::EndObject | Event::EndArray)) if events.level() == 0 => {
                return events.after() == to_u64(text.len());
            }
            Some(_) => {}
            None => break,
        }
    }
    false
}

/// Whether the tensors lie one after the other from the start of the data to
/// its end; `validate` in `tensor.rs`.
fn layout(header: Header, bytes: &[u8], input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    let data_at = to_u64(bytes.len()).saturating_add(8);
    let data = input.len().saturating_sub(data_at);
    let mut tensors = header.tensors;
    tensors.sort_unstable();
    let mut reached: u64 = 0;
    for (count, Placed { begin, end, key_at }) in tensors.into_iter().enumerate() {
        cx.charge(1, key_at)?;
        let what = match begin.cmp(&reached) {
            std::cmp::Ordering::Less => "overlap",
            std::cmp::Ordering::Greater => "hole",
            std::cmp::Ordering::Equal => "",
        };
        if !what.is_empty() {
            let span = Span::new(data_at.saturating_add(begin.min(reached)), begin.abs_diff(reached));
            cx.push(
                Evidence::new(Kind::TensorLayout, what, span)
                    .with("tensor", wire::key_text(bytes, key_at))
                    .with("detail", format!("tensor {count} begins at {begin}, the one before ends at {reached}")),
            );
        }
        reached = reached.max(end);
    }
    if reached > data {
        return Err(Stop::Truncated { offset: input.len(), needed: reached.saturating_sub(data) });
    }
    if reached < data {
        let span = Span::new(data_at.saturating_add(reached), data.saturating_sub(reached));
        cx.push(
            Evidence::new(Kind::BytesUnexplained, "after", span)
                .with("length", span.length.to_string())
                .with("of", "safetensors"),
        );
        cx.behind("behind the tensors", input, span.offset)?;
    }
    Ok(())
}
