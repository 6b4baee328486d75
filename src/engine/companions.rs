//! Raw numbers of a model in files beside it: what they are is known only to
//! the model. A file that nothing recognises is no gap when a model in its
//! folder accounts for its bytes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::artifact::{Artifact, Companion, GapReason};
use crate::clock::Clock;
use crate::engine::cx::Cx;
use crate::engine::examine::Job;
use crate::engine::recognise::{self, Ends};
use crate::input::{Input, to_u64};

/// Formats that keep numbers in other files.
const TELL: &[&str] = &["onnx", "xml", "zarr"];

/// Bytes between two tensors that align the second: ONNX Runtime's allocation
/// granularity on Windows.
const ALIGNMENT: u64 = 64 << 10;

/// Whether files of this name may say what lies beside them.
pub(crate) fn tells(name: &str) -> bool {
    let lower = name.to_lowercase();
    lower.ends_with(".onnx") || lower.ends_with(".xml") || lower == ".zarray" || lower == "zarr.json"
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
        for candidate in candidates.iter().filter(|candidate| TELL.contains(&candidate.format.name())) {
            let mut artifact = Artifact::new(name, input.len());
            let read = catch_unwind(AssertUnwindSafe(|| {
                candidate.format.read(&input, &mut Cx::again(self, &mut artifact, input.clone()))
            }));
            if matches!(read, Ok(Ok(()))) {
                told.extend(artifact.companions.into_iter().map(|companion| (candidate.format.name(), companion)));
            }
        }
        told
    }
}

/// Takes the gap from an unknown file at `path`, seen from the folder of the
/// models that said `told`, when they account for it.
pub(crate) fn explain(told: &[(&'static str, Companion)], path: &str, input: &Input, artifact: &mut Artifact) {
    let parts: Vec<(u64, u64)> = told
        .iter()
        .filter_map(|(_, companion)| match companion {
            Companion::Part { path: part, offset, length } if part == path => Some((*offset, *length)),
            _ => None,
        })
        .collect();
    let by = if covers(parts, artifact.size) && artifact.members.is_empty() {
        told.iter().find(|(_, companion)| matches!(companion, Companion::Part { path: part, .. } if part == path))
    } else {
        told.iter().find(|(_, companion)| match companion {
            Companion::Chunks { .. } => is_chunk(companion, path, input, artifact),
            Companion::Part { .. } => false,
        })
    };
    let Some((format, _)) = by else { return };
    artifact.gaps.clear();
    artifact.members.iter_mut().for_each(|packed| packed.gaps.clear());
    if artifact.formats.is_empty() {
        artifact.formats.push(format);
    }
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
