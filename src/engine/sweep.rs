//! The sweep: every byte of a file once, for its digest, for signatures and
//! for YARA. No header can hide bytes from it.

use std::sync::{Arc, mpsc};

use sha2::{Digest, Sha256};

use crate::artifact::{Artifact, Gap};
use crate::clock::Clock;
use crate::engine::along::Fed;
use crate::engine::checksums::Checksums;
use crate::engine::place;
use crate::engine::signatures::{SignatureHit, Signatures};
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
    /// Checksums that are not what was announced.
    sums: Vec<Evidence>,
    /// The search for signatures came to its end.
    searched: bool,
    gaps: Vec<Gap>,
}

impl Swept {
    /// Where pickles were found that no format has read.
    pub(super) fn pickles(&self) -> Vec<Span> {
        let pickles = self.signatures.iter().filter(|(hit, _)| hit.kind == Kind::EmbeddedPickle);
        pickles.map(|(hit, _)| hit.span).collect()
    }

    /// The same, of a sweep that looked for pickles everywhere, with those alone
    /// that begin in what is `raw`, by start and end in order. Nothing when there
    /// may be others: the search goes on behind a pickle that it found.
    pub(super) fn with_pickles_in(mut self, raw: &[(u64, u64)]) -> Option<Self> {
        let mut complete = self.searched;
        self.signatures.retain(|(hit, count)| {
            if hit.kind != Kind::EmbeddedPickle {
                return true;
            }
            let start = hit.span.offset;
            let next = raw.get(raw.partition_point(|(_, end)| *end <= start));
            if next.is_some_and(|(from, _)| *from <= start) {
                return true;
            }
            let reaches_out =
                next.is_some_and(|(from, _)| hit.span.length == 0 || start.saturating_add(hit.span.length) > *from);
            complete &= *count == 1 && !reaches_out;
            false
        });
        complete.then_some(self)
    }

    /// Adds what was seen to `artifact`.
    pub(super) fn record(self, artifact: &mut Artifact, rules: &RuleSet) {
        artifact.sha256 = self.sha256;
        let mut found: Vec<Evidence> = self.yara.hits.iter().flat_map(YaraHit::evidence).collect();
        found.extend(self.signatures.iter().map(|(hit, count)| hit.evidence(*count)));
        place::record(found, artifact, rules);
        artifact.evidence.extend(self.sums);
        artifact.gaps.extend(self.yara.gaps);
        artifact.gaps.extend(self.gaps);
    }
}

/// Reads all of the subject once, looks for pickles in what of it is `raw`, and
/// computes what `checksums` asks for, which is only of what is too large to be in
/// memory. With
/// `threads` to be had, a second one takes the digest of a long input, which is most
/// of the work.
pub(super) fn sweep(
    subject: &Subject<'_>,
    raw: Vec<(u64, u64)>,
    mut checksums: Checksums,
    yara: &mut YaraScanner<'_>,
    limits: &Limits,
    threads: bool,
) -> Swept {
    let Subject { input, clock, .. } = *subject;
    let mut signatures = Signatures::new(raw, input.len(), limits, clock);
    let (digest, yara) = if let Some(bytes) = input.as_slice() {
        signatures.search(0, bytes, input);
        (Ok(Sha256::digest(bytes).into()), yara.scan(subject, bytes))
    } else {
        let mut search = |block: &Block| {
            let fresh = block.fresh();
            checksums.update(block.offset + to_u64(block.end - fresh.len()), fresh);
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
    let sums = checksums.finish();
    let mut gaps: Vec<Gap> = digest.as_ref().err().map(Gap::from).into_iter().collect();
    let searched = found.gap.is_none();
    gaps.extend(found.gap);
    Swept { sha256: digest.ok(), yara, signatures: found.hits, sums, searched, gaps }
}

/// The same of blocks that somebody else reads: those of an input that is read
/// by the formats meanwhile. Pickles are looked for everywhere, and checksums not
/// computed: what is whose is not known yet.
pub(super) fn sweep_fed(subject: &Subject<'_>, fed: &Fed, yara: &mut YaraScanner<'_>, limits: &Limits) -> Swept {
    let Subject { input, clock, .. } = *subject;
    let mut signatures = Signatures::new(vec![(0, input.len())], input.len(), limits, clock);
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
    let searched = found.gap.is_none();
    let gaps = outcome.as_ref().err().map(|stop: &Stop| Gap::from(stop)).into_iter().chain(found.gap).collect();
    let sha256 = outcome.is_ok().then(|| hasher.finalize().into());
    Swept { sha256, yara, signatures: found.hits, sums: Vec::new(), searched, gaps }
}

/// Pickles in weights that are a member of something else, whose own sweep does
/// not look for them.
pub(super) fn pickles(input: &Input, limits: &Limits, clock: &Clock) -> Swept {
    let mut signatures = Signatures::new(vec![(0, input.len())], input.len(), limits, clock);
    let outcome = if let Some(bytes) = input.as_slice() {
        signatures.search(0, bytes, input);
        Ok(())
    } else {
        blocks(input, |block| signatures.search(block.offset, block.all(), input))
    };
    let found = signatures.finish();
    let searched = found.gap.is_none();
    let gaps = outcome.err().as_ref().map(Gap::from).into_iter().chain(found.gap).collect();
    let hits = found.hits.into_iter().filter(|(hit, _)| hit.kind == Kind::EmbeddedPickle).collect();
    Swept { sha256: None, yara: YaraFound::default(), signatures: hits, sums: Vec::new(), searched, gaps }
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
