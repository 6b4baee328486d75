//! `weighin scan`.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, bail};
use clap::Args as ClapArgs;
use weighin::report::{ExitCode, Report};
use weighin::shelter::{Closed, Signals};
use weighin::source::{HfCache, HubName, Walk};
use weighin::{Limits, Progress as _, Scanner};

use crate::cli::display::DisplayArgs;
use crate::cli::output::{self, Format, Lines, Outputs, Setting};
use crate::cli::policy;
use crate::cli::sandbox::SandboxArgs;
use crate::cli::stdin::Stdin;
use crate::cli::terminal::{self, Bar};

const EXAMPLES: &str = "\
Examples:
  weighin scan model.pt ~/models               files, and everything below directories
  weighin scan --hf-cache                      all that libraries have fetched from the Hub
  weighin scan --output sarif=r.sarif models   a file for code scanning besides the text
  curl -s URL | weighin scan -                 before it is a file

Exit codes: 0 clean and complete; 1 findings; 2 usage or internal error; 3 not all was examined.";

/// Scan files and directory trees.
#[derive(Debug, ClapArgs)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Files, directories, models in the Hugging Face cache.
    ///
    /// `-` reads one file from standard input. Where there is no such path,
    /// `organisation/name[@revision]` is looked up in the cache.
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Scan the Hugging Face cache.
    ///
    /// Without a directory, that is the one which `HF_HUB_CACHE` or `HF_HOME`
    /// say, else `~/.cache/huggingface/hub`.
    #[arg(long, value_name = "DIR", num_args = 0..=1)]
    hf_cache: Option<Option<PathBuf>>,
    /// Write a report to a file too; repeatable.
    ///
    /// The formats are text, json, jsonl, sarif, junit, markdown, html,
    /// cyclonedx, in-toto (what was found) and in-toto-svr (what holds for all
    /// files).
    #[arg(long, value_name = "FORMAT=FILE", value_parser = output::parse)]
    output: Vec<(Format, PathBuf)>,
    /// Name that tells several SARIF uploads of one commit apart.
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    sarif_category: Option<String>,
    /// Follow links that lead out of the given paths.
    #[arg(long)]
    follow: bool,
    /// How much of each file to read.
    #[arg(long, value_enum, default_value_t = Depth::Full, hide_short_help = true)]
    depth: Depth,
    /// Number of threads; 0 is one per core.
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

/// How much of each file to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Depth {
    /// Every byte once.
    Full,
    /// What the structure leads to; a large file is then never clean, since its
    /// digest, signatures and YARA rules were left out.
    Header,
}

impl From<Depth> for weighin::Depth {
    fn from(depth: Depth) -> Self {
        match depth {
            Depth::Full => Self::Full,
            Depth::Header => Self::Header,
        }
    }
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if args.policy.wants_limits() {
        terminal::print(&limits_help())?;
        return Ok(ExitCode::Clean);
    }
    let paths = targets(args)?;
    let policy = args.policy.policy(&paths)?;
    let triage = args.triage.triage(&policy, &paths)?;
    let rules = policy.rule_set()?;
    let signals = Signals::listen().context("listening to signals")?;
    let mut outputs = Outputs::open(&args.output)?;
    let baseline = args.triage.open_baseline()?;
    // A shell may have sent standard output to a file in what is scanned.
    let streams = ["/dev/stdout", "/dev/stderr"].map(PathBuf::from);
    let written = outputs.paths().chain(baseline.iter().map(|sink| sink.path().to_owned())).chain(streams);
    let scanner = Scanner::new(&rules)
        .with_limits(policy.limits())
        .with_walk(Walk::default().following(args.follow))
        .excluding(policy.excluded()?)
        .with_digests(policy.digest_lists()?)
        .writing(written)
        .stopped_by(signals.stop())
        .with_threads(threads(args.threads))
        .with_depth(args.depth.into());
    let to_stdout = args.display.format == Format::Jsonl;
    let lines = Lines::new(Bar::new(args.display.quiet), &rules, &triage, to_stdout, &mut outputs, signals.stop())?;
    let mut closed = args.sandbox.close(args.display.quiet)?;
    let report = scan(&scanner, &paths, &lines, &mut closed, signals.stop())?;
    let report = report.triaged(&triage).within(closed.sandbox().clone());
    drop(closed);
    // What can be written is, whatever becomes of the rest.
    let mut told = vec![lines.finish()];
    told.extend(baseline.map(|baseline| policy::write_baseline(&report, &baseline)));
    let setting = Setting { rules: &rules, style: args.display.in_file(), category: args.sarif_category.as_deref() };
    told.push(outputs.write(&report, &setting));
    told.push(output::print(&report, args.display.format, &Setting { style: args.display.on_terminal(), ..setting }));
    if let Some(signal) = signals.came() {
        terminal::complain(&format!("weighin: stopped by {signal}; the report says what was not examined"));
    }
    told.into_iter().collect::<anyhow::Result<()>>()?;
    signals.end_as_asked();
    let code = report.exit_code(policy.fail_on.value, policy.allow_incomplete.value);
    Ok(args.display.exit(code))
}

