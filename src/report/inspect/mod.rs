//! What `weighin inspect` shows: contents and evidence, without judgement.

mod record;
mod text;

use crate::artifact::Artifact;
use crate::evidence::Kind;
use crate::limits::Limits;
use crate::report::sanitise;

use record::Record;

/// An artifact and everything inside it, for a person. Lines and cells beyond
/// `limits` are only counted.
pub fn inspect(artifact: &Artifact, limits: &Limits) -> String {
    text::text(artifact, limits)
}

/// The same as JSON, whose shape is [`inspect_schema`].
///
/// # Errors
/// Only when serialisation itself fails.
pub fn inspect_json(artifact: &Artifact) -> serde_json::Result<String> {
    serde_json::to_string_pretty(&Record::from(artifact)).map(|text| text + "\n")
}

/// The JSON Schema of [`inspect_json`]'s output, generated from its types.
///
/// # Errors
/// Only when serialisation itself fails.
pub fn inspect_schema() -> serde_json::Result<String> {
    serde_json::to_string_pretty(&schemars::schema_for!(Record<'_>)).map(|text| text + "\n")
}

/// The imported names, a line each or as a JSON array.
///
/// # Errors
/// Only when serialisation itself fails.
pub fn inspect_imports(artifact: &Artifact, json: bool) -> serde_json::Result<String> {
    let names = imports(artifact);
    if json {
        return serde_json::to_string_pretty(&names).map(|text| text + "\n");
    }
    Ok(names.iter().map(|name| sanitise(name) + "\n").collect())
}

/// Every imported name, here and in members, sorted.
fn imports(artifact: &Artifact) -> Vec<String> {
    let mut names: Vec<String> = artifact.members.iter().flat_map(imports).collect();
    let own = artifact.evidence.iter().filter(|fact| matches!(fact.kind, Kind::PickleImport | Kind::PythonImport));
    names.extend(own.map(|fact| fact.value.clone()));
    names.sort();
    names.dedup();
    names
}
