//! GGUF, versions 1 to 3 in both byte orders, and the formats before it.
//!
//! The metadata is read whole and every tensor's place is checked the way
//! llama.cpp does; chat templates go on as Jinja. Numbers in tensors are not
//! looked at.

mod legacy;
mod tensors;
mod types;
mod wire;

use std::collections::BTreeSet;

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::{About, Format, Head, Match, jinja};
use crate::input::{Input, to_u64, to_usize};
use crate::stop::Stop;

pub use legacy::Ggml;
use wire::{Entry, Value, Wire};

/// `GGUF_DEFAULT_ALIGNMENT`
const DEFAULT_ALIGNMENT: u64 = 32;

/// The GGUF reader.
pub struct Gguf;

impl Format for Gguf {
    fn name(&self) -> &'static str {
        "gguf"
    }

    fn about(&self) -> About {
        About {
            title: "GGUF versions 1 to 3, as ggml/src/gguf.cpp reads it",
            extensions: &[".gguf"],
            reads: "every metadata entry, every tensor's type and place; chat templates as Jinja",
            leaves_out: "the numbers in the tensors; metadata arrays beyond their lengths",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        if head.starts_with(b"GGUF") {
            Match::Magic
        } else if head.is_named(&[".gguf"]) {
            Match::Name
        } else {
            Match::No
        }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        if input.len() < 4 || input.bytes(0, 4, 4)? != b"GGUF" {
            return Err(Stop::malformed(0, "the GGUF magic is missing"));
        }
        let mut wire = Wire::open(input)?;
        if !(1..=3).contains(&wire.version) {
            if wire.version == 0 {
                field(cx, "version", 4, "version 0".to_owned());
            }
            return Err(Stop::unsupported(4, format!("GGUF version {}", wire.version)));
        }
        let n_tensors = wire.size()?;
        let n_kv = wire.size()?;
        count(&wire, n_tensors, 24, "tensor-count", 8, cx);
        count(&wire, n_kv, 12, "entry-count", 16, cx);
        cx.field("version", || wire.version.into());
        cx.field("n_tensors", || n_tensors.into());
        cx.field("n_kv", || n_kv.into());
        let metadata = metadata(&mut wire, n_kv, input, cx)?;
        tensors::read(&mut wire, n_tensors, metadata.alignment, input, cx)
    }
}

/// Records a header field that breaks the loader's limit.
fn field(cx: &mut Cx<'_, '_>, what: &'static str, at: u64, detail: String) {
    cx.push(Evidence::new(Kind::HeaderField, what, Span::at(at)).with("detail", detail));
}

/// Records a count of things that can't fit in what remains of the file.
fn count(wire: &Wire<'_>, count: u64, least: u64, what: &'static str, at: u64, cx: &mut Cx<'_, '_>) {
    let remaining = wire.cursor.remaining();
    if count.saturating_mul(least) > remaining {
        field(cx, what, at, format!("{count} announced, and {remaining} bytes left"));
    }
}

/// What of the metadata decides how the rest is read.
struct Metadata {
    alignment: u64,
}

fn metadata(wire: &mut Wire<'_>, n_kv: u64, input: &Input, cx: &mut Cx<'_, '_>) -> Result<Metadata, Stop> {
    let mut alignment = DEFAULT_ALIGNMENT;
    let mut keys: BTreeSet<String> = BTreeSet::new();
    let mut lengths: Vec<(String, u64)> = Vec::new();
    let mut kept: u64 = 0;
    for _ in 0..n_kv {
        let position = wire.cursor.position();
        cx.charge(1, position)?;
        let entry = match wire.entry(cx) {
            Ok(entry) => entry,
            Err(stop) => {
                if let Stop::Malformed { offset, what } = &stop {
                    field(cx, "value", *offset, what.to_string());
                }
                return Err(stop);
            }
        };
        kept = kept.saturating_add(to_u64(entry.key.len()));
        if kept > cx.limits().header_bytes {
            return Err(Stop::Limit { offset: position, limit: "header-bytes" });
        }
        check(&entry, &keys, cx);
        cx.row("metadata", &["key", "type", "value"], || entry.described(input));
        if entry.key == "general.alignment" {
            match entry.value {
                Value::Number(Some(value)) if entry.kind == 4 && value.is_power_of_two() => alignment = value,
                _ => field(cx, "alignment", entry.at, "the alignment is not a 32-bit power of two".to_owned()),
            }
        }
        if let Value::Array(_, length) = entry.value
            && entry.key.starts_with("tokenizer.ggml.")
        {
            lengths.push((entry.key.clone(), length));
        }
        if let Value::String(at, length) = entry.value {
            string(&entry, at, length, input, &mut kept, cx)?;
        }
        templates(&entry, input, cx)?;
        keys.insert(entry.key);
    }
    vocabulary(&lengths, cx);
    Ok(Metadata { alignment })
}

