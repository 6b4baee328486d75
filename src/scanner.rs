//! [`Scanner`]: many files, in parallel, into one report.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};

use crate::artifact::{Artifact, Gap, GapReason};
#[cfg(feature = "remote")]
use crate::engine::Room;
#[cfg(feature = "sweep")]
use crate::engine::StoredDigest;
use crate::engine::{Depth, Job, Options, is_unknown};
use crate::formats::Format;
use crate::input::{Input, to_u64, to_usize};
use crate::limits::Limits;
use crate::policy::{DigestLists, Globs};
use crate::report::{FileReport, Report};
use crate::rules::RuleSet;
use crate::source::{self, Covered, Finds, Folders, Found, Walk};

/// Scans files under a rule set and limits.
///
/// ```
/// use weighin::{RuleSet, Scanner, report::Verdict};
///
/// let rules = RuleSet::embedded()?;
/// let scanner = Scanner::new(&rules);
/// // A pickle that would run `echo` when loaded.
/// let report = scanner.scan_bytes("model.pkl", b"cos\nsystem\n(S'echo hi'\ntR.");
/// assert_eq!(report.verdict, Verdict::Malicious);
/// # Ok::<(), weighin::rules::RuleError>(())
/// ```
#[derive(Debug)]
pub struct Scanner<'r> {
    rules: &'r RuleSet,
    limits: Limits,
    walk: Walk,
    excluded: Globs,
    digests: DigestLists,
    written: Vec<PathBuf>,
    options: Options,
    threads: usize,
}

/// Stack of a scanning thread: nested members recurse, up to the depth limit.
pub(crate) const STACK_BYTES: usize = 16 << 20;

/// Told about the scan as it goes, from any thread.
pub trait Progress: Sync {
    /// This many files with this many bytes are going to be scanned.
    fn found(&self, files: u64, bytes: u64);
    /// A file has been scanned.
    fn done(&self, file: &FileReport);
}

/// Nobody is told.
impl Progress for () {
    fn found(&self, _files: u64, _bytes: u64) {}
    fn done(&self, _file: &FileReport) {}
}

impl<'r> Scanner<'r> {
    /// A scanner with default limits.
    pub fn new(rules: &'r RuleSet) -> Self {
        Self {
            rules,
            limits: Limits::default(),
            walk: Walk::default(),
            excluded: Globs::default(),
            digests: DigestLists::default(),
            written: Vec::new(),
            options: Options::default(),
            threads: 0,
        }
    }

    /// The same with other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The same with another way to walk directories.
    #[must_use]
    pub fn with_walk(mut self, walk: Walk) -> Self {
        self.walk = walk;
        self
    }

    /// The same without the paths that `excluded` fits, which are counted.
    #[must_use]
    pub fn excluding(mut self, excluded: Globs) -> Self {
        self.excluded = excluded;
        self
    }

    /// The same without the files that the caller is about to write: a report
    /// on a tree may lie in that tree, and is none of its content.
    #[must_use]
    pub fn writing(mut self, files: impl IntoIterator<Item = PathBuf>) -> Self {
        self.written = files.into_iter().filter_map(|file| std::fs::canonicalize(file).ok()).collect();
        self
    }

    /// The same with digests to compare those of all content with.
    #[must_use]
    pub fn with_digests(mut self, digests: DigestLists) -> Self {
        self.digests = digests;
        self
    }

    /// The same with this many threads; 0 is one per core.
    #[must_use]
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// The same, reading every byte or only what the structure leads to.
    #[must_use]
    pub fn with_depth(mut self, depth: Depth) -> Self {
        self.options.depth = depth;
        self
    }

    /// Keeps the evidence in artifacts, for those who want more than findings.
    #[must_use]
    pub fn keeping_evidence(mut self) -> Self {
        self.options.keep_evidence = true;
        self
    }

    /// Keeps evidence, and what else artifacts contain.
    #[must_use]
    pub fn describing(mut self) -> Self {
        self.options.describe = true;
        self.keeping_evidence()
    }

    /// The same, ending early once `stop` is set: what was found until then is
    /// in the report, and what was not examined is a gap.
    #[must_use]
    pub fn stopped_by(mut self, stop: Arc<AtomicBool>) -> Self {
        self.options.stop = stop;
        self
    }

    /// Scans files and directory trees. Never fails: what can't be read is in
    /// the report as a gap.
    pub fn scan(&self, paths: &[PathBuf], progress: &dyn Progress) -> Report {
        self.scan_found(self.find(paths), progress)
    }

    /// The first half of [`scan`](Self::scan): finds the files, and opens none.
    pub fn find(&self, paths: &[PathBuf]) -> Finds {
        let mut found = source::walk_until(paths, self.walk, &self.options.stop);
        found.retain(|found| !self.writes(&found.path));
        let excluded = self.leave_out(&mut found);
        Finds::new(paths, found, excluded)
    }

