//! JSON documents that say which files make up a model: the index of a sharded
//! checkpoint, the manifest of a Core ML package, the manifest of a
//! TensorFlow.js model, the parameter cache of MLC-LLM. What they name is told
//! as paths.

mod numbers;

use std::collections::BTreeMap;

use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::{About, Format, Head, Match, reference};
use crate::input::Input;
use crate::json::{Event, Events};
use crate::stop::Stop;

/// The reader of indices and manifests.
pub struct Shards;

/// Keys whose strings are paths, and those whose members' strings are.
const DOCUMENTS: [(&str, &str); 3] =
    [("weight_map", "index"), ("itemInfoEntries", "package"), ("weightsManifest", "tensorflow.js")];

/// The key of a path in a parameter cache, whose other keys say little.
const CACHED: &str = "dataPath";

impl Format for Shards {
    fn name(&self) -> &'static str {
        "shards"
    }

    fn about(&self) -> About {
        About {
            title: "Indices of sharded checkpoints (*.index.json), Core ML package and TensorFlow.js manifests, \
                    parameter caches of MLC-LLM",
            extensions: &[".index.json", "Manifest.json", "model.json", "ndarray-cache.json", "tensor-cache.json"],
            reads: "every path to another file, and how many bytes of numbers are there",
            leaves_out: "whether files in other folders are there",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        let text = head.first.trim_ascii_start();
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let quoted = |key: &str| memchr::memmem::find(head.first, format!("\"{key}\"").as_bytes()).is_some();
        // The groups of a weights manifest stood by themselves at first.
        if text.starts_with(b"[") && head.is_named(&["weights_manifest.json"]) && quoted("weights") {
            return Match::Likely;
        }
        if !text.starts_with(b"{") {
            return Match::No;
        }
        let cache = quoted("records") && quoted(CACHED);
        if DOCUMENTS.iter().any(|(key, _)| quoted(key)) || cache || head.is_named(&[".index.json"]) {
            Match::Likely
        } else {
            Match::No
        }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let bytes = input.all(cx.limits().header_bytes)?;
        let mut events = Events::new(&bytes, cx.limits().nesting);
        let mut found: BTreeMap<(String, &'static str), u64> = BTreeMap::new();
        let mut root = bytes.trim_ascii_start().starts_with(b"[").then_some("tensorflow.js");
        let mut key = String::new();
        while let Some((at, event)) = events.next()? {
            cx.charge(1, at)?;
            match event {
                Event::Key(name) => {
                    if events.level() == 1 {
                        root = DOCUMENTS.iter().find(|(known, _)| *known == name).map(|(_, by)| *by);
                        root = root.or((name == "records").then_some("cache"));
                    }
                    key = name.into_owned();
                }
                Event::String(path) => {
                    let is_path = match root {
                        Some("index") => events.level() >= 1,
                        Some("package") => key == "path",
                        Some("cache") => key == CACHED,
                        Some(_) => key == "paths",
                        None => false,
                    };
                    if let Some(by) = root.filter(|_| is_path) {
                        found.entry((path.into_owned(), by)).or_insert(at);
                    }
                }
                _ => {}
            }
        }
        let named = cx.name().to_lowercase();
        for ((path, by), at) in found {
            let mut evidence = Evidence::new(Kind::ReferencePath, reference::classify(&path), Span::at(at));
            if by == "index" && named.ends_with(".safetensors.index.json") && !path.ends_with(".safetensors") {
                evidence = evidence.with("promised", "safetensors");
            }
            evidence = evidence.with("path", path).with("by", by);
            cx.push(evidence);
        }
        numbers::tell(&bytes, cx);
        Ok(())
    }
}
