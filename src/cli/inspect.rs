//! `weighin inspect`.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Args as ClapArgs, ValueEnum};
use weighin::formats::pickle;
use weighin::input::Input;
use weighin::report::{self, ExitCode};
use weighin::{Limits, RuleSet, Scanner, source};

use crate::cli::sandbox::SandboxArgs;
use crate::cli::{policy, terminal};

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
    #[command(flatten)]
    sandbox: SandboxArgs,
    /// Set a limit, such as `listed-lines=100000`.
    #[arg(long, value_name = "NAME=VALUE")]
    limit: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let (file, len) = source::open(&args.file).with_context(|| format!("opening {}", args.file.display()))?;
    let input = Input::positioned(Arc::new(file), len);
    let mut limits = Limits::default();
    for limit in &args.limit {
        let (name, value) = policy::one_limit(limit)?;
        limits.set(name, value)?;
    }
    let rules = RuleSet::embedded()?;
    let mut closed = args.sandbox.close(false)?;
    // The file is open; no other is needed.
    closed.narrow(&[])?;
    let json = args.format == Format::Json;
    if args.opcodes {
        terminal::print(&pickle::disassemble(&input, &limits, json))?;
        return Ok(ExitCode::Clean);
    }
    let scanner = Scanner::new(&rules).with_limits(limits.clone()).describing();
    let artifact = scanner.examine(&args.file.to_string_lossy(), input);
    let text = if args.imports {
        report::inspect_imports(&artifact, json)?
    } else if json {
        report::inspect_json(&artifact)?
    } else {
        report::inspect(&artifact, &limits)
    };
    terminal::print(&text)?;
    Ok(ExitCode::Clean)
}
