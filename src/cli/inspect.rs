//! `weighin inspect`.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args as ClapArgs, ValueEnum};
use weighin::input::Input;
use weighin::report::{self, ExitCode};
use weighin::{RuleSet, Scanner, source};

use crate::cli::terminal;

/// Show what a file contains, without judging it.
#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// The file.
    file: PathBuf,
    /// Every opcode of a pickle with its offset.
    #[arg(long, conflicts_with = "imports")]
    opcodes: bool,
    /// Only the names that are imported.
    #[arg(long)]
    imports: bool,
    /// Format of the output.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let (file, len) = source::open(&args.file).with_context(|| format!("opening {}", args.file.display()))?;
    let input = Input::positioned(std::sync::Arc::new(file), len);
    if args.opcodes {
        let limits = weighin::Limits::default();
        let listing = weighin::formats::pickle::disassemble(&input, &limits, args.format == Format::Json);
        terminal::print(&listing)?;
        return Ok(ExitCode::Clean);
    }
    let rules = RuleSet::embedded()?;
    let artifact = Scanner::new(&rules).keeping_evidence().examine(&args.file.to_string_lossy(), input);
    let text = match args.format {
        Format::Text => report::facts(&artifact, args.imports),
        Format::Json => report::facts_json(&artifact, args.imports)?,
    };
    terminal::print(&text)?;
    Ok(ExitCode::Clean)
}