/// What is to be scanned: paths as they are, names of models where the cache
/// has them, and the cache.
fn targets(args: &Args) -> anyhow::Result<Vec<PathBuf>> {
    if args.paths.is_empty() && args.hf_cache.is_none() {
        bail!("nothing to scan: name files or directories, or say --hf-cache; `weighin scan -h` has examples");
    }
    let given = args.hf_cache.clone().flatten();
    let cache = given.map(|root| HfCache { root }).or_else(|| HfCache::from_env(|name| std::env::var_os(name)));
    let mut paths: Vec<PathBuf> = args.paths.iter().map(|path| target(path, cache.as_ref())).collect();
    if args.hf_cache.is_some() {
        let cache = cache.context("there is no home directory to look for the cache in; say --hf-cache DIR")?;
        if !cache.root.is_dir() {
            bail!(
                "there is no Hugging Face cache at {}; say --hf-cache DIR, or set HF_HUB_CACHE",
                weighin::report::sanitise(&cache.root.display().to_string())
            );
        }
        paths.push(cache.root);
    }
    Ok(paths)
}

/// A path, or what a name stands for when there is no such path.
fn target(path: &Path, cache: Option<&HfCache>) -> PathBuf {
    let name = path.to_str().filter(|_| path.symlink_metadata().is_err() && path != Path::new("-"));
    let (Some(Ok(name)), Some(cache)) = (name.map(str::parse::<HubName>), cache) else { return path.to_owned() };
    cache.find(&name).unwrap_or_else(|absent| {
        terminal::complain(&weighin::report::sanitise(&format!(
            "weighin: {path} is no path, and in the Hugging Face cache at {root} {absent}. weighin downloads nothing; \
             `hf download {repository}` does",
            path = path.display(),
            root = cache.root.display(),
            repository = name.repository.id,
        )));
        path.to_owned()
    })
}

fn scan(
    scanner: &Scanner<'_>,
    paths: &[PathBuf],
    lines: &Lines<'_>,
    closed: &mut Closed,
    stop: Arc<AtomicBool>,
) -> anyhow::Result<Report> {
    let (stdin, files): (Vec<&PathBuf>, Vec<&PathBuf>) =
        paths.iter().partition(|path| path.as_path() == Path::new("-"));
    let files: Vec<PathBuf> = files.into_iter().cloned().collect();
    let finds = scanner.find(&files);
    closed.narrow(&finds.needed())?;
    let mut report = scanner.scan_found(finds, lines);
    if !stdin.is_empty() {
        let piped = scanner.scan_reader("<stdin>", &mut Stdin::open(stop)?)?;
        lines.done(&piped);
        report = report.with_file(piped);
    }
    Ok(report)
}

/// How many threads to use. The standard library reads the quota of a container
/// from files that the sandbox closes.
fn threads(wanted: usize) -> usize {
    if wanted > 0 { wanted } else { std::thread::available_parallelism().map_or(1, NonZero::get) }
}

fn limits_help() -> String {
    let rows = Limits::default().list().into_iter();
    rows.map(|(name, value, unit, why)| format!("{name}={value} {unit}\n    {why}\n")).collect()
}