    /// The second half of [`scan`](Self::scan).
    pub fn scan_found(&self, finds: Finds, progress: &dyn Progress) -> Report {
        let Finds { found, excluded, folders, .. } = finds;
        let covered = Covered::of(&found);
        let files = found.iter().map(|found| to_u64(found.reports())).sum();
        let bytes = found.iter().map(|found| found.size.saturating_mul(to_u64(found.reports())));
        progress.found(files, bytes.fold(0, u64::saturating_add));
        let scan = || {
            let each = found.into_par_iter().map_init(
                || self.job(),
                |job, found| {
                    let reports = Self::scan_one(job, &found, &covered, &folders);
                    reports.iter().for_each(|report| progress.done(report));
                    reports
                },
            );
            each.flatten_iter().collect()
        };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(self.threads).stack_size(STACK_BYTES).build();
        let files = match pool {
            Ok(pool) => pool.install(scan),
            // No threads to be had: the caller's own does it.
            Err(_) => scan(),
        };
        let mut report = Report::new(self.rules, files);
        report.summary.excluded = excluded;
        report
    }

    /// Scans bytes as if they were a file called `name`.
    pub fn scan_bytes(&self, name: &str, bytes: &[u8]) -> FileReport {
        self.scan_input(name, bytes.into())
    }

    /// Scans what `reader` delivers as if it were a file called `name`. Up to
    /// the memory limit it is held in memory, beyond in an unlinked temporary
    /// file.
    ///
    /// # Errors
    /// When the temporary file can't be written. When reading fails, what came
    /// before is scanned and the failure is a gap.
    pub fn scan_reader(&self, name: &str, reader: &mut dyn io::Read) -> io::Result<FileReport> {
        let mut spool = tempfile::SpooledTempFile::new(to_usize(self.limits.memory_bytes));
        let copied = io::copy(reader, &mut spool);
        let input = match spool.into_inner() {
            tempfile::SpooledData::InMemory(memory) => memory.into_inner().into(),
            tempfile::SpooledData::OnDisk(file) => {
                let len = file.metadata()?.len();
                Input::positioned(Arc::new(file), len)
            }
        };
        let mut artifact = self.job().file(name, input);
        if let Err(error) = copied {
            let stopped = self.options.stop.load(Ordering::Relaxed);
            let reason = if stopped { GapReason::Interrupted } else { GapReason::Unreadable };
            artifact.gaps.push(Gap::new(reason, error.to_string()));
        }
        Ok(FileReport::new(name, artifact))
    }

    /// Scans any input as if it were a file called `name`.
    pub fn scan_input(&self, name: &str, input: Input) -> FileReport {
        FileReport::new(name, self.job().file(name, input))
    }

    /// Examines an input without folding it into a report; with
    /// [`keeping_evidence`](Self::keeping_evidence), evidence stays in it.
    pub fn examine(&self, name: &str, input: Input) -> Artifact {
        self.job().file(name, input)
    }

    /// The same, and `format` reads it too, whatever it looks like: to try a
    /// reader on bytes that it would not recognise.
    pub fn examine_as(&self, name: &str, input: Input, format: &'static dyn Format) -> Artifact {
        self.job().file_as(name, input, Some(format.name()))
    }

