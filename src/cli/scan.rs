//! `weighin scan`.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args as ClapArgs;
use weighin::report::{ExitCode, Report, Style};
use weighin::rules::Severity;
use weighin::source::Walk;
use weighin::{Limits, Progress as _, RuleSet, Scanner};

use crate::cli::output::{self, Format, Lines, Setting};
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
    /// Lowest severity that makes the exit code 1.
    #[arg(long, value_name = "SEVERITY", default_value = "medium", value_parser = parse_severity)]
    fail_on: Severity,
    /// Exit with 0 although something was not fully examined.
    #[arg(long)]
    allow_incomplete: bool,
    /// Exit with 0 whatever was found; for steps that only report.
    #[arg(long)]
    exit_zero: bool,
    /// Allow-list policy: whatever is not reviewed is high.
    #[arg(long)]
    strict: bool,
    /// More rules, from a directory.
    #[arg(long, value_name = "DIR")]
    rules: Vec<PathBuf>,
    /// Follow symbolic links that lead out of the given paths.
    #[arg(long)]
    follow: bool,
    /// Set a limit; `weighin scan --limit help -` lists them.
    #[arg(long, value_name = "NAME=VALUE")]
    limit: Vec<String>,
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
}

fn parse_severity(text: &str) -> Result<Severity, String> {
    Severity::from_name(text).ok_or_else(|| "one of low, medium, high, critical".to_owned())
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if args.limit.iter().any(|limit| limit == "help") {
        terminal::print(&limits_help())?;
        return Ok(ExitCode::Clean);
    }
    let limits = parse_limits(&args.limit)?;
    let mut rules = RuleSet::embedded()?;
    for dir in &args.rules {
        rules = rules.with_directory(dir, &limits)?;
    }
    let rules = rules.strict(args.strict);
    let walk = Walk::default().following(args.follow);
    let scanner = Scanner::new(&rules).with_limits(limits).with_walk(walk).with_threads(args.threads);
    let to_stdout = args.format == Format::Jsonl;
    let lines = Lines::new(Bar::new(args.quiet), &rules, to_stdout, &args.output)?;
    let report = scan(&scanner, &args.paths, &rules, lines)?;
    let style = Style { verbose: args.verbose, ..Style::default() };
    let setting = Setting { rules: &rules, style, category: args.sarif_category.as_deref() };
    output::write_files(&report, &args.output, &setting)?;
    let style = terminal::style(args.color, args.verbose, args.quiet);
    output::print(&report, args.format, &Setting { style, ..setting })?;
    let code = report.exit_code(args.fail_on, args.allow_incomplete);
    Ok(if args.exit_zero { ExitCode::Clean } else { code })
}

fn scan(scanner: &Scanner<'_>, paths: &[PathBuf], rules: &RuleSet, lines: Lines) -> anyhow::Result<Report> {
    let (stdin, files): (Vec<&PathBuf>, Vec<&PathBuf>) =
        paths.iter().partition(|path| path.as_path() == Path::new("-"));
    let files: Vec<PathBuf> = files.into_iter().cloned().collect();
    let mut reports = scanner.scan(&files, &lines).files;
    if !stdin.is_empty() {
        let report = scanner.scan_reader("<stdin>", &mut std::io::stdin().lock())?;
        lines.done(&report);
        reports.push(report);
    }
    lines.finish()?;
    Ok(Report::new(rules, reports))
}

fn parse_limits(given: &[String]) -> anyhow::Result<Limits> {
    let mut limits = Limits::default();
    for limit in given {
        let (name, value) = limit.split_once('=').with_context(|| format!("--limit {limit}: wanted NAME=VALUE"))?;
        let value = value.parse().with_context(|| format!("--limit {limit}: the value is not a whole number"))?;
        limits.set(name, value).with_context(|| "--limit help - lists them")?;
    }
    Ok(limits)
}

fn limits_help() -> String {
    let rows = Limits::default().list().into_iter();
    rows.map(|(name, value, unit, why)| format!("{name}={value} {unit}\n    {why}\n")).collect()
}
