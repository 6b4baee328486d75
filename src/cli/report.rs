//! `weighin report`.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Subcommand, ValueEnum};
use weighin::Report;
use weighin::report::{ExitCode, Ssdf};

use crate::cli::terminal;

/// Write reports from a scan's JSON.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// What a scan contributes to the tasks of NIST SP 800-218A, and what it
    /// does not show.
    Ssdf {
        /// The JSON report of a scan; `-` is standard input.
        file: PathBuf,
        /// Format of the output.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For a person at a terminal.
    Text,
    /// For programs.
    Json,
    /// For a document.
    Markdown,
}

pub(super) fn run(command: &Command) -> anyhow::Result<ExitCode> {
    let Command::Ssdf { file, format } = command;
    let ssdf = Ssdf::of(&load(file)?);
    terminal::print(&match format {
        Format::Text => ssdf.text(),
        Format::Json => ssdf.json()?,
        Format::Markdown => ssdf.markdown(),
    })?;
    Ok(ExitCode::Clean)
}

fn load(file: &Path) -> anyhow::Result<Report> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        std::io::stdin().lock().read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|mut file| file.read_to_string(&mut text))
    };
    read.with_context(|| format!("reading {}", file.display()))?;
    Report::from_json(&text).with_context(|| format!("{} is not a JSON report of weighin scan", file.display()))
}
