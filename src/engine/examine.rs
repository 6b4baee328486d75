//! One artifact: recognise it, let every format that answers read it, judge
//! what they found. Members come back here, one level deeper.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::artifact::{Artifact, Gap, GapReason};
use crate::clock::Clock;
use crate::engine::along::Along;
use crate::engine::beside::Folder;
use crate::engine::checksums::Checksums;
use crate::engine::cx::Cx;
use crate::engine::kept::Kept;
use crate::engine::recognise::{self, Candidate, Ends};
use crate::engine::signatures::{self, without_pickles};
use crate::engine::spill::Spill;
use crate::engine::stored::StoredDigest;
use crate::engine::sweep::{self, Swept};
use crate::engine::{Depth, Options};
use crate::evidence::Span;
use crate::formats::Match;
use crate::input::Input;
use crate::limits::Limits;
use crate::policy::DigestLists;
use crate::rules::{RuleSet, Subject, YaraHit, YaraScanner};
use crate::stop::Stop;

/// How often the clock is looked at, in steps of work.
const STEPS_PER_CLOCK: u64 = 1 << 16;

/// How many times over the bytes of a file are digested as those of its stored
/// members: honest ones don't overlap, and hardly ever nest.
const STORED_LEVELS: u64 = 4;

/// The examination of one file after another by one thread: the limits, how
/// much of them the current file has used, and what is kept between files.
pub(crate) struct Job<'e> {
    pub(crate) limits: &'e Limits,
    rules: &'e RuleSet,
    digests: &'e DigestLists,
    pub(crate) options: Options,
    yara: YaraScanner<'e>,
    pub(super) clock: Arc<Clock>,
    pub(super) work: u64,
    pub(super) clock_at: u64,
    inflated: u64,
    artifacts: u64,
    /// Findings that may still be shown with what stands around them.
    pub(super) excerpts: u64,
    /// Findings of the file so far.
    kept: Kept,
    /// Size of the file.
    size: u64,
    /// Bytes of all members, wherever they are stored.
    viewed: u64,
    /// Bytes of stored members that may still be read for themselves.
    digestible: u64,
    /// The digest that the current file must have.
    stored: Option<StoredDigest>,
    /// What lies beside the current file.
    folder: Option<Arc<Folder>>,
}

/// One artifact to examine.
pub(super) struct Request<'r> {
    pub name: &'r str,
    pub input: Input,
    pub depth: u64,
    /// Where the bytes begin in the artifact around, when they are part of it
    /// and so are swept with it.
    pub within: Option<u64>,
    /// The sweep found it, and no format says how long it is.
    pub found: bool,
    /// A format that reads it whatever it looks like.
    pub forced: Option<&'static str>,
    /// Content that nothing recognises is raw data, not a gap.
    pub data: bool,
    /// Something around it holds it as data and does nothing with it.
    pub carried: bool,
}

impl<'e> Job<'e> {
    pub(crate) fn new(limits: &'e Limits, rules: &'e RuleSet, digests: &'e DigestLists, options: Options) -> Self {
        Self {
            limits,
            rules,
            digests,
            yara: rules.yara_scanner(),
            clock: Arc::new(Clock::new(limits.seconds, &options.stop)),
            options,
            work: 0,
            clock_at: 0,
            inflated: 0,
            artifacts: 0,
            excerpts: 0,
            kept: Kept::default(),
            size: 0,
            viewed: 0,
            digestible: 0,
            stored: None,
            folder: None,
        }
    }

    /// Whether bytes may be left unread that no structure leads to.
    pub(super) fn headers_only(&self) -> bool {
        self.options.depth == Depth::Header
    }

    /// Examines one file of which its place tells something: the digest, or
    /// what lies beside it.
    pub(crate) fn placed_file(
        &mut self,
        name: &str,
        input: Input,
        stored: Option<StoredDigest>,
        folder: Option<Arc<Folder>>,
    ) -> Artifact {
        self.stored = stored;
        self.folder = folder;
        let artifact = self.file(name, input);
        self.stored = None;
        self.folder = None;
        artifact
    }

