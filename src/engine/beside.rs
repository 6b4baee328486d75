//! What lies in the folder of a file, compared with what the file says of it:
//! parts that are missing or too short, the same weights in a format without
//! code.

use std::collections::BTreeMap;

use crate::artifact::{Artifact, Companion, Gap, GapReason};
use crate::engine::companions::names_parts;
use crate::evidence::{Evidence, Kind, Span};

/// Missing parts that are named in a report.
const NAMED: usize = 4;

/// Endings of weights that may be pickles.
const PICKLED: &[&str] = &[".bin", ".pt", ".pth", ".ckpt", ".pkl"];

/// The names in a folder, each with its length in bytes when it is a plain file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Folder {
    pub names: BTreeMap<String, Option<u64>>,
}

impl Folder {
    /// Whether the folder of a file called `name` is worth a look.
    pub(crate) fn matters(name: &str) -> bool {
        let lower = name.to_lowercase();
        lower.ends_with(".index.json")
            || split(&lower).is_some()
            || lower.ends_with(".onnx")
            || lower.ends_with(".xml")
            || names_parts(&lower)
            || PICKLED.iter().any(|ending| lower.ends_with(ending))
    }

    /// Adds what is known of the folder to the examined file in it.
    pub(super) fn tell(&self, artifact: &mut Artifact) {
        let name = artifact.name.rsplit(['/', '\\']).next().unwrap_or(&artifact.name).to_owned();
        self.parts(artifact);
        self.split_parts(&name, artifact);
        self.twin(&name, artifact);
        self.companions(artifact);
    }

    /// Files that hold numbers of this one: their size against what is taken of
    /// them.
    fn companions(&self, artifact: &mut Artifact) {
        let mut ends: BTreeMap<&str, u64> = BTreeMap::new();
        for companion in &artifact.companions {
            if let Companion::Part { path, offset, length } = companion {
                let end = ends.entry(path).or_default();
                *end = (*end).max(offset.saturating_add(*length));
            }
        }
        let mut found = Vec::new();
        for (path, end) in ends {
            // Only plain names: nothing else that a file says is looked up.
            if let Some(size) = self.names.get(path).copied().flatten().filter(|size| *size < end) {
                let detail = format!("it takes bytes up to {end} of {path}, which has {size}");
                let evidence = Evidence::new(Kind::TensorLayout, "beyond-file", Span::at(0)).with("tensor", path);
                found.push(evidence.with("detail", detail));
            }
        }
        artifact.evidence.extend(found);
    }

    /// The shards of an index.
    fn parts(&self, artifact: &mut Artifact) {
        // Only plain names: nothing else that a file says is looked up.
        let parts = artifact
            .evidence
            .iter()
            .filter(|fact| fact.kind == Kind::ReferencePath && fact.attribute("by") == Some("index"));
        let plain = parts.filter_map(|fact| fact.attribute("path")).filter(|path| !path.contains(['/', '\\']));
        let (present, missing): (Vec<&str>, Vec<&str>) = plain.partition(|path| self.names.contains_key(*path));
        // An index without any of its parts stands beside the same weights in
        // another format, or was fetched by itself.
        if !present.is_empty() && !missing.is_empty() {
            let gap = absent(&missing);
            artifact.gaps.push(gap);
        }
    }

    /// `name-00001-of-00003.gguf` needs its sisters.
    fn split_parts(&self, name: &str, artifact: &mut Artifact) {
        let Some((stem, number, of)) = split(name) else { return };
        let part = |number: u32| format!("{stem}-{number:05}-of-{of:05}.gguf");
        let here = |number: &u32| self.names.contains_key(&part(*number));
        // Told once, by the first that is there.
        if (1..number).any(|earlier| here(&earlier)) {
            return;
        }
        let missing: Vec<String> = (1..=of).filter(|number| !here(number)).map(part).collect();
        if !missing.is_empty() {
            let missing: Vec<&str> = missing.iter().map(String::as_str).collect();
            artifact.gaps.push(absent(&missing));
        }
    }

    /// The same weights as safetensors, by the names that libraries give them.
    fn twin(&self, name: &str, artifact: &mut Artifact) {
        if !artifact.formats.iter().any(|format| matches!(*format, "pickle" | "zip")) {
            return;
        }
        let Some(stem) = PICKLED.iter().find_map(|ending| name.strip_suffix(ending)) else { return };
        let renamed = stem.strip_prefix("pytorch_model").map(|rest| format!("model{rest}.safetensors"));
        let twin = [Some(format!("{stem}.safetensors")), renamed].into_iter().flatten();
        let twin = twin.into_iter().find(|twin| self.names.contains_key(twin));
        if let Some(twin) = twin {
            artifact.evidence.push(Evidence::new(Kind::WeightsTwin, twin, Span::at(0)));
        }
    }
}

fn absent(missing: &[&str]) -> Gap {
    let named = missing.get(..NAMED).unwrap_or(missing);
    let more = missing.len().saturating_sub(named.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Gap::new(GapReason::NotFetched, format!("parts of this model are not in its folder: {}{more}", named.join(", ")))
}

/// Stem, number and count of a part of a split GGUF file (llama.cpp's
/// `LLM_KV_SPLIT`, names by `llama_split_path`).
fn split(name: &str) -> Option<(&str, u32, u32)> {
    let rest = name.strip_suffix(".gguf")?;
    let (rest, of) = rest.rsplit_once("-of-")?;
    let (stem, number) = rest.rsplit_once('-')?;
    let digits = |text: &str| (text.len() == 5).then(|| text.parse().ok()).flatten();
    let (number, of): (u32, u32) = (digits(number)?, digits(of)?);
    (number > 0 && number <= of).then_some((stem, number, of))
}
