//! Raw numbers of a model in files beside it: what they are is known only to
//! the model. A file that nothing recognises is no gap when a model in its
//! folder accounts for its bytes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::artifact::{Artifact, Companion, GapReason, Load};
use crate::clock::Clock;
use crate::engine::beside::Folder;
use crate::engine::cx::Cx;
use crate::engine::examine::Job;
use crate::engine::recognise::{self, Ends};
use crate::formats::{self, Format};
use crate::input::{Input, to_u64};

/// Formats that keep numbers in other files.
const TELL: &[&str] = &["onnx", "xml", "zarr", "shards", "ncnn"];

/// The one that lists parts in JSON.
const PARTS: &str = "shards";

/// Bytes between two tensors that align the second: ONNX Runtime's allocation
/// granularity on Windows.
const ALIGNMENT: u64 = 64 << 10;

/// Whether files of this name may say what lies beside them.
pub(crate) fn tells(name: &str) -> bool {
    let lower = name.to_lowercase();
    [".onnx", ".xml", ".param"].iter().any(|ending| lower.ends_with(ending))
        || lower == ".zarray"
        || lower == "zarr.json"
        || names_parts(&lower)
}

/// Whether a file of this name, in lower case, may list raw parts of a model:
/// TensorFlow.js (`model.json`, `weights_manifest.json`), MLC-LLM
/// (`ndarray-cache.json`, `tensor-cache.json`, and the same with a suffix).
pub(super) fn names_parts(lower: &str) -> bool {
    lower.strip_suffix(".json").is_some_and(|stem| {
        stem.ends_with("model")
            || stem.ends_with("weights_manifest")
            || stem.starts_with("ndarray-cache")
            || stem.starts_with("tensor-cache")
    })
}

/// Whether nothing is known of a file, or of what is packed in it, and nothing
/// else is wrong.
pub(crate) fn is_unknown(artifact: &Artifact) -> bool {
    let unrecognised = |artifact: &Artifact| {
        artifact.formats.is_empty() && artifact.gaps.iter().all(|gap| gap.reason == GapReason::Unrecognised)
    };
    match artifact.members.as_slice() {
        [] => unrecognised(artifact) && !artifact.gaps.is_empty(),
        [packed] => artifact.gaps.is_empty() && unrecognised(packed) && packed.members.is_empty(),
        _ => false,
    }
}

impl Job<'_> {
    /// What the model in `input` keeps in files beside it; nothing when it
    /// can't be read whole.
    pub(crate) fn companions(&mut self, name: &str, input: Input) -> Vec<(&'static str, Companion)> {
        self.clock = Arc::new(Clock::new(self.limits.seconds, &self.options.stop));
        (self.work, self.clock_at) = (0, 0);
        let Ok(input) = self.held(&input.timed(&Arc::clone(&self.clock))) else { return Vec::new() };
        let candidates = recognise::recognise(&input, name, None, Ends::Both, &mut Vec::new());
        let mut told = Vec::new();
        let mut formats: Vec<&'static dyn Format> = candidates.iter().map(|candidate| candidate.format).collect();
        // What a long document is may stand in its middle.
        if formats.iter().any(|format| format.name() == "json") && formats.iter().all(|format| format.name() != PARTS) {
            formats.extend(formats::by_name(PARTS));
        }
        for format in formats.iter().filter(|format| TELL.contains(&format.name())) {
            let mut artifact = Artifact::new(name, input.len());
            let read = catch_unwind(AssertUnwindSafe(|| {
                format.read(&input, &mut Cx::again(self, &mut artifact, input.clone()))
            }));
            if matches!(read, Ok(Ok(()))) {
                told.extend(artifact.companions.into_iter().map(|companion| (format.name(), companion)));
            }
        }
        told
    }
}

