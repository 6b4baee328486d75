//! The gate: an HTTP service that says whether a model may be used, before it
//! is admitted.
//!
//! A body is held in a nameless file, scanned by one of a fixed number of
//! threads, each inside the sandbox, and judged by the policy as `weighin scan`
//! judges it. Whatever ends a request otherwise is a refusal with its
//! [`Reason`]: only what was examined and passed is allowed.
//!
//! What is asynchronous in weighin's own code is in here; the engine knows
//! nothing of it.

mod access;
mod answer;
mod body;
mod fetch;
mod log;
mod metrics;
mod multipart;
mod openapi;
mod page;
mod patient;
mod pool;
mod rate;
mod reason;
mod routes;
mod serve;
mod spool;
mod store;
mod tls;
mod tokens;
mod uri;
mod webhook;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use answer::{Accepted, Answer};
pub use log::Sink;
pub use openapi::openapi;
pub use reason::{Decision, Reason, reason_table};
pub use serve::Word;
pub use tls::Tls;
pub use tokens::Tokens;
pub use uri::Prefixes;
pub use webhook::{Hub, Mlflow, secret};

use crate::RuleSet;
use crate::gate::answer::Refusal;
use crate::gate::pool::{Pool, Tools};
use crate::gate::spool::{Spool, Spooled};
use crate::policy::{Date, Policy, Triage};
use crate::report::{ExitCode, FileReport, Report};
use crate::shelter::{Sandbox, Wish};

/// The gate can't start.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct GateError {
    message: String,
}

impl GateError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}

/// How a gate is to work. Every number is a bound.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// Bytes of one body.
    pub max_body: u64,
    /// Bytes of all bodies that are held at a time, and of what scans unpack.
    pub spool_bytes: u64,
    /// The directory that holds them; the system's for temporary files when
    /// absent.
    pub spool: Option<PathBuf>,
    /// Requests in progress: their bodies come, wait for a thread, or are scanned.
    pub queue: usize,
    /// Requests that one client may make in a second; 0 is any number.
    pub rate: u32,
    /// Connections that are open at a time.
    pub connections: usize,
    /// Threads that scan; 0 is one per core.
    pub threads: usize,
    /// Time for one request, from its header to its answer.
    pub request: Duration,
    /// Time without a byte: of a header as a whole, and between pieces of a body.
    pub silence: Duration,
    /// Time that requests in progress have to end when the gate ends.
    pub drain: Duration,
    /// Time for all files that one webhook names.
    pub delivery: Duration,
    /// Bytes of answers that are kept to be asked for again.
    pub kept_bytes: usize,
    /// Whether the scanning threads must be confined.
    pub sandbox: Wish,
    /// Who may ask; absent, everybody.
    pub tokens: Option<Tokens>,
    /// Certificate and key; absent, connections are plain.
    pub tls: Option<Tls>,
    /// Where objects may be read that are asked for by URI.
    pub uris: Prefixes,
    /// The tracking server whose webhooks are heard.
    pub mlflow: Option<Mlflow>,
    /// The Hub whose webhooks are heard.
    pub hub: Option<Hub>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_body: 16 << 30,
            spool_bytes: 32 << 30,
            spool: None,
            queue: 256,
            rate: 0,
            connections: 1024,
            threads: 0,
            request: Duration::from_secs(900),
            silence: Duration::from_secs(20),
            drain: Duration::from_secs(60),
            delivery: Duration::from_secs(3600),
            kept_bytes: 64 << 20,
            sandbox: Wish::Auto,
            tokens: None,
            tls: None,
            uris: Prefixes::default(),
            mlflow: None,
            hub: None,
        }
    }
}

/// A gate that is ready to [serve](Gate::serve).
pub struct Gate {
    config: Config,
    access: RwLock<Arc<access::Access>>,
    policy: Policy,
    rules: Arc<RuleSet>,
    pool: Pool,
    spool: Spool,
    places: Arc<Semaphore>,
    rate: rate::Rate,
    reports: store::Store,
    deliveries: webhook::Deliveries,
    metrics: metrics::Metrics,
    log: log::Log,
    draining: AtomicBool,
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate").field("config", &self.config).finish_non_exhaustive()
    }
}

/// A place among the requests in progress.
type Place = OwnedSemaphorePermit;

