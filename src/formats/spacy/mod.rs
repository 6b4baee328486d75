//! Configurations of spaCy pipelines (`config.cfg`): sections and keys as in an
//! INI file, values in JSON. Loading a pipeline imports and calls what its
//! components name, and loads the pipelines that they are taken from.

mod known;

use serde_json::Value;

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::{About, Format, Head, Match, reference};
use crate::input::{Input, to_u64};
use crate::stop::Stop;
use crate::text;

/// The format.
#[derive(Debug)]
pub struct Spacy;

impl Format for Spacy {
    fn name(&self) -> &'static str {
        "spacy"
    }

    fn about(&self) -> About {
        About {
            title: "spaCy pipeline configurations (config.cfg)",
            extensions: &["config.cfg"],
            reads: "every key: registered functions, factories, pipelines that parts are taken from, paths",
            leaves_out: "what functions of other packages do",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        let has = |what: &[u8]| memchr::memmem::find(head.first, what).is_some();
        if has(b"[nlp]") && (has(b"pipeline") || has(b"[components")) && text::encoding(head.first, true).is_some() {
            Match::Likely
        } else {
            Match::No
        }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let bytes = text::source(input, cx.limits().source_bytes)?;
        let source = text::decode(&bytes).into_owned();
        let mut section = String::new();
        let mut key: Option<Key> = None;
        let mut offset = 0;
        for line in source.split_inclusive('\n') {
            cx.charge(1_u64.saturating_add(to_u64(line.len()) / 64), offset)?;
            let (at, text) = (offset, line.trim());
            offset = offset.saturating_add(to_u64(line.len()));
            if text.is_empty() || text.starts_with(['#', ';']) {
                continue;
            }
            if let Some(open) = key.as_mut().filter(|_| line.starts_with([' ', '\t'])) {
                // A value goes on in indented lines.
                open.value.push('\n');
                open.value.push_str(text);
                continue;
            }
            if let Some(whole) = key.take() {
                whole.read(&section, cx)?;
            }
            if let Some(name) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
                name.trim().clone_into(&mut section);
            } else if let Some((name, value)) = text.split_once('=') {
                let (name, value) = (name.trim().to_owned(), value.trim().to_owned());
                key = Some(Key { name, value, span: Span::new(at, to_u64(line.len())) });
            }
        }
        key.map_or(Ok(()), |whole| whole.read(&section, cx))
    }
}

/// A key, and its value as it is written.
struct Key {
    name: String,
    value: String,
    span: Span,
}

impl Key {
    fn read(self, section: &str, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        // What is no JSON is a reference to another section, or text.
        let value = serde_json::from_str(&self.value).unwrap_or(Value::String(self.value));
        entry(section, &self.name, &value, self.span, cx)
    }
}

/// Sections that are resolved when the pipeline is loaded; the others are for
/// training.
fn is_loaded(section: &str) -> bool {
    section == "nlp" || section.starts_with("nlp.") || section.starts_with("components")
}

/// One key of a section; values may hold more of them.
fn entry(section: &str, key: &str, value: &Value, span: Span, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    let mut open = vec![(key.to_owned(), value)];
    while let Some((key, value)) = open.pop() {
        cx.charge(1, span.offset)?;
        match value {
            Value::String(text) => self::text(section, &key, text, span, cx),
            Value::Array(items) => open.extend(items.iter().map(|item| (key.clone(), item))),
            Value::Object(fields) => open.extend(fields.iter().map(|(key, value)| (key.clone(), value))),
            _ => {}
        }
    }
    Ok(())
}

fn text(section: &str, key: &str, text: &str, span: Span, cx: &mut Cx<'_, '_>) {
    let when = if is_loaded(section) { "loading" } else { "training" };
    let is_component = section.starts_with("components.") && section.matches('.').count() == 1;
    let code = |what: &'static str, cx: &mut Cx<'_, '_>| {
        let shown = text::excerpt(text, 120);
        let evidence = Evidence::new(Kind::ReferenceCode, shown, span).with("key", what).with("when", when);
        cx.push(evidence.with("detail", text::excerpt(section, 120)));
    };
    match key {
        "factory" if is_component && !known::is_factory(text) => code("factory", cx),
        "source" if is_component => match reference::classify(text) {
            "inside" if !text.contains(['/', '\\']) => code("pipeline", cx),
            way => path(way, "pipeline", text, span, cx),
        },
        _ if key.starts_with('@') && !known::is_function(text) => {
            code(if key == "@callbacks" && when == "loading" { "callback" } else { "function" }, cx);
        }
        "lang" if section == "nlp" && !text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_') => {
            code("language", cx);
        }
        _ if when == "loading" && !key.starts_with('@') => {
            let way = reference::classify(text);
            // Addresses of models are told elsewhere; here, files are.
            if way != "inside" && (text.contains('/') || text.contains('\\')) {
                path(way, "setting", text, span, cx);
            }
        }
        _ => {}
    }
}

fn path(way: &'static str, by: &'static str, path: &str, span: Span, cx: &mut Cx<'_, '_>) {
    let evidence = Evidence::new(Kind::ReferencePath, way, span).with("path", text::excerpt(path, 200));
    cx.push(evidence.with("by", by));
}
