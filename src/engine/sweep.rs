//! The sweep: every byte of a file once, for its digest, for signatures and
//! for YARA. No header can hide bytes from it.

use std::sync::{Arc, mpsc};

use sha2::{Digest, Sha256};

use crate::artifact::{Artifact, Gap};
use crate::clock::Clock;
use crate::engine::along::Fed;
use crate::engine::place;
use crate::engine::signatures::{SignatureHit, Signatures, without_pickles};
use crate::evidence::{Evidence, Kind, Span};
use crate::input::{Input, to_u64};
use crate::limits::Limits;
use crate::rules::{RuleSet, Subject, YaraFound, YaraHit, YaraScanner};
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
    yara: YaraFound,
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
        let mut found: Vec<Evidence> = self.yara.hits.iter().flat_map(YaraHit::evidence).collect();
        found.extend(self.signatures.iter().map(|(hit, count)| hit.evidence(*count)));
        place::record(found, artifact, rules);
        artifact.gaps.extend(self.yara.gaps);
        artifact.gaps.extend(self.gaps);
    }
}

/// Reads all of the subject once; `formats` have read it. With `threads` to be had,
/// a second one takes the digest of a long input, which is most of the work.
pub(super) fn sweep(
    subject: &Subject<'_>,
    formats: &[&str],
    yara: &mut YaraScanner<'_>,
    limits: &Limits,
    threads: bool,
) -> Swept {
    let Subject { input, clock, .. } = *subject;
    let mut signatures = Signatures::new(without_pickles(formats), input.len(), limits, clock);
    let (digest, yara) = if let Some(bytes) = input.as_slice() {
        signatures.search(0, bytes, input);
        (Ok(Sha256::digest(bytes).into()), yara.scan(subject, bytes))
    } else {
        let mut search = |block: &Block| {
            signatures.search(block.offset, block.all(), input);
            yara.scan_block(subject, block.offset, block.all());
        };
        let on_two = threads.then(|| on_two_threads(input, &mut search)).flatten();
        let digest = on_two.unwrap_or_else(|| {
            let mut hasher = Sha256::new();
            blocks(input, |block| {
                hasher.update(block.fresh());
                search(block);
            })?;
            Ok(hasher.finalize().into())
        });
        (digest, yara.finish_blocks(subject))
    };
    let found = signatures.finish();
    let mut gaps: Vec<Gap> = digest.as_ref().err().map(Gap::from).into_iter().collect();
    gaps.extend(found.gap);
    Swept { sha256: digest.ok(), yara, signatures: found.hits, gaps }
}

/// The same of blocks that somebody else reads: those of an input that is read
/// by the formats meanwhile. Looks for `pickles` when they would be out of place.
pub(super) fn sweep_fed(
    subject: &Subject<'_>,
    fed: &Fed,
    pickles: bool,
    yara: &mut YaraScanner<'_>,
    limits: &Limits,
) -> Swept {
    let Subject { input, clock, .. } = *subject;
    let mut signatures = Signatures::new(pickles, input.len(), limits, clock);
    let mut hasher = Sha256::new();
    let outcome = fed.blocks().try_for_each(|block| {
        let block = block?;
        hasher.update(block.fresh());
        signatures.search(block.offset, block.all(), input);
        yara.scan_block(subject, block.offset, block.all());
        Ok(())
    });
    let yara = yara.finish_blocks(subject);
    let found = signatures.finish();
    let gaps = outcome.as_ref().err().map(|stop: &Stop| Gap::from(stop)).into_iter().chain(found.gap).collect();
    Swept { sha256: outcome.is_ok().then(|| hasher.finalize().into()), yara, signatures: found.hits, gaps }
}

/// Pickles in weights that are a member of something else, whose own sweep does
/// not look for them.
pub(super) fn pickles(input: &Input, limits: &Limits, clock: &Clock) -> Swept {
    let mut signatures = Signatures::new(true, input.len(), limits, clock);
    let outcome = if let Some(bytes) = input.as_slice() {
        signatures.search(0, bytes, input);
        Ok(())
    } else {
        blocks(input, |block| signatures.search(block.offset, block.all(), input))
    };
    let found = signatures.finish();
    let gaps = outcome.err().as_ref().map(Gap::from).into_iter().chain(found.gap).collect();
    let hits = found.hits.into_iter().filter(|(hit, _)| hit.kind == Kind::EmbeddedPickle).collect();
    Swept { sha256: None, yara: YaraFound::default(), signatures: hits, gaps }
}

/// The digest by another thread, while this one searches; nothing when there
/// is no other to be had.
fn on_two_threads(input: &Input, mut search: impl FnMut(&Block)) -> Option<Result<[u8; 32], Stop>> {
    std::thread::scope(|scope| {
        let (to, from) = mpsc::sync_channel::<Arc<Block>>(QUEUE);
        let digesting = std::thread::Builder::new().spawn_scoped(scope, move || {
            let mut hasher = Sha256::new();
            from.iter().for_each(|block| hasher.update(block.fresh()));
            hasher.finalize().into()
        });
        let digesting = digesting.ok()?;
        let outcome = blocks(input, |block| {
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

/// What is asked of a stored member by itself, whose bytes are swept with those
/// around it: its SHA-256, and what rules find that ask where they are.
pub(super) fn alone(subject: &Subject<'_>, yara: &mut YaraScanner<'_>) -> (Result<[u8; 32], Stop>, YaraFound) {
    if let Some(bytes) = subject.input.as_slice() {
        return (Ok(Sha256::digest(bytes).into()), yara.scan(subject, bytes));
    }
    let mut hasher = Sha256::new();
    let outcome = blocks(subject.input, |block| {
        hasher.update(block.fresh());
        yara.scan_block(subject, block.offset, block.all());
    });
    (outcome.map(|()| hasher.finalize().into()), yara.finish_blocks(subject))
}

/// Hands every byte of `input` to `each`, once and in order.
pub(super) fn feed(input: &Input, mut each: impl FnMut(&[u8])) -> Result<(), Stop> {
    if let Some(bytes) = input.as_slice() {
        each(bytes);
        return Ok(());
    }
    blocks(input, |block| each(block.fresh()))
}

/// Part of an input, behind the end of the part before it.
#[derive(Default)]
pub(super) struct Block {
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

/// One block after another. Blocks that are still held elsewhere are left
/// alone; the others are used again.
#[derive(Default)]
pub(super) struct Blocks {
    last: Arc<Block>,
    used: Vec<Arc<Block>>,
}

impl Blocks {
    /// Where the next one begins, what it shares with the last one aside.
    pub(super) fn position(&self) -> u64 {
        self.last.offset + to_u64(self.last.end)
    }

    /// The next block of `input`, or nothing at its end.
    pub(super) fn next_of(&mut self, input: &Input) -> Option<Result<Arc<Block>, Stop>> {
        if self.position() >= input.len() {
            return None;
        }
        let free = self.used.iter_mut().position(|block| Arc::get_mut(block).is_some());
        let mut next = free.map(|at| self.used.swap_remove(at)).unwrap_or_default();
        if let Some(block) = Arc::get_mut(&mut next)
            && let Err(stop) = block.read(&self.last, input)
        {
            return Some(Err(stop));
        }
        self.used.push(std::mem::replace(&mut self.last, Arc::clone(&next)));
        Some(Ok(next))
    }
}

/// Calls `each` with one block after another.
fn blocks(input: &Input, mut each: impl FnMut(&Arc<Block>)) -> Result<(), Stop> {
    let mut blocks = Blocks::default();
    while let Some(block) = blocks.next_of(input) {
        each(&block?);
    }
    Ok(())
}
