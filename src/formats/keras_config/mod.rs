//! Keras configurations: `config.json` of a `.keras` file, the JSON attributes
//! of an `.h5` file, `model.json`, and the metadata of a Keras SavedModel.
//!
//! Keras builds a model from such a tree by importing what it names and calling
//! it with what it holds. Every object at any depth is looked at, whatever the
//! keys above it are called: wrappers, losses and custom layers deserialise
//! whatever they are given.

mod names;

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::marshal::looks_like_code;
use crate::formats::{About, Format, Head, Match};
use crate::input::{Input, to_u64};
use crate::json::{self, Json, Step, Value};
use crate::stop::Stop;

use names::Named;

/// Python's `codecs.decode(..., "base64")` needs no exact padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Layers that read their vocabulary from a path when it is a string (CVE-2025-12058).
const LOOKUPS: &[&str] = &["StringLookup", "IntegerLookup", "TextVectorization", "Hashing", "CategoryEncoding"];

/// Keys of a layer's configuration that its class reads as a path or address.
const PATHS: &[&str] = &["filepath", "file_path", "vocabulary_file", "origin", "url", "saved_model_path"];

/// The format.
#[derive(Debug)]
pub struct KerasConfig;

impl Format for KerasConfig {
    fn name(&self) -> &'static str {
        "keras-config"
    }

    fn about(&self) -> About {
        About {
            title: "Keras model configuration (JSON, keras/src/saving/serialization_lib.py)",
            extensions: &[".json"],
            reads: "every object of the tree: classes, functions, serialised code, encoded pickles, paths",
            leaves_out: "what a custom class's own from_config does with its configuration",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        let text = head.first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head.first);
        if !matches!(text.iter().find(|byte| !byte.is_ascii_whitespace()), Some(b'{' | b'[')) {
            return Match::No;
        }
        let holds = |key: &[u8]| [head.first, head.last].iter().any(|part| memchr::memmem::find(part, key).is_some());
        if holds(b"\"class_name\"") && holds(b"\"config\"") || head.name == "config.json" {
            return Match::Likely;
        }
        Match::No
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let whole = input.all(cx.limits().header_bytes)?;
        let bytes = super::json::documents::decoded(&whole);
        let document = json::parse(&bytes, cx.limits())?;
        let mut seen = BTreeSet::new();
        let mut payloads = Vec::new();
        let mut outcome = Ok(());
        document.root.walk(&mut |path, value| {
            if outcome.is_ok() {
                outcome = cx.charge(1, value.offset);
            }
            match &value.value {
                Value::Object(members) => {
                    repeated(members, path, cx);
                    for class in value.get_all("class_name").filter_map(Json::as_str) {
                        object(value, class, path, &mut seen, cx);
                    }
                    if value.get("safe_mode").and_then(Json::as_bool) == Some(false) {
                        let evidence = Evidence::new(Kind::HeaderField, "safe-mode-off", Span::at(value.offset));
                        cx.push(evidence.with("detail", json::path_text(path)));
                    }
                }
                Value::String(text) => {
                    if text.contains("enable_unsafe_deserialization") && seen.insert((String::new(), text.clone())) {
                        let name = "keras.config.enable_unsafe_deserialization";
                        let evidence = Evidence::new(Kind::LayerUse, name, Span::at(value.offset));
                        cx.push(evidence.with("key", json::path_text(path)));
                    }
                    payloads.extend(payload(text).map(|payload| (json::path_text(path), payload)));
                }
                _ => {}
            }
        });
        outcome?;
        for (name, payload) in payloads {
            match payload {
                Payload::Code(bytes) => cx.child_as("marshal", &name, bytes.into())?,
                Payload::Loaded(bytes) => cx.data(&name, bytes.into())?,
                Payload::Config(text) => cx.child_as("keras-config", &name, text.into_bytes().into())?,
            }
        }
        if !matches!(document.root.value, Value::Object(_)) && seen.is_empty() {
            cx.gap(&Stop::malformed(document.root.offset, "the configuration is no object"));
        }
        if document.end < to_u64(bytes.len()) {
            let rest = to_u64(bytes.len()).saturating_sub(document.end);
            let evidence = Evidence::new(Kind::BytesUnexplained, "after", Span::new(document.end, rest));
            cx.push(evidence.with("length", rest.to_string()).with("of", "keras-config"));
        }
        Ok(())
    }
}

/// Something that is encoded in a string.
enum Payload {
    /// A marshalled function.
    Code(Vec<u8>),
    /// A pickle or an archive, as torch writes modules.
    Loaded(Vec<u8>),
    /// Another configuration.
    Config(String),
}