    /// What scans many inputs one after another on one thread, cheaper than
    /// [`scan_bytes`](Self::scan_bytes) does each.
    pub fn worker(&self) -> Worker<'_> {
        Worker { job: self.job() }
    }

    /// The same, whose temporary files somebody else makes and counts.
    #[cfg(feature = "remote")]
    pub(crate) fn worker_in(&self, room: Arc<dyn Room>) -> Worker<'_> {
        let mut worker = self.worker();
        worker.job.options.room = Some(room);
        worker
    }

    /// The rules that it judges by.
    #[cfg(feature = "sweep")]
    pub(crate) fn rules(&self) -> &'r RuleSet {
        self.rules
    }

    /// The lists that it compares digests with.
    #[cfg(feature = "sweep")]
    pub(crate) fn digests(&self) -> &DigestLists {
        &self.digests
    }

    /// How much of each file it reads.
    #[cfg(feature = "sweep")]
    pub(crate) fn depth(&self) -> Depth {
        self.options.depth
    }

    /// How many bytes of memory an object of `size` takes while it is examined:
    /// a copy, what the copy is made of, and what is fetched ahead.
    #[cfg(feature = "sweep")]
    pub(crate) fn weight(&self, size: u64) -> u64 {
        let copy = size.min(self.limits.memory_bytes);
        copy.saturating_mul(2).saturating_add(crate::remote::weight(self.options.depth, size))
    }

    /// What decides which facts there are, besides the bytes and the depth.
    #[cfg(feature = "sweep")]
    pub(crate) fn reading(&self) -> String {
        let lists = if self.digests.is_empty() { "no lists" } else { "lists" };
        let limits: Vec<(String, u64)> =
            self.limits.list().into_iter().map(|(name, value, ..)| (name, value)).collect();
        format!("{} {lists} {limits:?}", self.rules.yara_digest())
    }

    /// Whether `path` is one of the caller's outputs. Names are compared first,
    /// since resolving every path of a large tree takes time.
    fn writes(&self, path: &Path) -> bool {
        self.written.iter().any(|file| {
            file.file_name() == path.file_name() && std::fs::canonicalize(path).is_ok_and(|real| real == *file)
        })
    }

    fn job(&self) -> Job<'_> {
        let options = Options { threads: self.threads != 1, ..self.options.clone() };
        Job::new(&self.limits, self.rules, &self.digests, options)
    }

    /// Takes out of `found` what the policy excludes; how much that is.
    fn leave_out(&self, found: &mut Vec<Found>) -> usize {
        let mut excluded = 0;
        found.retain_mut(|found| {
            let before = found.reports();
            if found.links.is_empty() {
                let out = self.excluded.fit(&found.path);
                excluded += usize::from(out);
                return !out;
            }
            found.links.retain(|link| !self.excluded.fit(&link.link));
            excluded += before - found.links.len();
            !found.links.is_empty()
        });
        excluded
    }

    /// Scans once, and reports under each name.
    fn scan_one(job: &mut Job<'_>, found: &Found, covered: &Covered, folders: &Folders) -> Vec<FileReport> {
        let place = found.shown();
        // The name that hints at what it is: a blob's own says nothing.
        let name = found.links.first().map_or(&place, |link| &link.file.path);
        let artifact = match &found.problem {
            Some(gap) => unexamined(name, found.size, gap.clone()),
            None if job.is_stopped() => {
                let detail = "the scan was stopped before it came to this file";
                unexamined(name, found.size, Gap::new(GapReason::Interrupted, detail))
            }
            None => match source::open(&found.path) {
                Ok((file, len)) => Self::scan_open(job, name, (file, len), found, folders),
                Err(error) => unexamined(name, found.size, Gap::new(GapReason::Unreadable, error.to_string())),
            },
        };
        let mut report = FileReport::new(place.as_str(), artifact);
        covered.settle(&found.path, &mut report);
        if found.links.is_empty() {
            return vec![report];
        }
        found.links.iter().map(|link| report.named(&link.file, &place)).collect()
    }

    /// Scans a file that is open, and notices when it changes meanwhile: what
    /// was read then is neither the one file nor the other.
    fn scan_open(job: &mut Job<'_>, name: &str, file: (File, u64), found: &Found, folders: &Folders) -> Artifact {
        let (file, len) = file;
        let file = Arc::new(file);
        let state = || file.metadata().and_then(|meta| Ok((meta.len(), meta.modified()?))).ok();
        let before = state();
        let input = Input::positioned(Arc::<File>::clone(&file), len);
        let mut artifact = job.placed_file(name, input.clone(), found.digest.clone(), folders.around(&found.path));
        if found.links.is_empty() && is_unknown(&artifact) {
            folders.explain(&found.path, &input, job, &mut artifact);
        }
        if state() != before {
            artifact.gaps.push(Gap::new(GapReason::Changed, "the file was written to while it was read"));
        }
        artifact
    }
}

/// Scans on one thread, and keeps between files what is dear to make.
pub struct Worker<'s> {
    job: Job<'s>,
}

impl std::fmt::Debug for Worker<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").finish_non_exhaustive()
    }
}

impl Worker<'_> {
    /// Scans bytes as if they were a file called `name`.
    pub fn scan_bytes(&mut self, name: &str, bytes: &[u8]) -> FileReport {
        FileReport::new(name, self.job.file(name, bytes.into()))
    }

    /// As [`Scanner::examine`] does.
    pub fn examine(&mut self, name: &str, input: Input) -> Artifact {
        self.job.file(name, input)
    }

    /// The same of a file that must have a digest, because of where it is.
    #[cfg(feature = "sweep")]
    pub(crate) fn examine_placed(&mut self, name: &str, input: Input, digest: Option<StoredDigest>) -> Artifact {
        self.job.placed_file(name, input, digest, None)
    }

    /// Whether the scan has been told to stop.
    pub fn is_stopped(&self) -> bool {
        self.job.is_stopped()
    }

    /// How much of each file it reads.
    #[cfg(feature = "sweep")]
    pub(crate) fn depth(&self) -> Depth {
        self.job.options.depth
    }

    /// Scans any input as if it were a file called `name`, until `stop` is set.
    pub fn scan_input(&mut self, name: &str, input: Input, stop: &Arc<AtomicBool>) -> FileReport {
        self.job.options.stop = Arc::clone(stop);
        FileReport::new(name, self.job.file(name, input))
    }
}

pub(crate) fn unexamined(path: &str, size: u64, gap: Gap) -> Artifact {
    let mut artifact = Artifact::new(path, size);
    artifact.gaps.push(gap);
    artifact
}
