//! `weighin sweep`.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args as ClapArgs;
use weighin::remote::{self, Remote};
use weighin::report::{ExitCode, FileReport};
use weighin::shelter::Signals;
use weighin::source::Walk;
use weighin::sweep::{self, Options, Shard, State, Target, Watch};
use weighin::{Progress as _, Scanner};

use crate::cli::display::DisplayArgs;
use crate::cli::output::{self, Format, Lines, Outputs, Setting};
use crate::cli::policy;
use crate::cli::sandbox::{self, SandboxArgs};
use crate::cli::scan::Depth;
use crate::cli::terminal::{self, Bar};

const EXAMPLES: &str = "\
Examples:
  weighin sweep --depth header --state models.db s3://models     what is new or has changed
  weighin sweep --state models.db --output markdown=new.md gs://models/prod az://models
  weighin sweep --state postgres://db/weighin --shard 0/8 --output parquet=/lake s3://models

Credentials come from the environment, as each cloud has it; docs/sweep.md tells which.

Exit codes: 0 clean and complete; 1 findings; 2 usage or internal error; 3 not all was examined.";

/// Examine an artifact store: what is new, changed or failed the last time.
#[derive(Debug, ClapArgs)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// URLs (s3://, gs://, az://, https://) of stores, prefixes or objects; or
    /// directories.
    #[arg(value_name = "TARGET", required = true)]
    targets: Vec<String>,
    /// What is known of every object: an SQLite file or a postgres:// URL.
    ///
    /// Without it, WEIGHIN_STATE is taken, which shows in no list of processes;
    /// without that, everything is examined and nothing is remembered.
    #[arg(long, value_name = "FILE|URL")]
    state: Option<String>,
    /// How much of each object to read.
    #[arg(long, value_enum, default_value_t = Depth::Full)]
    depth: Depth,
    /// Only part I of N of the objects, I from 0; N processes share them.
    #[arg(long, value_name = "I/N", value_parser = Shard::parse)]
    shard: Option<Shard>,
    /// Examine what has not changed too.
    #[arg(long)]
    again: bool,
    /// Use no credentials.
    ///
    /// For buckets that everybody can read.
    #[arg(long)]
    anonymous: bool,
    /// Write a report to a file too; repeatable.
    ///
    /// Besides the formats of `scan`, `parquet=DIR` adds tables of objects and
    /// findings to a directory.
    #[arg(long, value_name = "FORMAT=FILE", value_parser = wanted)]
    output: Vec<Wanted>,
    /// How long a request may take, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, hide_short_help = true)]
    timeout: u64,
    /// How often a request that fails is made again.
    #[arg(long, value_name = "N", default_value_t = 4, hide_short_help = true)]
    retries: usize,
    /// Requests at the same time.
    #[arg(long, value_name = "N", default_value_t = 64, hide_short_help = true)]
    in_flight: usize,
    /// Number of scanning threads; 0 chooses.
    #[arg(short = 'j', long, value_name = "N", default_value_t = 0, hide_short_help = true)]
    threads: usize,
    #[command(flatten)]
    display: DisplayArgs,
    #[command(flatten)]
    sandbox: SandboxArgs,
    #[command(flatten)]
    policy: policy::PolicyArgs,
    #[command(flatten)]
    triage: policy::TriageArgs,
}

/// Where a report goes.
#[derive(Debug, Clone)]
enum Wanted {
    Report(Format, PathBuf),
    Parquet(PathBuf),
}

fn wanted(text: &str) -> Result<Wanted, String> {
    match text.strip_prefix("parquet=") {
        Some(directory) => Ok(Wanted::Parquet(PathBuf::from(directory))),
        None => output::parse(text).map(|(format, file)| Wanted::Report(format, file)),
    }
}