/// Evidence of keys that stand twice in one object, where it matters which one counts.
fn repeated(members: &[(String, Json)], path: &[Step<'_>], cx: &mut Cx<'_, '_>) {
    for key in ["class_name", "module", "registered_name", "config", "function"] {
        let mut places = members.iter().filter(|(name, _)| name == key);
        if let (Some(_), Some((_, second))) = (places.next(), places.next()) {
            let evidence = Evidence::new(Kind::HeaderField, "duplicate-key", Span::at(second.offset));
            cx.push(evidence.with("detail", format!("{key} in {}", json::path_text(path))));
        }
    }
}

/// Evidence of one object of the tree.
fn object(value: &Json, class: &str, path: &[Step<'_>], seen: &mut BTreeSet<(String, String)>, cx: &mut Cx<'_, '_>) {
    let named = Named::of(value, class);
    let config = value.get("config");
    let span = Span::at(value.offset);
    let key = json::path_text(path);
    paths(&named, config, span, cx);
    let detail = detail(&named, value, config);
    cx.row("layers", &["class", "name", "at", "detail"], || {
        let name = config.and_then(|config| config.get("name")).and_then(Json::as_str);
        let detail = if detail.is_empty() { None } else { Some(detail) };
        vec![named.dotted().into(), name.into(), key.clone().into(), detail.into()]
    });
    let registered = value.get("registered_name").and_then(Json::as_str).unwrap_or_default();
    let package = named.package.clone().unwrap_or_default();
    if !seen.insert((format!("{}\u{0}{package}", named.dotted()), format!("{detail}\u{0}{registered}"))) {
        return;
    }
    let mut evidence = Evidence::new(Kind::LayerUse, named.dotted(), span)
        .with("key", key.clone())
        .with("detail", detail)
        .with("kind", if named.is_function { "function" } else { "class" });
    if !registered.is_empty() {
        evidence = evidence.with("registered", registered);
    }
    if !package.is_empty() {
        evidence = evidence.with("package", package.clone());
    }
    cx.push(evidence);
    let loaded = |module: &str, how: &str| {
        let resolved = crate::names::resolve(module, &named.name);
        Evidence::new(Kind::ObjectType, resolved.canonical, span)
            .with("loader", "keras")
            .with("how", how.to_owned())
            .with("kind", if named.is_function { "function" } else { "class" })
            .with("key", key.clone())
    };
    if !named.is_framework() {
        cx.push(loaded(&named.module, if package.is_empty() { "module" } else { "registered-module" }));
    } else if crate::names::is_stdlib(&package) && named.module.is_empty() {
        cx.push(loaded(&package, "registered"));
    }
    if detail == "named" {
        named_function(config, span, &key, cx);
    }
}

/// The function that a Lambda layer of Keras 2 names, when its module is one of
/// Python's own: `_parse_function_from_config` takes in whatever the module holds.
fn named_function(config: Option<&Json>, span: Span, key: &str, cx: &mut Cx<'_, '_>) {
    let text = |name: &str| config.and_then(|config| config.get(name)).and_then(Json::as_str);
    let (Some(module), Some(function)) = (text("module"), text("function")) else { return };
    if crate::names::is_stdlib(module) && module != "__main__" {
        cx.push(
            Evidence::new(Kind::ObjectType, crate::names::resolve(module, function).canonical, span)
                .with("loader", "keras")
                .with("how", "module")
                .with("kind", "function")
                .with("key", key),
        );
    }
}

/// What tells one use of a class from another: whether a Lambda carries code.
fn detail(named: &Named, value: &Json, config: Option<&Json>) -> &'static str {
    if value.get("class_name").and_then(Json::as_str) == Some("__lambda__") {
        return "code";
    }
    if !named.is_keras("Lambda") {
        return "";
    }
    let function = config.and_then(|config| config.get("function"));
    match function.map(|function| &function.value) {
        // Keras 3: an object; `__lambda__` is code, anything else is found by name.
        Some(Value::Object(_)) => {
            let class = function.and_then(|function| function.get("class_name")).and_then(Json::as_str);
            if class == Some("function") { "named" } else { "code" }
        }
        // Keras 2: [code, defaults, closure], or a name with its `function_type`.
        Some(Value::String(_)) => {
            let kind = config.and_then(|config| config.get("function_type")).and_then(Json::as_str);
            if kind == Some("function") { "named" } else { "code" }
        }
        Some(Value::Null) | None => "empty",
        _ => "code",
    }
}

/// Evidence of paths that a layer reads when it is built.
fn paths(named: &Named, config: Option<&Json>, span: Span, cx: &mut Cx<'_, '_>) {
    let Some(config) = config else { return };
    let mut found: Vec<&str> = Vec::new();
    if LOOKUPS.contains(&named.name.as_str()) {
        found.extend(config.get_all("vocabulary").filter_map(Json::as_str));
    }
    for (key, value) in config.members() {
        if PATHS.contains(&key.as_str()) || (named.name == "TFSMLayer" && key == "filepath") {
            found.extend(value.as_str());
        }
    }
    for path in found.into_iter().filter(|path| !path.is_empty()) {
        let evidence = Evidence::new(Kind::ReferencePath, super::hdf5::reach(path), span);
        let by = format!("layer {}", named.name);
        cx.push(evidence.with("path", path).with("by", by).with("name", path));
    }
}

/// What `text` encodes, if that is something a loader would load.
fn payload(text: &str) -> Option<Payload> {
    let trimmed = text.trim_start();
    if trimmed.starts_with('{') && trimmed.contains("class_name") {
        return Some(Payload::Config(trimmed.to_owned()));
    }
    // The first sextets of `c` or `\xe3` (a code object), `\x80` (a pickle), `PK` and gzip.
    let encoded = ["Yw", "4w", "gA", "UE", "H4s"].iter().any(|start| trimmed.starts_with(start));
    if !encoded || trimmed.len() < 24 {
        return None;
    }
    let compact: Vec<u8> = trimmed.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    // A name may begin alike: then some letter is not of the alphabet.
    let bytes = BASE64.decode(&compact).ok()?;
    if looks_like_code(&bytes) {
        return Some(Payload::Code(bytes));
    }
    let loaded = matches!(bytes.as_slice(), [0x80, 2..=5, ..])
        || bytes.starts_with(b"PK\x03\x04")
        || bytes.starts_with(b"\x1f\x8b\x08");
    (loaded && to_u64(bytes.len()) > 4).then_some(Payload::Loaded(bytes))
}