/// The loader's rules for one entry.
fn check(entry: &Entry, keys: &BTreeSet<String>, cx: &mut Cx<'_, '_>) {
    if entry.key.is_empty() {
        field(cx, "empty-key", entry.at, "an entry has no key".to_owned());
    }
    if keys.contains(&entry.key) {
        let key = cx.shorten(&entry.key);
        field(cx, "duplicate-key", entry.at, format!("`{key}`"));
    }
    if entry.nested {
        let key = cx.shorten(&entry.key);
        field(cx, "array-of-arrays", entry.at, format!("`{key}`"));
    }
}

/// A string: evidence, and a child when it is a template or configuration.
fn string(entry: &Entry, at: u64, length: u64, input: &Input, kept: &mut u64, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    // Beyond this, metadata is no longer told one by one.
    *kept = kept.saturating_add(length.min(cx.limits().string_bytes));
    let shown = if *kept <= cx.limits().memory_bytes { length.min(cx.limits().string_bytes) } else { length.min(256) };
    let text = input.bytes(at, shown, cx.limits().string_bytes)?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let key = cx.shorten(&entry.key);
    let looks = text.trim_start().chars().next();
    // `tokenizer.chat_template` and `tokenizer.chat_template.<name>`, or any other.
    let is_template = entry.key.contains("chat_template") || jinja::is_template(&text);
    cx.push(Evidence::new(Kind::MetadataValue, key.clone(), Span::new(at, length)).with("text", text));
    if is_template {
        cx.child_as("jinja", &key, input.window(at, length)?)?;
    } else if matches!(looks, Some('{' | '[')) {
        cx.data(&key, input.window(at, length)?)?;
    }
    Ok(())
}

/// Templates in an array. Words of a vocabulary with braces are none.
fn templates(entry: &Entry, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    if !entry.key.contains("template") {
        return Ok(());
    }
    let bound = cx.limits().string_bytes;
    for (index, (at, length)) in entry.strings.iter().enumerate() {
        let text = input.bytes(*at, (*length).min(bound), bound)?;
        if jinja::is_template(&String::from_utf8_lossy(&text)) {
            let name = format!("{}[{index}]", cx.shorten(&entry.key));
            cx.child_as("jinja", &name, input.window(*at, *length)?)?;
        }
    }
    Ok(())
}

/// llama.cpp reads scores and types by token number (CVE-2025-49847's kin).
fn vocabulary(lengths: &[(String, u64)], cx: &mut Cx<'_, '_>) {
    let of = |key: &str| lengths.iter().find(|(name, _)| name == key).map(|(_, length)| *length);
    let Some(tokens) = of("tokenizer.ggml.tokens") else { return };
    for key in ["tokenizer.ggml.scores", "tokenizer.ggml.token_type"] {
        if let Some(length) = of(key)
            && length < tokens
        {
            field(cx, "vocabulary", 0, format!("`{key}` has {length} elements for {tokens} tokens"));
        }
    }
}

/// The first bytes of a name, for a message.
fn shown(name: &str) -> String {
    name.chars().take(to_usize(200)).collect()
}