/// Threads that speak to stores; the work is done elsewhere.
const NETWORK_THREADS: usize = 2;

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if args.policy.wants_limits() {
        bail!("`weighin scan --limit help` lists them");
    }
    let signals = Signals::listen().context("listening to signals")?;
    let paths: Vec<PathBuf> = args.targets.iter().filter(|text| !text.contains("://")).map(PathBuf::from).collect();
    let policy = args.policy.policy(&paths)?;
    let triage = args.triage.triage(&policy, &paths)?;
    let rules = policy.rule_set()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(NETWORK_THREADS)
        .enable_all()
        .build()
        .context("starting the threads for the network")?;
    let remote = Remote::new(runtime.handle().clone(), network(args), signals.stop());
    let targets = args.targets.iter().map(|text| Target::new(text, &remote)).collect::<Result<Vec<_>, _>>()?;
    let reports: Vec<(Format, PathBuf)> = args
        .output
        .iter()
        .filter_map(
            |wanted| if let Wanted::Report(format, file) = wanted { Some((*format, file.clone())) } else { None },
        )
        .collect();
    let mut outputs = Outputs::open(&reports)?;
    let baseline = args.triage.open_baseline()?;
    let place = args.state.clone().or_else(|| std::env::var("WEIGHIN_STATE").ok());
    let mut state = match &place {
        Some(place) => State::open(place)?,
        None => State::in_memory()?,
    };
    let written = outputs.paths().chain(place.iter().map(PathBuf::from));
    let scanner = Scanner::new(&rules)
        .with_limits(policy.limits())
        .with_walk(Walk::default())
        .excluding(policy.excluded()?)
        .with_digests(policy.digest_lists()?)
        .writing(written)
        .stopped_by(signals.stop())
        .with_threads(1)
        .with_depth(args.depth.into())
        .keeping_evidence();
    let to_stdout = args.display.format == Format::Jsonl;
    let lines = Lines::new(Bar::new(args.display.quiet), &rules, &triage, to_stdout, &mut outputs, signals.stop())?;
    let mut watch = Told { lines: &lines, files: 0, bytes: 0 };
    let report = sweep::sweep(&targets, &scanner, &triage, &mut state, &options(args)?, &signals.stop(), &mut watch)?;
    report.sandbox.iter().for_each(|sandbox| sandbox::tell(sandbox, args.display.quiet));
    // A request that nobody waits for any more must not keep the process.
    runtime.shutdown_background();
    let mut told = vec![lines.finish()];
    told.extend(baseline.map(|baseline| policy::write_baseline(&report, &baseline)));
    let setting = Setting { rules: &rules, style: args.display.in_file(), category: None };
    told.push(outputs.write(&report, &setting));
    told.push(output::print(&report, args.display.format, &Setting { style: args.display.on_terminal(), ..setting }));
    if let Some(signal) = signals.came() {
        terminal::complain(&format!("weighin: stopped by {signal}; the next sweep goes on where this one was"));
    }
    told.into_iter().collect::<anyhow::Result<()>>()?;
    signals.end_as_asked();
    let code = exit_code(&report, &policy);
    Ok(args.display.exit(code))
}

/// As of a scan; clean objects are counted and not listed.
fn exit_code(report: &weighin::Report, policy: &weighin::Policy) -> ExitCode {
    match report.exit_code(policy.fail_on.value, policy.allow_incomplete.value) {
        ExitCode::Incomplete if report.summary.files > 0 && report.summary.with_gaps == 0 => ExitCode::Clean,
        code => code,
    }
}

fn network(args: &Args) -> remote::Options {
    let mut options = remote::Options::default();
    options.timeout = Duration::from_secs(args.timeout.max(1));
    options.retries = args.retries;
    options.in_flight = args.in_flight;
    options.anonymous = args.anonymous;
    options
}

fn options(args: &Args) -> anyhow::Result<Options> {
    let mut options = Options::default();
    options.threads = args.threads;
    options.shard = args.shard.unwrap_or_default();
    options.again = args.again;
    options.sandbox = args.sandbox.wish();
    options.now = i64::try_from(output::now()?).unwrap_or(i64::MAX);
    options.parquet =
        args.output.iter().find_map(|wanted| if let Wanted::Parquet(to) = wanted { Some(to.clone()) } else { None });
    Ok(options)
}

/// Hands on what the sweep tells.
struct Told<'l, 't> {
    lines: &'l Lines<'t>,
    files: u64,
    bytes: u64,
}

impl Watch for Told<'_, '_> {
    fn found(&mut self, objects: u64, bytes: u64) {
        self.files = self.files.saturating_add(objects);
        self.bytes = self.bytes.saturating_add(bytes);
        self.lines.found(self.files, self.bytes);
    }

    fn done(&mut self, file: &FileReport) {
        self.lines.done(file);
    }
}
