//! `weighin scan`.

use std::io::Write as _;
use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};
use weighin::report::{self, ExitCode};
use weighin::{RuleSet, Scanner};

/// Scan files and directory trees.
#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// Files and directories.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Format of the report on standard output.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Json,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let rules = RuleSet::embedded()?;
    let report = Scanner::new(&rules).scan(&args.paths, &());
    let text = match args.format {
        Format::Text => report::text(&report, report::Style::default()),
        Format::Json => report::json(&report)?,
    };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(report.exit_code(weighin::rules::Severity::Medium, false))
}
