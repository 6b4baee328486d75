//! CycloneDX 1.6, as a bill of materials of machine-learning models: what was
//! there, with digests and verdicts, and what a model card claims.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::report::escape::uri_path;
use crate::report::{FileReport, ModelCard, Report, sanitise};
use crate::rules::hex;
use crate::source::HubKind;

/// Formats whose content is a model and can be nothing else; a pickle or an
/// archive may be anything.
const MODELS: &[&str] = &[
    "safetensors",
    "gguf",
    "ggml",
    "onnx",
    "tensorflow",
    "tflite",
    "ort",
    "executorch",
    "coreml",
    "paddle",
    "paddle-params",
    "tensorrt",
    "rknn",
    "mxnet",
    "ncnn",
    "torchscript",
    "torch7",
    "keras-config",
    "skops",
    "xgboost",
    "lightgbm",
    "catboost",
];

/// Licences by the names that model cards give them, and by SPDX's.
const SPDX: &[(&str, &str)] = &[
    ("apache-2.0", "Apache-2.0"),
    ("mit", "MIT"),
    ("bsd-2-clause", "BSD-2-Clause"),
    ("bsd-3-clause", "BSD-3-Clause"),
    ("cc0-1.0", "CC0-1.0"),
    ("cc-by-4.0", "CC-BY-4.0"),
    ("cc-by-sa-4.0", "CC-BY-SA-4.0"),
    ("cc-by-nc-4.0", "CC-BY-NC-4.0"),
    ("cc-by-nc-sa-4.0", "CC-BY-NC-SA-4.0"),
    ("cc-by-nc-nd-4.0", "CC-BY-NC-ND-4.0"),
    ("gpl-3.0", "GPL-3.0-only"),
    ("agpl-3.0", "AGPL-3.0-only"),
    ("lgpl-3.0", "LGPL-3.0-only"),
    ("mpl-2.0", "MPL-2.0"),
    ("unlicense", "Unlicense"),
    ("artistic-2.0", "Artistic-2.0"),
];

/// A folder that is a model by itself: a revision of a repository on the
/// Hugging Face Hub, or a folder with a model card.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Model<'a> {
    /// What paths of its files begin with.
    folder: String,
    /// Repository and commit.
    hub: Option<(&'a str, &'a str)>,
}

/// The bill of materials. `cards` are the model cards that were found, by the
/// path of their `README.md`.
///
/// # Errors
/// Only when serialisation itself fails.
pub fn cyclonedx(report: &Report, cards: &BTreeMap<String, ModelCard>) -> serde_json::Result<String> {
    let mut models: BTreeMap<Model<'_>, Vec<&FileReport>> = BTreeMap::new();
    let mut others: Vec<&FileReport> = Vec::new();
    for file in &report.files {
        match model_of(file, cards) {
            Some(model) => models.entry(model).or_default().push(file),
            None => others.push(file),
        }
    }
    let mut components: Vec<Value> = models.iter().map(|(model, files)| model_component(model, files, cards)).collect();
    components.extend(others.iter().map(|file| file_component(file, true)));
    let bom = json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": serial_number(report),
        "version": 1,
        "metadata": {
            "lifecycles": [{ "phase": "discovery" }],
            "tools": { "components": [
                { "type": "application", "name": report.tool.name, "version": report.tool.version }
            ]},
            "properties": [property("weighin:ruleset", &report.ruleset.digest)],
        },
        "components": components,
    });
    serde_json::to_string_pretty(&bom).map(|text| text + "\n")
}

/// The innermost model that `file` belongs to.
fn model_of<'a>(file: &'a FileReport, cards: &BTreeMap<String, ModelCard>) -> Option<Model<'a>> {
    if let Some(hub) = &file.hub {
        let folder = file.path.strip_suffix(&hub.path)?.to_owned();
        return (hub.kind == HubKind::Model).then_some(Model { folder, hub: Some((&hub.repository, &hub.revision)) });
    }
    let names = file.path.match_indices('/').map(|(slash, _)| file.path.get(..=slash).unwrap_or_default());
    let folders = names.rev().chain([""]);
    let mut carded = folders.filter(|folder| cards.contains_key(&format!("{folder}README.md")));
    carded.next().map(|folder| Model { folder: folder.to_owned(), hub: None })
}

fn model_component(model: &Model<'_>, files: &[&FileReport], cards: &BTreeMap<String, ModelCard>) -> Value {
    let readme = format!("{}README.md", model.folder);
    let shown = model.folder.trim_end_matches(['/', ':']);
    let mut component = Map::new();
    let mut put = |name: &str, value: Value| component.insert(name.to_owned(), value);
    put("type", json!("machine-learning-model"));
    put("bom-ref", json!(format!("model:{}", uri_path(shown))));
    put("properties", json!(verdicts(files)));
    put("components", files.iter().map(|file| file_component(file, false)).collect());
    match model.hub {
        Some((repository, commit)) => {
            let (group, name) = repository.split_once('/').unwrap_or(("", repository));
            if !group.is_empty() {
                put("group", json!(sanitise(group)));
            }
            put("name", json!(sanitise(name)));
            put("version", json!(commit));
            let repository = uri_path(repository);
            put("purl", json!(format!("pkg:huggingface/{repository}@{commit}")));
            let page = format!("https://huggingface.co/{repository}");
            put(
                "externalReferences",
                json!([
                    { "type": "vcs", "url": page },
                    { "type": "distribution", "url": format!("{page}/tree/{commit}") },
                    { "type": "model-card", "url": format!("{page}/blob/{commit}/README.md") },
                ]),
            );
        }
        None => {
            let name = shown.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or("model");
            put("name", json!(sanitise(name)));
            put("externalReferences", json!([{ "type": "model-card", "url": uri_path(&readme) }]));
        }
    }
    if let Some(card) = cards.get(&readme) {
        if let Some(licence) = licence(card) {
            put("licenses", json!([{ "license": licence }]));
        }
        if !card.tags.is_empty() {
            put("tags", card.tags.iter().map(|tag| json!(sanitise(tag))).collect());
        }
        put("modelCard", model_card(card));
    }
    Value::Object(component)
}