impl Gate {
    /// Makes the spool and starts the scanning threads.
    ///
    /// Of the policy's suppressions, those that are bound to a digest count:
    /// names are chosen by whoever sends a file, here.
    ///
    /// # Errors
    /// [`GateError`] when the policy is wrong, the spool can't be written, or a
    /// sandbox is required and can't be had.
    pub fn new(mut config: Config, mut policy: Policy, sink: Sink) -> Result<Self, GateError> {
        let wrong = |error: &dyn std::fmt::Display| GateError::new(error.to_string());
        let log = log::Log::new(sink);
        let before = policy.suppress.len();
        policy.suppress.retain(|entry| entry.sha256.is_some());
        let ignored = before.saturating_sub(policy.suppress.len());
        if ignored > 0 || !policy.exclude.is_empty() {
            let why =
                "names are chosen by whoever sends a file: suppressions without sha256, and exclude, do nothing here";
            log.event("policy", &[("message", why.into()), ("suppressions-ignored", ignored.into())]);
        }
        let rules = Arc::new(policy.rule_set().map_err(|error| wrong(&error))?);
        let digests = policy.digest_lists().map_err(|error| wrong(&error))?;
        Triage::new(&policy, None, today()).map_err(|error| wrong(&error))?;
        let spool = Spool::new(config.spool.as_deref(), config.spool_bytes, config.max_body)
            .map_err(|error| GateError::new(format!("the spool can't be written: {error}")))?;
        let threads = match config.threads {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            threads => threads,
        };
        let room = spool.room().map_err(|error| wrong(&error))?;
        let tools = Tools { rules: Arc::clone(&rules), limits: policy.limits(), digests, room };
        let pool = Pool::start(threads, &tools, config.sandbox).map_err(|error| wrong(&error))?;
        let access = access::Access { tokens: config.tokens.take(), tls: config.tls.take() };
        Ok(Self {
            places: Arc::new(Semaphore::new(config.queue)),
            rate: rate::Rate::new(config.rate),
            reports: store::Store::new(config.kept_bytes),
            deliveries: webhook::Deliveries::new(config.kept_bytes),
            metrics: metrics::Metrics::default(),
            draining: AtomicBool::new(false),
            access: RwLock::new(Arc::new(access)),
            config,
            policy,
            rules,
            pool,
            spool,
            log,
        })
    }

    /// What confines the scanning threads.
    pub fn sandbox(&self) -> &Sandbox {
        self.pool.sandbox()
    }

    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// A place among the requests in progress.
    fn place(&self) -> Result<Place, Refusal> {
        if self.is_draining() {
            return Err(Reason::Draining.into());
        }
        Arc::clone(&self.places).try_acquire_owned().map_err(|_| Reason::Overloaded.into())
    }

    /// Scans a body that has come, as a file called `name`.
    async fn scan(self: &Arc<Self>, name: &str, body: Spooled) -> Result<FileReport, Refusal> {
        let (name, gate) = (name.to_owned(), Arc::clone(self));
        let work = move |worker: &mut crate::Worker<'_>, stop: &Arc<AtomicBool>| {
            let (began, bytes) = (std::time::Instant::now(), body.len());
            let report = body.read(|input| worker.scan_input(&name, input, stop));
            gate.metrics.scan(began.elapsed(), bytes);
            report
        };
        self.pool.run(work).await.ok_or_else(|| Reason::Failed.into())
    }

    /// Judges what has been scanned by the policy.
    fn judge(&self, files: Vec<FileReport>) -> Result<Answer, Refusal> {
        let triage = Triage::new(&self.policy, None, today())
            .map_err(|error| Refusal::new(Reason::Failed, error.to_string()))?;
        let report = Report::new(&self.rules, files).triaged(&triage).within(self.sandbox().clone());
        let reason = match report.exit_code(self.policy.fail_on.value, self.policy.allow_incomplete.value) {
            ExitCode::Clean => Reason::Passed,
            ExitCode::Findings => Reason::Findings,
            ExitCode::Incomplete => Reason::Incomplete,
            ExitCode::Failure => Reason::Failed,
        };
        let message = words(reason, &report);
        Ok(Answer { decision: reason.decision(), reason, message, report: Some(report) })
    }

    fn gauges(&self) -> Vec<metrics::Gauge> {
        let places = self.config.queue.saturating_sub(self.places.available_permits());
        let count = crate::input::to_u64;
        vec![
            ("places_used", "Requests in progress: their bodies come, wait, or are scanned.", count(places)),
            ("places", "Requests that may be in progress.", count(self.config.queue)),
            ("queue_depth", "Bodies that wait for a thread.", count(self.pool.waiting())),
            ("scans_running", "Bodies that a thread is at.", count(self.pool.running())),
            ("spool_bytes", "Bytes of bodies that are held, and of what was unpacked.", self.spool.used()),
            ("spool_bytes_limit", "Bytes that may be held.", self.spool.limit()),
            ("draining", "Whether the gate is about to end.", u64::from(self.is_draining())),
        ]
    }
}

/// The decision in words, with what matters most.
fn words(reason: Reason, report: &Report) -> String {
    let worst = || {
        let findings = report.files.iter().flat_map(FileReport::counted);
        findings.max_by_key(|finding| finding.severity).map(|worst| format!("{}: {}", worst.rule, worst.message))
    };
    let gap = || report.files.iter().flat_map(|file| &file.gaps).next().map(|gap| gap.detail.clone());
    let detail = match reason {
        Reason::Findings => worst(),
        Reason::Incomplete => gap(),
        _ => None,
    };
    detail.map_or_else(|| reason.meaning().to_owned(), |detail| format!("{} {detail}", reason.meaning()))
}

fn today() -> Date {
    Date::from_unix(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}
