//! What `weighin inspect` shows: the evidence itself, without judgement.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::artifact::{Artifact, Gap};
use crate::evidence::Kind;
use crate::report::text::size;
use crate::report::{FactRecord, sanitise};

/// The facts of an artifact and of everything inside it, for a person.
pub fn facts(artifact: &Artifact, imports_only: bool) -> String {
    let mut out = String::new();
    if imports_only {
        for name in imports(artifact) {
            let _ = writeln!(out, "{}", sanitise(&name));
        }
        return out;
    }
    write_artifact(&mut out, artifact, 0);
    out
}

/// The same as JSON.
///
/// # Errors
/// Only when serialisation itself fails.
pub fn facts_json(artifact: &Artifact, imports_only: bool) -> serde_json::Result<String> {
    let text = if imports_only {
        serde_json::to_string_pretty(&imports(artifact))?
    } else {
        serde_json::to_string_pretty(&Facts::from(artifact))?
    };
    Ok(text + "\n")
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

fn write_artifact(out: &mut String, artifact: &Artifact, depth: usize) {
    let indent = "  ".repeat(depth);
    let formats = if artifact.formats.is_empty() { "unrecognised".to_owned() } else { artifact.formats.join(", ") };
    let _ = writeln!(out, "{indent}{}  ({formats}, {})", sanitise(&artifact.name), size(artifact.size));
    for fact in &artifact.evidence {
        let shown = fact.attribute("call").unwrap_or(&fact.value);
        let _ = writeln!(out, "{indent}  {:#010x}  {:<22} {}", fact.span.offset, fact.kind.name(), sanitise(shown));
        for (name, value) in fact.attributes.iter().filter(|(name, _)| name != "call" && !name.starts_with("arg")) {
            let _ = writeln!(out, "{indent}              {:<22}   {}: {}", "", sanitise(name), sanitise(value));
        }
    }
    for gap in &artifact.gaps {
        let _ = writeln!(out, "{indent}  not examined: {}: {}", gap.reason.name(), sanitise(&gap.detail));
    }
    for member in &artifact.members {
        write_artifact(out, member, depth + 1);
    }
}

#[derive(Serialize)]
struct Facts<'a> {
    name: &'a str,
    size: u64,
    formats: &'a [&'static str],
    evidence: Vec<Fact>,
    gaps: &'a [Gap],
    members: Vec<Facts<'a>>,
}

#[derive(Serialize)]
struct Fact {
    offset: u64,
    length: u64,
    #[serde(flatten)]
    fact: FactRecord,
}

impl<'a> From<&'a Artifact> for Facts<'a> {
    fn from(artifact: &'a Artifact) -> Self {
        let evidence = artifact.evidence.iter().map(|fact| Fact {
            offset: fact.span.offset,
            length: fact.span.length,
            fact: FactRecord {
                kind: fact.kind.name().to_owned(),
                value: fact.value.clone(),
                attributes: fact
                    .attributes
                    .iter()
                    .map(|(name, value)| (name.to_string(), value.clone()))
                    .collect::<BTreeMap<_, _>>(),
            },
        });
        Self {
            name: &artifact.name,
            size: artifact.size,
            formats: &artifact.formats,
            evidence: evidence.collect(),
            gaps: &artifact.gaps,
            members: artifact.members.iter().map(Facts::from).collect(),
        }
    }
}