    /// Examines one file with limits of its own.
    pub(crate) fn file(&mut self, name: &str, input: Input) -> Artifact {
        self.file_as(name, input, None)
    }

    /// The same; the format that is called `forced` reads it too, whatever it
    /// looks like.
    pub(crate) fn file_as(&mut self, name: &str, input: Input, forced: Option<&'static str>) -> Artifact {
        self.clock = Arc::new(Clock::new(self.limits.seconds, &self.options.stop));
        let input = input.timed(&self.clock);
        self.work = 0;
        self.clock_at = STEPS_PER_CLOCK;
        self.inflated = 0;
        self.artifacts = 0;
        self.excerpts = self.limits.excerpts;
        self.kept = Kept::default();
        self.viewed = 0;
        let size = input.len();
        self.size = size;
        self.digestible = size.saturating_mul(STORED_LEVELS);
        let request =
            Request { name, input, depth: 0, within: None, found: false, forced, data: false, carried: false };
        match self.examine(request) {
            Ok(artifact) => artifact,
            Err(stop) => {
                let mut artifact = Artifact::new(name, size);
                artifact.gaps.push((&stop).into());
                artifact
            }
        }
    }

    /// Pays for `steps` of parsing at `offset`.
    pub(super) fn charge(&mut self, steps: u64, offset: u64) -> Result<(), Stop> {
        self.work = self.work.saturating_add(steps);
        if self.work > self.limits.work {
            return Err(Stop::Limit { offset, limit: "work" });
        }
        if self.work >= self.clock_at {
            self.clock_at = self.work.saturating_add(STEPS_PER_CLOCK);
            return self.check_clock(offset);
        }
        Ok(())
    }

    /// Whether the scan has been told to stop.
    pub(crate) fn is_stopped(&self) -> bool {
        self.options.stop.load(Ordering::Relaxed)
    }

    /// A view of a temporary file, which the file's time bounds like its own.
    pub(super) fn temporary(&self, file: Spill, len: u64) -> Input {
        Input::positioned(Arc::new(file), len).timed(&self.clock)
    }

    /// Whether the file's time is used up.
    pub(super) fn check_clock(&self, offset: u64) -> Result<(), Stop> {
        self.clock.check(offset)
    }

    /// Pays for `bytes` produced by decompression.
    pub(super) fn charge_inflated(&mut self, bytes: u64, offset: u64) -> Result<(), Stop> {
        self.inflated = self.inflated.saturating_add(bytes);
        if self.inflated > self.limits.inflated_bytes {
            return Err(Stop::Limit { offset, limit: "inflated-bytes" });
        }
        self.charge(bytes / 1024, offset)
    }

    /// Pays for `bytes` that are examined as a member. What the sweep found is
    /// free: it has no length of its own, and the search bounds its number.
    fn charge_viewed(&mut self, bytes: u64) -> Result<(), Stop> {
        self.viewed = self.viewed.saturating_add(bytes);
        let there = self.size.saturating_add(self.inflated);
        if self.viewed > there.saturating_mul(self.limits.overlap) {
            return Err(Stop::Limit { offset: 0, limit: "overlap" });
        }
        Ok(())
    }

