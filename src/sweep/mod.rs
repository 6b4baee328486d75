//! The sweep: an artifact store, every night. What is new, changed or could not
//! be read the last time is examined; what has been judged by other rules is
//! judged again from the facts that were kept; the rest is a look at a listing.
//!
//! The thread that calls lists, asks the state and writes; scanning threads
//! examine. What they have done is recorded in batches, each in one transaction,
//! so that a sweep that is killed goes on where it was.

mod facts;
mod offers;
mod parts;
mod state;
mod workers;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use sha2::{Digest as _, Sha256};

use crate::artifact::{Artifact, Gap, GapReason};
use crate::engine::Depth;
use crate::policy::Triage;
use crate::report::{FileReport, Report, Summary, Swept, Verdict};
use crate::rules::{RuleSet, hex};
use crate::shelter::Wish;

pub use offers::{Target, TargetError};
pub use state::{State, StateError};

use offers::{Offer, Offers, Step};
use parts::Parts;
use state::{Known, Lasting, Row};
use workers::{Done, Pool, Task, Work};

/// Objects that are recorded in one transaction.
const BATCH: usize = 100;

/// Objects that were not fully examined, and have no finding, that a report
/// lists before it only counts them.
const LISTED: usize = 10_000;

/// How a sweep goes.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// Scanning threads; 0 is four per core at header depth, where they mostly
    /// wait, and one at full depth.
    pub threads: usize,
    /// Bytes of objects that are held in memory at any time.
    pub memory: u64,
    /// Which part of the objects.
    pub shard: Shard,
    /// Reads everything again.
    pub again: bool,
    /// Where Parquet files go.
    pub parquet: Option<PathBuf>,
    /// Whether scanning threads are confined.
    pub sandbox: Wish,
    /// Seconds since 1970 that the sweep calls now.
    pub now: i64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            threads: 0,
            memory: 96 << 20,
            shard: Shard::default(),
            again: false,
            parquet: None,
            sandbox: Wish::Auto,
            now: 0,
        }
    }
}

/// Part `index` of `count`, by which several processes share a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Which part, from 0.
    pub index: u64,
    /// How many there are.
    pub count: u64,
}

impl Default for Shard {
    fn default() -> Self {
        Self { index: 0, count: 1 }
    }
}

impl Shard {
    /// Reads `I/N`.
    ///
    /// # Errors
    /// In words, when it is no such thing.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wanted = "wanted I/N with I from 0 to N-1, such as 0/4";
        let (index, count) = text.split_once('/').ok_or(wanted)?;
        let (index, count) = (index.parse().map_err(|_| wanted)?, count.parse().map_err(|_| wanted)?);
        if index < count { Ok(Self { index, count }) } else { Err(wanted.to_owned()) }
    }

    /// Whether the object is in this part: the first eight bytes of the SHA-256
    /// of its URL, the most significant first, modulo the number of parts.
    pub fn has(self, uri: &str) -> bool {
        let digest = Sha256::digest(uri.as_bytes());
        let first = digest.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        first.checked_rem(self.count).is_none_or(|part| part == self.index)
    }

    /// `I/N`, when it is not all.
    pub fn name(self) -> Option<String> {
        (self.count > 1).then(|| format!("{}/{}", self.index, self.count))
    }
}

/// The sweep could not be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SweepError {
    /// The state can't be read or written.
    #[error(transparent)]
    State(#[from] StateError),
    /// Parquet files can't be written.
    #[error("parquet: {0}")]
    Parts(String),
    /// A scanning thread has gone.
    #[error("{0}")]
    Thread(String),
}

/// Told of the sweep as it goes, from the thread that calls.
pub trait Watch {
    /// This many more objects with this many bytes are going to be examined.
    fn found(&mut self, objects: u64, bytes: u64);
    /// An object has been examined, or judged again.
    fn done(&mut self, file: &FileReport);
}

/// What of the objects' identity decides whether they must be read again.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    depth: Depth,
    /// Major and minor version.
    version: String,
    /// What decides which facts there are.
    options_hash: String,
    /// What decides which findings these are.
    ruleset_id: String,
}

impl Settings {
    fn of(scanner: &crate::Scanner<'_>) -> Self {
        let rules: &RuleSet = scanner.rules();
        let version: Vec<&str> = env!("CARGO_PKG_VERSION").split('.').take(2).collect();
        let judged = format!("{} {} {}", rules.digest(), rules.is_strict(), scanner.digests().identity());
        Self {
            depth: scanner.depth(),
            version: version.join("."),
            options_hash: hex(&Sha256::digest(scanner.reading())),
            ruleset_id: hex(&Sha256::digest(judged)),
        }
    }
}

fn depth_name(depth: Depth) -> &'static str {
    match depth {
        Depth::Full => "full",
        Depth::Header => "header",
    }
}

/// What is to be done about an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plan {
    Leave,
    JudgeAgain,
    Read,
}

