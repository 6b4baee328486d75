//! `weighin scan`.

use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;
use weighin::report::{ExitCode, Report, Style};
use weighin::source::Walk;
use weighin::{Limits, Progress as _, Scanner};

use crate::cli::output::{self, Format, Lines, Setting};
use crate::cli::policy;
use crate::cli::terminal::{self, Bar, Colour};

/// Scan files and directory trees.
#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// Files and directories; `-` reads one file from standard input.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Format of the report on standard output.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Write a report to a file as well; may be repeated.
    #[arg(long, value_name = "FORMAT=FILE", value_parser = output::parse)]
    output: Vec<(Format, PathBuf)>,
    /// Name that tells several SARIF uploads of one commit apart.
    #[arg(long, value_name = "NAME")]
    sarif_category: Option<String>,
    /// Exit with 0 whatever was found; for steps that only report.
    #[arg(long)]
    exit_zero: bool,
    /// Follow symbolic links that lead out of the given paths.
    #[arg(long)]
    follow: bool,
    /// Number of threads; 0 is one per core.
    #[arg(short = 'j', long, value_name = "N", default_value_t = 0)]
    threads: usize,
    /// Show clean files and findings of severity low too.
    #[arg(short, long)]
    verbose: bool,
    /// Show only the summary, and no progress.
    #[arg(short, long, conflicts_with = "verbose")]
    quiet: bool,
    /// When to use colours.
    #[arg(long, value_enum, default_value_t = Colour::Auto)]
    color: Colour,
    #[command(flatten)]
    policy: policy::PolicyArgs,
    #[command(flatten)]
    triage: policy::TriageArgs,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if args.policy.wants_limits() {
        terminal::print(&limits_help())?;
        return Ok(ExitCode::Clean);
    }
    let policy = args.policy.policy(&args.paths)?;
    let triage = args.triage.triage(&policy, &args.paths)?;
    let rules = policy.rule_set()?;
    let scanner = Scanner::new(&rules)
        .with_limits(policy.limits())
        .with_walk(Walk::default().following(args.follow))
        .excluding(policy.excluded()?)
        .with_digests(policy.digest_lists()?)
        .with_threads(args.threads);
    let to_stdout = args.format == Format::Jsonl;
    let lines = Lines::new(Bar::new(args.quiet), &rules, &triage, to_stdout, &args.output)?;
    let report = scan(&scanner, &args.paths, lines)?.triaged(&triage);
    args.triage.write(&report)?;
    let style = Style { verbose: args.verbose, ..Style::default() };
    let setting = Setting { rules: &rules, style, category: args.sarif_category.as_deref() };
    output::write_files(&report, &args.output, &setting)?;
    let style = terminal::style(args.color, args.verbose, args.quiet);
    output::print(&report, args.format, &Setting { style, ..setting })?;
    let code = report.exit_code(policy.fail_on.value, policy.allow_incomplete.value);
    Ok(if args.exit_zero { ExitCode::Clean } else { code })
}

fn scan(scanner: &Scanner<'_>, paths: &[PathBuf], lines: Lines<'_>) -> anyhow::Result<Report> {
    let (stdin, files): (Vec<&PathBuf>, Vec<&PathBuf>) =
        paths.iter().partition(|path| path.as_path() == Path::new("-"));
    let files: Vec<PathBuf> = files.into_iter().cloned().collect();
    let mut report = scanner.scan(&files, &lines);
    if !stdin.is_empty() {
        let piped = scanner.scan_reader("<stdin>", &mut std::io::stdin().lock())?;
        lines.done(&piped);
        report = report.with_file(piped);
    }
    lines.finish()?;
    Ok(report)
}

fn limits_help() -> String {
    let rows = Limits::default().list().into_iter();
    rows.map(|(name, value, unit, why)| format!("{name}={value} {unit}\n    {why}\n")).collect()
}