    /// Examines one artifact; everything that goes wrong inside it is recorded
    /// in it.
    pub(super) fn examine(&mut self, request: Request<'_>) -> Result<Artifact, Stop> {
        self.artifacts = self.artifacts.saturating_add(1);
        if self.artifacts > self.limits.artifacts {
            return Err(Stop::Limit { offset: 0, limit: "artifacts" });
        }
        self.charge(1, 0)?;
        if request.depth > 0 && !request.found {
            self.charge_viewed(request.input.len())?;
        }
        let Request { name, input, depth, within, found, forced, data, carried } = request;
        let mut artifact = Artifact::new(name, input.len());
        artifact.within = within;
        artifact.carried = carried;
        if depth > self.limits.depth {
            artifact.gaps.push((&Stop::Limit { offset: 0, limit: "depth" }).into());
            return Ok(artifact);
        }
        let (input, candidates) = match self.look(input, forced, data, &mut artifact) {
            Ok(looked) => looked,
            Err(stop) => {
                artifact.gaps.push((&stop).into());
                return Ok(artifact);
            }
        };
        let unswept = self.headers_only() && input.as_slice().is_none();
        let along = if within.is_none() && !unswept {
            self.read_along(&candidates, &input, depth, data, &mut artifact)
        } else {
            None
        };
        if along.is_none() {
            self.read(&candidates, &input, depth, data, &mut artifact);
        }
        if within.is_none() && unswept {
            let detail = "only the structure was read, as asked for: no digest, no signatures, no YARA rules";
            artifact.gaps.push(Gap::new(GapReason::NotEvaluated, detail));
        } else if within.is_none() {
            self.sweep(along.flatten(), &input, depth, &mut artifact);
        } else if !found && !unswept {
            if !artifact.formats.is_empty() && without_pickles(&artifact.formats) {
                self.search(&input, depth, &mut artifact);
            }
            if !self.digests.is_empty() || self.rules.has_foreign_yara() {
                self.alone(&input, &mut artifact);
            }
        }
        if depth == 0
            && let Some(stored) = &self.stored
        {
            stored.compare(&input, &mut artifact);
        }
        if depth == 0
            && let Some(folder) = &self.folder
        {
            folder.tell(&mut artifact);
        }
        super::promise::compare(&mut artifact);
        self.digests.compare(&mut artifact);
        self.rules.judge(&mut artifact);
        self.kept.bound(&mut artifact, self.limits);
        if within.is_none() {
            self.show_around(&mut artifact, &input);
        }
        if !self.options.keep_evidence {
            artifact.evidence = Vec::new();
        }
        Ok(artifact)
    }

    /// Which formats answer, and the input as they are to read it. What may be
    /// raw data is taken into memory only when it turns out to be something
    /// else, or when somebody asks for it by itself.
    fn look(
        &self,
        input: Input,
        forced: Option<&'static str>,
        data: bool,
        artifact: &mut Artifact,
    ) -> Result<(Input, Vec<Candidate>), Stop> {
        let Artifact { name, gaps, .. } = artifact;
        if !data {
            let input = self.held(&input)?;
            let candidates = recognise::recognise(&input, name, forced, Ends::Both, gaps);
            return Ok((input, candidates));
        }
        let headers = self.headers_only();
        let ends = if headers { Ends::First } else { Ends::Both };
        let candidates = recognise::recognise(&input, name, forced, ends, gaps);
        let alone = !headers && (!self.digests.is_empty() || self.rules.has_foreign_yara());
        let input = if candidates.is_empty() && !alone { input } else { self.held(&input)? };
        Ok((input, candidates))
    }

    /// The input itself, or a copy in memory when it is small: one read
    /// instead of many, and nothing that changes underneath. What can't be read
    /// whole is read as far as it goes.
    pub(super) fn held(&self, input: &Input) -> Result<Input, Stop> {
        if input.as_slice().is_none() && input.len() <= self.limits.memory_bytes {
            match input.all(self.limits.memory_bytes) {
                Ok(bytes) => return Ok(bytes.into()),
                Err(Stop::Unreadable { .. } | Stop::Truncated { .. }) => {}
                Err(stop) => return Err(stop),
            }
        }
        Ok(input.clone())
    }