/// Whether what is known of an object still holds.
fn plan(offer: &Offer, known: Option<&Known>, settings: &Settings, again: bool) -> Plan {
    let Some(known) = known.filter(|_| !again) else { return Plan::Read };
    let deep = known.depth == "full" || settings.depth == Depth::Header;
    // Without a mark nobody can tell whether it has changed.
    let same =
        !offer.mark.is_empty() && known.mark == offer.mark && known.size == offer.size && offer.problem.is_none();
    if !same || known.retry || !deep || known.version != settings.version || known.options_hash != settings.options_hash
    {
        Plan::Read
    } else if known.ruleset_id == settings.ruleset_id {
        Plan::Leave
    } else if known.has_facts {
        Plan::JudgeAgain
    } else {
        Plan::Read
    }
}

/// Whether reading again may show what was not seen: the bytes are there, and
/// something kept them away.
fn is_passing(gap: &Gap) -> bool {
    match gap.reason {
        GapReason::Unreadable | GapReason::Changed | GapReason::Interrupted | GapReason::Panic => true,
        GapReason::Limit => gap.detail.contains("`seconds`"),
        _ => false,
    }
}

/// Sweeps `targets` and reports on all that they hold, whether it was examined
/// now or before. `scanner` must keep evidence.
///
/// # Errors
/// [`SweepError`] when the state fails; what was recorded until then stays.
pub fn sweep(
    targets: &[Target],
    scanner: &crate::Scanner<'_>,
    triage: &Triage,
    state: &mut State,
    options: &Options,
    stop: &Arc<AtomicBool>,
    watch: &mut dyn Watch,
) -> Result<Report, SweepError> {
    let settings = Settings::of(scanner);
    let names: Vec<String> = targets.iter().map(Target::name).collect();
    let scope = format!("{} {}", names.join(" "), options.shard.name().unwrap_or_else(|| "all".to_owned()));
    let run = state.begin(&scope, options.now)?;
    let swept = Swept {
        targets: names,
        depth: depth_name(settings.depth).to_owned(),
        shard: options.shard.name(),
        since: run.since,
        ..Swept::default()
    };
    workers::with_pool(scanner, options, |pool| {
        let mut course = Course {
            settings,
            scanner,
            triage,
            state,
            options,
            run,
            scope,
            swept,
            pool,
            watch,
            rows: Vec::new(),
            files: Vec::new(),
            totals: Summary::default(),
            incomplete: 0,
            is_whole: true,
        };
        for target in targets {
            course.target(target, stop)?;
        }
        course.end(stop)
    })
}

/// A sweep on its way.
struct Course<'c, 's, 'r> {
    settings: Settings,
    scanner: &'c crate::Scanner<'r>,
    triage: &'c Triage,
    state: &'c mut State,
    options: &'c Options,
    run: Lasting,
    scope: String,
    swept: Swept,
    pool: Pool<'s>,
    watch: &'c mut dyn Watch,
    /// Waiting to be recorded.
    rows: Vec<Row>,
    /// Those that the report lists.
    files: Vec<FileReport>,
    totals: Summary,
    /// Of the files, those without a finding.
    incomplete: usize,
    /// Everything was listed, so that what was not met is gone.
    is_whole: bool,
}