/// Takes the gap from an unknown file at `path`, seen from the folder of the
/// models that said `told`, when they account for it. `folder` is what that
/// folder lists, when it was listed.
pub(crate) fn explain(
    told: &[(&'static str, Companion)],
    path: &str,
    input: &Input,
    folder: Option<&Folder>,
    artifact: &mut Artifact,
) {
    let parts: Vec<(u64, u64)> = told
        .iter()
        .filter_map(|(_, companion)| match companion {
            Companion::Part { path: part, offset, length } if part == path => Some((*offset, *length)),
            _ => None,
        })
        .collect();
    let plain = artifact.members.is_empty();
    let covered = plain && covers(parts, artifact.size);
    let accounts = |companion: &Companion| match companion {
        Companion::Part { path: part, .. } => covered && part == path,
        Companion::Chunks { .. } => is_chunk(companion, path, input, artifact),
        Companion::Split { paths, bytes } => plain && is_part(paths, *bytes, path, folder),
        Companion::Loads { path: weights, loads } => plain && weights == path && is_read_whole(loads, input),
    };
    let Some((format, _)) = told.iter().find(|(_, companion)| accounts(companion)) else { return };
    artifact.gaps.clear();
    artifact.members.iter_mut().for_each(|packed| packed.gaps.clear());
    if artifact.formats.is_empty() {
        artifact.formats.push(format);
    }
}

/// Whether the file at `path` is one of `paths`, which have so many bytes
/// together.
fn is_part(paths: &[String], bytes: u64, path: &str, folder: Option<&Folder>) -> bool {
    let size = |path: &String| folder.and_then(|folder| folder.names.get(path).copied().flatten());
    let total = paths.iter().try_fold(0_u64, |sum, path| sum.checked_add(size(path)?));
    paths.iter().any(|part| part == path) && total == Some(bytes)
}

/// Whether the loads of an ncnn graph take all of its weights, each as the word
/// before it says (`ModelBinFromDataReader::load`).
fn is_read_whole(loads: &[Load], input: &Input) -> bool {
    /// The words of numbers of 16 bits, of 8 bits, and of floats.
    const HALF: u32 = 0x0130_6b47;
    const INT8: u32 = 0x000d_4b38;
    const RAW: u32 = 0x0002_c056;
    /// A table of 256 floats that bytes look their numbers up in.
    const TABLE: u64 = 1024;
    let padded = |bytes: u64| bytes.checked_next_multiple_of(4);
    let mut at = 0_u64;
    for Load { elements, tagged } in loads {
        let mut bytes = elements.checked_mul(4);
        if *tagged {
            let mut word = [0; 4];
            if !matches!(input.read_at(at, &mut word), Ok(4)) {
                return false;
            }
            at = at.saturating_add(4);
            bytes = match u32::from_le_bytes(word) {
                0 | RAW => bytes,
                HALF => elements.checked_mul(2).and_then(padded),
                INT8 => padded(*elements),
                _ => padded(*elements).and_then(|bytes| bytes.checked_add(TABLE)),
            };
        }
        let Some(end) = bytes.and_then(|bytes| at.checked_add(bytes)).filter(|end| *end <= input.len()) else {
            return false;
        };
        at = end;
    }
    at == input.len() && !loads.is_empty()
}

/// Whether `parts` are all of `size` bytes, but for what aligns them.
fn covers(mut parts: Vec<(u64, u64)>, size: u64) -> bool {
    parts.sort_unstable();
    let mut reached = 0_u64;
    for (offset, length) in &parts {
        if *offset >= reached.saturating_add(ALIGNMENT) {
            return false;
        }
        reached = reached.max(offset.saturating_add(*length));
    }
    !parts.is_empty() && size < reached.saturating_add(ALIGNMENT)
}

/// Whether the file at `path` is a chunk of an array: by its name, its place in
/// the grid, and its size.
fn is_chunk(companion: &Companion, path: &str, input: &Input, artifact: &Artifact) -> bool {
    let Companion::Chunks { prefix, separator, grid, bytes } = companion else { return false };
    let Some(rest) = path.strip_prefix(prefix.as_str()) else { return false };
    let indices: Vec<&str> = if grid.is_empty() { Vec::new() } else { rest.split(*separator).collect() };
    let placed = if grid.is_empty() {
        matches!(rest, "" | "0")
    } else {
        indices.len() == grid.len()
            && indices.iter().zip(grid).all(|(index, count)| {
                index.bytes().all(|byte| byte.is_ascii_digit())
                    && index.parse::<u64>().is_ok_and(|index| index < *count)
            })
    };
    let sized = match artifact.members.as_slice() {
        [] => artifact.size == *bytes || is_blosc(input, *bytes),
        [packed] => packed.size == *bytes,
        _ => false,
    };
    placed && sized
}

/// Whether this is a Blosc 1 chunk of so many bytes (`blosc.h`, header of 16
/// bytes): what zarr packs with when nobody says otherwise.
fn is_blosc(input: &Input, bytes: u64) -> bool {
    let mut head = [0; 16];
    if !matches!(input.read_at(0, &mut head), Ok(16)) {
        return false;
    }
    let [version, _, _, _, n0, n1, n2, n3, _, _, _, _, c0, c1, c2, c3] = head;
    (1..=3).contains(&version)
        && u64::from(u32::from_le_bytes([n0, n1, n2, n3])) == bytes
        && u64::from(u32::from_le_bytes([c0, c1, c2, c3])) == input.len()
        && input.len() <= bytes.saturating_add(to_u64(head.len()))
}