    /// Lets every candidate read the input. A candidate that is less than
    /// certain, and wrong, is no gap when another has read the content whole.
    fn read(&mut self, candidates: &[Candidate], input: &Input, depth: u64, data: bool, artifact: &mut Artifact) {
        let mut doubtful: Vec<Gap> = Vec::new();
        let mut read_whole = false;
        for candidate in candidates {
            let gaps_before = artifact.gaps.len();
            let facts_before = artifact.evidence.len();
            let outcome = self.read_as(candidate, input, depth, artifact);
            match outcome {
                Ok(()) => {
                    artifact.formats.push(candidate.format.name());
                    read_whole |= artifact.gaps.len() == gaps_before;
                }
                // Three bytes at the start of random weights look like a pickle
                // once in 40,000 storages; one that does nothing is none.
                Err(_) if data && artifact.evidence.len() == facts_before => {}
                Err(gap) if candidate.certainty == Match::Magic => {
                    artifact.formats.push(candidate.format.name());
                    artifact.gaps.push(gap);
                }
                Err(gap) => doubtful.push(gap),
            }
        }
        if !read_whole {
            artifact.gaps.extend(doubtful);
        }
        if !data && artifact.formats.is_empty() && artifact.gaps.is_empty() {
            artifact.gaps.push(recognise::unrecognised(input));
        }
    }