impl Course<'_, '_, '_> {
    fn target(&mut self, target: &Target, stop: &AtomicBool) -> Result<(), SweepError> {
        let mut offers = Offers::of(target, self.scanner);
        while let Some(step) = offers.next_step() {
            if stop.load(std::sync::atomic::Ordering::Relaxed) {
                self.is_whole = false;
                break;
            }
            match step {
                Step::Page(page) => self.page(target, page)?,
                Step::Failed(file) => {
                    self.is_whole = false;
                    self.count(*file, &[]);
                }
            }
        }
        self.drain()?;
        Ok(())
    }

    fn page(&mut self, target: &Target, mut page: Vec<Offer>) -> Result<(), SweepError> {
        page.retain(|offer| self.options.shard.has(&offer.uri));
        let uris: Vec<&str> = page.iter().map(|offer| offer.uri.as_str()).collect();
        let mut known = self.state.known(&uris)?;
        let mut met = Vec::new();
        let mut bytes: u64 = 0;
        let mut tasks = Vec::new();
        for offer in page {
            let before = known.remove(&offer.uri);
            match plan(&offer, before.as_ref(), &self.settings, self.options.again) {
                Plan::Leave => {
                    self.swept.unchanged += 1;
                    met.push(offer.uri.clone());
                    if let Some(before) = before {
                        self.leave(&offer, &before)?;
                    }
                }
                Plan::JudgeAgain => match self.state.facts(&offer.uri)?.as_deref().and_then(facts::unpack) {
                    Some(kept) => tasks.push(Task { target: target.name(), offer, work: Work::Judge(Box::new(kept)) }),
                    None => tasks.push(Task { target: target.name(), offer, work: Work::Read }),
                },
                Plan::Read => {
                    bytes = bytes.saturating_add(offer.size);
                    tasks.push(Task { target: target.name(), offer, work: Work::Read });
                }
            }
        }
        self.state.meet(&met, self.run.id)?;
        self.watch.found(crate::input::to_u64(tasks.len()), bytes);
        for task in tasks {
            let mut task = task;
            if let Work::Read = task.work {
                task.offer.open();
            }
            let mut waiting = Some(task);
            while let Some(task) = waiting.take() {
                waiting = self.pool.offer(task)?;
                if waiting.is_some() {
                    let done = self.pool.take()?;
                    self.done(done)?;
                }
            }
        }
        Ok(())
    }

    /// What was found before still holds.
    fn leave(&mut self, offer: &Offer, known: &Known) -> Result<(), SweepError> {
        if known.is_blank {
            self.count(offer.report(Artifact::new(offer.uri.as_str(), offer.size)), &[]);
            return Ok(());
        }
        if let Some((file, new)) = self.state.report(&offer.uri, &self.run)? {
            self.count(file, &new);
        }
        Ok(())
    }

    /// Takes everything that is being examined.
    fn drain(&mut self) -> Result<(), SweepError> {
        while self.pool.is_busy() {
            let done = self.pool.take()?;
            self.done(done)?;
        }
        self.record()
    }

    fn done(&mut self, done: Done) -> Result<(), SweepError> {
        let Done { target, offer, file, facts, judged_again } = done;
        let interrupted = file.gaps.iter().any(|gap| gap.reason == GapReason::Interrupted);
        if judged_again {
            self.swept.judged_again += 1;
        } else {
            self.swept.examined += 1;
        }
        if let Some(fetched) = &file.fetched {
            self.swept.bytes_read = self.swept.bytes_read.saturating_add(fetched.bytes_read);
            self.swept.requests = self.swept.requests.saturating_add(fetched.requests.unwrap_or(0));
        }
        self.watch.done(&file);
        if interrupted {
            // Told, and left for the next sweep as it was.
            self.count(file, &[]);
            return Ok(());
        }
        let retry = file.gaps.iter().any(is_passing);
        self.rows.push(Row { target, offer: offer.forget(), file, facts, retry });
        if self.rows.len() >= BATCH { self.record() } else { Ok(()) }
    }

    /// Writes what is waiting, in one transaction.
    fn record(&mut self) -> Result<(), SweepError> {
        let rows = std::mem::take(&mut self.rows);
        if rows.is_empty() {
            return Ok(());
        }
        let news = self.state.record(&rows, &self.settings, &self.run, self.options.now)?;
        for (row, new) in rows.into_iter().zip(news) {
            self.count(row.file, &new);
        }
        Ok(())
    }

    /// Takes a file into the report; `new` are the indices of the findings that
    /// were not there before.
    fn count(&mut self, file: FileReport, new: &[usize]) {
        let file = self.triage.mark(file);
        self.swept.add_new(new.iter().filter_map(|index| file.findings.get(*index)));
        self.totals.add(&file);
        let listed = match file.verdict {
            Verdict::Clean => !file.findings.is_empty(),
            Verdict::Incomplete => {
                self.incomplete += 1;
                self.incomplete <= LISTED
            }
            Verdict::Suspicious | Verdict::Malicious => true,
        };
        if listed {
            self.files.push(file);
        }
    }

    /// Writes what was recorded since the last time to Parquet files.
    fn export(&mut self) -> Result<(), SweepError> {
        let Some(directory) = &self.options.parquet else { return Ok(()) };
        let shard = self.options.shard;
        let parts = Parts {
            directory,
            targets: &self.swept.targets,
            shard: self.swept.shard.as_deref(),
            after: self.state.exported(&self.scope)?,
            run: &self.run,
            now: self.options.now,
        };
        parts::write(&parts, self.state, &|uri| shard.has(uri))?;
        self.state.note_export(&self.run, self.options.now)?;
        Ok(())
    }

    fn end(mut self, stop: &AtomicBool) -> Result<Report, SweepError> {
        if self.is_whole && !stop.load(std::sync::atomic::Ordering::Relaxed) {
            let names = self.swept.targets.clone();
            let shard = self.options.shard;
            self.swept.gone = self.state.forget(&names, &self.run, self.options.now, |uri| shard.has(uri))?;
            self.state.finish(&self.run, self.options.now)?;
        }
        self.export()?;
        self.swept.settle();
        let mut report = Report::new(self.scanner.rules(), self.files);
        self.swept.unlisted = self.totals.files.saturating_sub(report.files.len());
        report.summary = self.totals;
        report.sweep = Some(self.swept);
        Ok(report.within(self.pool.sandbox))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_share_everything() {
        let uris: Vec<String> = (0..1000).map(|n| format!("s3://bucket/{n}")).collect();
        let of = |index| uris.iter().filter(|uri| Shard { index, count: 7 }.has(uri)).count();
        let counts: Vec<usize> = (0..7).map(of).collect();
        assert_eq!(counts.iter().sum::<usize>(), 1000);
        assert!(counts.iter().all(|count| *count > 100), "{counts:?}");
        // Other machines and later versions must agree.
        for (index, count) in [(2, 3), (0, 5)] {
            assert!(Shard { index, count }.has("s3://bucket/model.safetensors"));
        }
        assert_eq!(Shard::parse("2/3"), Ok(Shard { index: 2, count: 3 }));
        assert!(["3/3", "0/0", "1", "a/b"].into_iter().all(|text| Shard::parse(text).is_err()));
    }
}
