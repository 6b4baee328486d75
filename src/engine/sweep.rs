//! The sweep: every byte of a file once, for its digest, for signatures and
//! for YARA. No header can hide bytes from it.

use std::time::Instant;

use sha2::{Digest, Sha256};

use crate::artifact::{Artifact, Gap};
use crate::engine::place;
use crate::engine::signatures::{self, SignatureHit, Signatures};
use crate::evidence::{Evidence, Kind, Span};
use crate::input::{Input, to_u64};
use crate::limits::Limits;
use crate::rules::{RuleSet, YaraHit, YaraScanner};
use crate::stop::Stop;

/// Bytes read at a time. Patterns are found across an edge up to [`OVERLAP`].
const BLOCK: usize = 4 << 20;

/// Bytes seen again at the start of the next block: the longest pattern that
/// is certain to be found wherever it lies.
pub(crate) const OVERLAP: usize = 64 << 10;

/// What the sweep saw.
pub(super) struct Swept {
    sha256: Option<[u8; 32]>,
    yara: Vec<YaraHit>,
    signatures: Vec<(SignatureHit, u64)>,
    gaps: Vec<Gap>,
}

impl Swept {
    /// Where pickles were found that no format has read.
    pub(super) fn pickles(&self) -> Vec<Span> {
        let pickles = self.signatures.iter().filter(|(hit, _)| hit.kind == Kind::EmbeddedPickle);
        pickles.map(|(hit, _)| hit.span).collect()
    }

    /// Adds what was seen to `artifact`.
    pub(super) fn record(self, artifact: &mut Artifact, rules: &RuleSet) {
        artifact.sha256 = self.sha256;
        for hit in self.yara {
            artifact.evidence.push(Evidence::new(Kind::YaraMatch, hit.rule, hit.span).with("namespace", hit.namespace));
        }
        let found = self.signatures.iter().map(|(hit, count)| hit.evidence(*count)).collect();
        place::record(found, artifact, rules);
        artifact.gaps.extend(self.gaps);
    }
}

/// Reads all of `input` once; `formats` have read it.
pub(super) fn sweep(
    input: &Input,
    formats: &[&str],
    yara: &mut YaraScanner<'_>,
    limits: &Limits,
    deadline: Instant,
) -> Swept {
    let mut gaps = Vec::new();
    let mut signatures = Signatures::new(signatures::without_pickles(formats), limits);
    let (sha256, yara) = if let Some(bytes) = input.as_slice() {
        signatures.search(0, bytes, input);
        let (hits, failed) = yara.scan(bytes);
        gaps.extend(failed);
        (Some(Sha256::digest(bytes).into()), hits)
    } else {
        let mut hasher = Sha256::new();
        let outcome = blocks(input, deadline, |offset, fresh_from, block| {
            hasher.update(block.get(fresh_from..).unwrap_or_default());
            signatures.search(offset, block, input);
            yara.scan_block(offset, block);
        });
        let (hits, failed) = yara.finish_blocks();
        gaps.extend(failed);
        match outcome {
            Ok(()) => (Some(hasher.finalize().into()), hits),
            Err(stop) => {
                gaps.push((&stop).into());
                (None, hits)
            }
        }
    };
    let found = signatures.finish();
    gaps.extend(found.gap);
    Swept { sha256, yara, signatures: found.hits, gaps }
}

/// The SHA-256 of all of `input`.
pub(super) fn digest(input: &Input, deadline: Instant) -> Result<[u8; 32], Stop> {
    let mut hasher = Sha256::new();
    feed(input, deadline, |bytes| hasher.update(bytes))?;
    Ok(hasher.finalize().into())
}

/// Hands every byte of `input` to `each`, once and in order.
pub(super) fn feed(input: &Input, deadline: Instant, mut each: impl FnMut(&[u8])) -> Result<(), Stop> {
    if let Some(bytes) = input.as_slice() {
        each(bytes);
        return Ok(());
    }
    blocks(input, deadline, |_, fresh_from, block| each(block.get(fresh_from..).unwrap_or_default()))
}

/// Calls `each` with overlapping blocks: offset of the block, where its bytes
/// that were not in the block before begin, and the bytes.
fn blocks(input: &Input, deadline: Instant, mut each: impl FnMut(u64, usize, &[u8])) -> Result<(), Stop> {
    let mut buffer = vec![0; BLOCK + OVERLAP];
    let mut kept = 0;
    let mut position = 0;
    while position < input.len() {
        if Instant::now() > deadline {
            return Err(Stop::Limit { offset: position, limit: "seconds" });
        }
        let n = input.read_at(position, &mut buffer[kept..])?;
        let held = kept + n;
        each(position - to_u64(kept), kept, &buffer[..held]);
        position += to_u64(n);
        let keep = held.min(OVERLAP);
        buffer.copy_within(held - keep..held, 0);
        kept = keep;
    }
    Ok(())
}
