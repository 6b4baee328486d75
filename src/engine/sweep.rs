//! The sweep: every byte of a file once, for its digest, for signatures and
//! for YARA. No header can hide bytes from it.

use std::sync::{Arc, mpsc};
use std::time::Instant;

use sha2::{Digest, Sha256};

use crate::artifact::{Artifact, Gap};
use crate::engine::place;
use crate::engine::signatures::{SignatureHit, Signatures, without_pickles};
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

/// Blocks that wait for the second thread: enough that neither waits for the
/// other's slower blocks.
const QUEUE: usize = 2;

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

/// Reads all of `input` once; `formats` have read it. With `threads` to be had,
/// a second one takes the digest of a long input, which is most of the work.
pub(super) fn sweep(
    input: &Input,
    formats: &[&str],
    yara: &mut YaraScanner<'_>,
    limits: &Limits,
    deadline: Instant,
    threads: bool,
) -> Swept {
    let mut signatures = Signatures::new(without_pickles(formats), limits);
    let (digest, hits, failed) = if let Some(bytes) = input.as_slice() {
        signatures.search(0, bytes, input);
        let (hits, failed) = yara.scan(bytes);
        (Ok(Sha256::digest(bytes).into()), hits, failed)
    } else {
        let mut search = |block: &Block| {
            signatures.search(block.offset, block.all(), input);
            yara.scan_block(block.offset, block.all());
        };
        let on_two = threads.then(|| on_two_threads(input, deadline, &mut search)).flatten();
        let digest = on_two.unwrap_or_else(|| {
            let mut hasher = Sha256::new();
            blocks(input, deadline, |block| {
                hasher.update(block.fresh());
                search(block);
            })?;
            Ok(hasher.finalize().into())
        });
        let (hits, failed) = yara.finish_blocks();
        (digest, hits, failed)
    };
    let found = signatures.finish();
    let mut gaps = Vec::from_iter(failed);
    gaps.extend(digest.as_ref().err().map(Gap::from));
    gaps.extend(found.gap);
    Swept { sha256: digest.ok(), yara: hits, signatures: found.hits, gaps }
}

/// Pickles in weights that are a member of something else, whose own sweep does
/// not look for them.
pub(super) fn pickles(input: &Input, limits: &Limits, deadline: Instant) -> Swept {
    let mut signatures = Signatures::new(true, limits);
    let outcome = if let Some(bytes) = input.as_slice() {
        signatures.search(0, bytes, input);
        Ok(())
    } else {
        blocks(input, deadline, |block| signatures.search(block.offset, block.all(), input))
    };
    let found = signatures.finish();
    let gaps = outcome.err().as_ref().map(Gap::from).into_iter().chain(found.gap).collect();
    let hits = found.hits.into_iter().filter(|(hit, _)| hit.kind == Kind::EmbeddedPickle).collect();
    Swept { sha256: None, yara: Vec::new(), signatures: hits, gaps }
}

/// The digest by another thread, while this one searches; nothing when there
/// is no other to be had.
fn on_two_threads(input: &Input, deadline: Instant, mut search: impl FnMut(&Block)) -> Option<Result<[u8; 32], Stop>> {
    std::thread::scope(|scope| {
        let (to, from) = mpsc::sync_channel::<Arc<Block>>(QUEUE);
        let digesting = std::thread::Builder::new().spawn_scoped(scope, move || {
            let mut hasher = Sha256::new();
            from.iter().for_each(|block| hasher.update(block.fresh()));
            hasher.finalize().into()
        });
        let digesting = digesting.ok()?;
        let outcome = blocks(input, deadline, |block| {
            // Fails only after a panic there, which is passed on below.
            to.send(Arc::clone(block)).ok();
            search(block);
        });
        drop(to);
        match digesting.join() {
            Ok(digest) => Some(outcome.map(|()| digest)),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
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
    blocks(input, deadline, |block| each(block.fresh()))
}

/// Part of an input, behind the end of the part before it.
#[derive(Default)]
struct Block {
    /// Where it begins in the input.
    offset: u64,
    bytes: Vec<u8>,
    /// Where the bytes begin that were not in the block before.
    fresh_from: usize,
    /// Where they end.
    end: usize,
}

impl Block {
    fn all(&self) -> &[u8] {
        self.bytes.get(..self.end).unwrap_or_default()
    }

    fn fresh(&self) -> &[u8] {
        self.bytes.get(self.fresh_from..self.end).unwrap_or_default()
    }

    /// Reads what follows `last`.
    fn read(&mut self, last: &Self, input: &Input) -> Result<(), Stop> {
        let overlap = last.all().get(last.end.saturating_sub(OVERLAP)..).unwrap_or_default();
        let position = last.offset + to_u64(last.end);
        self.bytes.resize(BLOCK + OVERLAP, 0);
        self.bytes[..overlap.len()].copy_from_slice(overlap);
        self.fresh_from = overlap.len();
        self.offset = position - to_u64(overlap.len());
        self.end = self.fresh_from + input.read_at(position, &mut self.bytes[overlap.len()..])?;
        Ok(())
    }
}

/// Calls `each` with one block after another. Blocks that are still held
/// elsewhere are left alone; the others are used again.
fn blocks(input: &Input, deadline: Instant, mut each: impl FnMut(&Arc<Block>)) -> Result<(), Stop> {
    let mut last = Arc::new(Block::default());
    let mut used: Vec<Arc<Block>> = Vec::new();
    loop {
        let position = last.offset + to_u64(last.end);
        if position >= input.len() {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(Stop::Limit { offset: position, limit: "seconds" });
        }
        let free = used.iter_mut().position(|block| Arc::get_mut(block).is_some());
        let mut next = free.map(|at| used.swap_remove(at)).unwrap_or_default();
        if let Some(block) = Arc::get_mut(&mut next) {
            block.read(&last, input)?;
        }
        each(&next);
        used.push(std::mem::replace(&mut last, next));
    }
}