fn model_card(card: &ModelCard) -> Value {
    let mut parameters = Map::new();
    if let Some(task) = &card.task {
        parameters.insert("task".to_owned(), json!(sanitise(task)));
    }
    if !card.datasets.is_empty() {
        let datasets = card.datasets.iter().map(|name| json!({ "type": "dataset", "name": sanitise(name) }));
        parameters.insert("datasets".to_owned(), datasets.collect());
    }
    let library = card.library.iter().map(|library| property("huggingface:library_name", library));
    let bases = card.base_models.iter().map(|base| property("huggingface:base_model", base));
    let languages = card.languages.iter().map(|language| property("huggingface:language", language));
    let properties: Vec<Value> = library.chain(bases).chain(languages).collect();
    json!({ "modelParameters": parameters, "properties": properties })
}

/// The licence that the publisher declares; SPDX's name only where there is no
/// doubt which it is.
fn licence(card: &ModelCard) -> Option<Value> {
    let declared = card.licence.as_deref()?;
    let mut licence = match SPDX.iter().find(|(name, _)| *name == declared) {
        Some((_, id)) => json!({ "id": id }),
        None => json!({ "name": sanitise(card.licence_name.as_deref().unwrap_or(declared)) }),
    };
    if let Some(members) = licence.as_object_mut() {
        members.insert("acknowledgement".to_owned(), json!("declared"));
        if let Some(rest) = card.licence_link.as_deref().and_then(|link| link.strip_prefix("https://")) {
            members.insert("url".to_owned(), json!(format!("https://{}", uri_path(rest))));
        }
    }
    Some(licence)
}

fn file_component(file: &FileReport, alone: bool) -> Value {
    let formats = file.format.iter().chain(file.members.iter().filter_map(|member| member.format.as_ref()));
    let is_model = alone && formats.into_iter().any(|format| MODELS.contains(&format.as_str()));
    let mut properties = verdicts(&[file]);
    properties.push(property("weighin:size", &file.size.to_string()));
    if let Some(format) = &file.format {
        properties.push(property("weighin:format", format));
    }
    let (suppressed, counted): (Vec<_>, Vec<_>) =
        file.findings.iter().partition(|finding| finding.suppressed.is_some());
    for (name, findings) in [("weighin:finding", counted), ("weighin:suppressed", suppressed)] {
        let rules: BTreeSet<&str> = findings.iter().map(|finding| finding.rule.as_str()).collect();
        properties.extend(rules.iter().map(|rule| property(name, rule)));
    }
    properties.extend(
        file.gaps.iter().map(|gap| property("weighin:not-examined", &format!("{}: {}", gap.reason.name(), gap.detail))),
    );
    let mut component = json!({
        "type": if is_model { "machine-learning-model" } else { "file" },
        "bom-ref": format!("file:{}", uri_path(&file.path)),
        "name": sanitise(&file.path),
        "properties": properties,
    });
    if let (Some(digest), Some(members)) = (&file.sha256, component.as_object_mut()) {
        members.insert("hashes".to_owned(), json!([{ "alg": "SHA-256", "content": digest }]));
    }
    component
}

/// The worst verdict of `files`.
fn verdicts(files: &[&FileReport]) -> Vec<Value> {
    let worst = files.iter().map(|file| file.verdict).max();
    worst.map(|verdict| property("weighin:verdict", verdict.name())).into_iter().collect()
}

fn property(name: &str, value: &str) -> Value {
    json!({ "name": name, "value": sanitise(value) })
}

/// A UUID of version 8 from what was scanned and what judged it, so that the
/// same scan has the same number.
fn serial_number(report: &Report) -> String {
    let mut hasher = Sha256::new();
    hasher.update(&report.ruleset.digest);
    for file in &report.files {
        for part in [file.path.as_str(), file.sha256.as_deref().unwrap_or_default(), file.verdict.name()] {
            hasher.update(part);
            hasher.update([0]);
        }
    }
    let mut bytes: Vec<u8> = hasher.finalize().iter().copied().take(16).collect();
    for (at, mask, bits) in [(6, 0x0f, 0x80), (8, 0x3f, 0x80)] {
        if let Some(byte) = bytes.get_mut(at) {
            *byte = *byte & mask | bits;
        }
    }
    let digits = hex(&bytes);
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default().to_owned();
    format!("urn:uuid:{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
}