    /// One format reads the input; a panic in it is caught here.
    fn read_as(
        &mut self,
        candidate: &Candidate,
        input: &Input,
        depth: u64,
        artifact: &mut Artifact,
    ) -> Result<(), Gap> {
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let mut cx = Cx::new(self, artifact, input.clone(), depth);
            candidate.format.read(input, &mut cx)
        }));
        match outcome {
            Ok(Ok(())) => Ok(()),
            Ok(Err(stop)) => Err(Gap::from(&stop)),
            Err(panic) => Err(Gap::new(
                GapReason::Panic,
                format!("the {} reader failed: {}", candidate.format.name(), panic_text(&*panic)),
            )),
        }
    }

    /// Has formats read what is far away while another thread sweeps the same
    /// bytes. Nothing when that is not to be had, and nothing has been read; no
    /// sweep when it can't tell what is out of place.
    ///
    /// Apart from `examine`, which is on the stack once for each level.
    #[inline(never)]
    fn read_along(
        &mut self,
        candidates: &[Candidate],
        input: &Input,
        depth: u64,
        data: bool,
        artifact: &mut Artifact,
    ) -> Option<Option<std::thread::Result<Swept>>> {
        let (along, fed) = Along::with(input)?;
        let (rules, limits, clock, name) = (self.rules, self.limits, Arc::clone(&self.clock), artifact.name.clone());
        let swept = std::thread::scope(|scope| {
            let along = Arc::new(along);
            let thread = std::thread::Builder::new().stack_size(crate::scanner::STACK_BYTES);
            let (name, clock) = (&name, &clock);
            let sweeping = thread.spawn_scoped(scope, move || {
                let subject = Subject { name, input, clock, inside: false };
                sweep::sweep_fed(&subject, &fed, &mut rules.yara_scanner(), limits)
            });
            let sweeping = sweeping.ok()?;
            self.read(candidates, &input.by_way_of(Arc::<Along>::clone(&along)), depth, data, artifact);
            along.finish();
            Some(sweeping.join())
        })?;
        // Where pickles are out of place is known only now.
        Some(match swept {
            Ok(swept) => swept.with_pickles_in(&signatures::raw(artifact)).map(Ok),
            Err(panic) => Some(Err(panic)),
        })
    }

    /// Digest, signatures and YARA over every byte, unless that is done. Pickles
    /// that turn up where no format expects them are examined like any member.
    fn sweep(&mut self, swept: Option<std::thread::Result<Swept>>, input: &Input, depth: u64, artifact: &mut Artifact) {
        let raw = signatures::raw(artifact);
        let sums = Checksums::new(std::mem::take(&mut artifact.checksums));
        let swept = swept.unwrap_or_else(|| {
            catch_unwind(AssertUnwindSafe(|| {
                let subject = Subject { name: &artifact.name, input, clock: &self.clock, inside: false };
                sweep::sweep(&subject, raw, sums, &mut self.yara, self.limits, self.options.threads)
            }))
        });
        match swept {
            Ok(swept) => self.record(swept, input, depth, artifact),
            Err(panic) => artifact.gaps.push(self.sweep_failed(&*panic)),
        }
        if let Err(stop) = self.check_clock(0) {
            artifact.gaps.push((&stop).into());
        }
    }

    fn record(&mut self, swept: Swept, input: &Input, depth: u64, artifact: &mut Artifact) {
        let pickles = swept.pickles();
        swept.record(artifact, self.rules);
        for span in pickles {
            // What is behind a model has been read as such; that it is out of
            // place is told all the same.
            if signatures::is_read(artifact, 0, span.offset) {
                continue;
            }
            self.found_pickle(span, input, depth, artifact);
        }
    }

    /// Searches a stored member for pickles: the sweep of what is around it
    /// reads it as part of something that may have some.
    fn search(&mut self, input: &Input, depth: u64, artifact: &mut Artifact) {
        let sha256 = artifact.sha256;
        match catch_unwind(AssertUnwindSafe(|| sweep::pickles(input, self.limits, &self.clock))) {
            Ok(swept) => self.record(swept, input, depth, artifact),
            Err(panic) => artifact.gaps.push(self.sweep_failed(&*panic)),
        }
        artifact.sha256 = sha256;
    }

    /// Reads a stored member for itself, which the sweep reads as part of what
    /// is around it: lists have its digest, and rules may ask what it begins
    /// with.
    fn alone(&mut self, input: &Input, artifact: &mut Artifact) {
        let Some(left) = self.digestible.checked_sub(input.len()) else {
            let detail =
                "lists of digests and rules of your own did not see it by itself: members of this file overlap";
            artifact.gaps.push(Gap::new(GapReason::NotEvaluated, detail));
            return;
        };
        self.digestible = left;
        let subject = Subject { name: &artifact.name, input, clock: &self.clock, inside: true };
        match catch_unwind(AssertUnwindSafe(|| sweep::alone(&subject, &mut self.yara))) {
            Ok((digest, found)) => {
                match digest {
                    Ok(digest) => artifact.sha256 = Some(digest),
                    Err(stop) => artifact.gaps.push((&stop).into()),
                }
                artifact.evidence.extend(found.hits.iter().flat_map(YaraHit::evidence));
                artifact.gaps.extend(found.gaps);
            }
            Err(panic) => artifact.gaps.push(self.sweep_failed(&*panic)),
        }
    }

    /// The gap after a panic in the sweep, whose scanners are of no use any
    /// more.
    fn sweep_failed(&mut self, panic: &(dyn std::any::Any + Send)) -> Gap {
        self.yara = self.rules.yara_scanner();
        Gap::new(GapReason::Panic, format!("the byte sweep failed: {}", panic_text(panic)))
    }

    fn found_pickle(&mut self, span: Span, input: &Input, depth: u64, artifact: &mut Artifact) {
        let content = match span.length {
            0 => Ok(input.tail(span.offset)),
            length => input.window(span.offset, length),
        };
        let name = found_name(span);
        let member = content.and_then(|content| {
            let forced = Some("pickle");
            self.examine(Request {
                name: &name,
                input: content,
                depth: depth.saturating_add(1),
                within: Some(span.offset),
                found: true,
                forced,
                data: false,
                carried: artifact.carried,
            })
        });
        match member {
            Ok(member) => artifact.members.push(member),
            Err(stop) => artifact.gaps.push((&stop).into()),
        }
    }
}

/// How a pickle that the sweep found is called.
fn found_name(span: Span) -> String {
    format!("pickle at {:#x}", span.offset)
}

pub(super) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "unknown panic".to_owned())
}
