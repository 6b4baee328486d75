//! `weighin scan`.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args as ClapArgs, ValueEnum};
use weighin::report::{self, ExitCode, Report};
use weighin::source::Walk;
use weighin::{Limits, Scanner};

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
    #[arg(long, value_name = "FORMAT=FILE", value_parser = parse_output)]
    output: Vec<(Format, PathBuf)>,
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For a person at a terminal.
    Text,
    /// Everything, for programs.
    Json,
}

fn parse_output(text: &str) -> Result<(Format, PathBuf), String> {
    let (format, file) = text.split_once('=').ok_or("wanted FORMAT=FILE, such as json=report.json")?;
    Ok((Format::from_str(format, true)?, PathBuf::from(file)))
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
    let report = scan(&scanner, &args.paths, args.quiet)?.triaged(&triage);
    args.triage.write(&report)?;
    for (format, file) in &args.output {
        let text = render(&report, *format, args, false)?;
        std::fs::write(file, text).with_context(|| format!("writing {}", file.display()))?;
    }
    terminal::print(&render(&report, args.format, args, true)?)?;
    let code = report.exit_code(policy.fail_on.value, policy.allow_incomplete.value);
    Ok(if args.exit_zero { ExitCode::Clean } else { code })
}

fn scan(scanner: &Scanner<'_>, paths: &[PathBuf], quiet: bool) -> anyhow::Result<Report> {
    let (stdin, files): (Vec<&PathBuf>, Vec<&PathBuf>) =
        paths.iter().partition(|path| path.as_path() == Path::new("-"));
    let files: Vec<PathBuf> = files.into_iter().cloned().collect();
    let bar = Bar::new(quiet);
    let mut report = scanner.scan(&files, &bar);
    if !stdin.is_empty() {
        report = report.with_file(scanner.scan_reader("<stdin>", &mut std::io::stdin().lock())?);
    }
    bar.finish();
    Ok(report)
}

fn render(report: &Report, format: Format, args: &Args, to_terminal: bool) -> anyhow::Result<String> {
    Ok(match format {
        Format::Text if to_terminal => report::text(report, terminal::style(args.color, args.verbose, args.quiet)),
        Format::Text => report::text(report, report::Style { verbose: args.verbose, ..report::Style::default() }),
        Format::Json => report::json(report)?,
    })
}

fn limits_help() -> String {
    let rows = Limits::default().list().into_iter();
    rows.map(|(name, value, unit, why)| format!("{name}={value} {unit}\n    {why}\n")).collect()
}
