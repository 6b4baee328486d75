//! One file per subcommand. With `main.rs`, the only code that prints.

mod config;
mod display;
#[cfg(feature = "gate")]
mod gate;
mod generate;
mod inspect;
mod output;
mod policy;
mod report;
mod rules;
mod sandbox;
mod scan;
mod sink;
mod stdin;
#[cfg(feature = "sweep")]
mod sweep;
mod terminal;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

/// Tells whether a machine-learning model file is safe to load, before
/// anything loads it.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  weighin scan model.pt                  is this file safe to load?
  weighin scan -v ~/models               everything below a directory, clean files too
  weighin scan --hf-cache                everything fetched from the Hugging Face Hub
  weighin scan --format json . > r.json  the same for programs
  weighin inspect model.pkl              what a pickle does, as readable Python
  weighin rules explain PKL002           what a finding means

Exit codes: 0 clean and complete; 1 findings; 2 usage or internal error;
3 something was not fully examined, or there was nothing to scan.
A first SIGINT or SIGTERM ends the scan with a report, and weighin then ends by
that signal, which shells show as 130 or 143; a second ends it at once.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Scan files and directory trees.
    Scan(scan::Args),
    /// Examine an artifact store: what is new, changed or failed the last time.
    #[cfg(feature = "sweep")]
    Sweep(sweep::Args),
    /// Show what a file contains, without judging it.
    Inspect(inspect::Args),
    /// Serve scans by HTTP: may this model be admitted?
    #[cfg(feature = "gate")]
    Gate(Box<gate::Args>),
    /// List, explain and check rules.
    #[command(subcommand)]
    Rules(rules::Command),
    /// Show the policy in force.
    #[command(subcommand)]
    Config(config::Command),
    /// Write reports from a scan's JSON.
    #[command(subcommand)]
    Report(report::Command),
    /// Print what makes a shell complete weighin's commands and flags.
    Completions(generate::Completions),
    /// Write the manual pages.
    Man(generate::Man),
}

/// Runs the command line.
pub(crate) fn run() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Scan(args) => scan::run(&args),
        #[cfg(feature = "sweep")]
        Command::Sweep(args) => sweep::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        #[cfg(feature = "gate")]
        Command::Gate(args) => gate::run(&args),
        Command::Rules(command) => rules::run(&command),
        Command::Config(command) => config::run(&command),
        Command::Report(command) => report::run(&command),
        Command::Completions(args) => generate::completions(&args, Cli::command()),
        Command::Man(args) => generate::man(&args, Cli::command()),
    };
    match outcome {
        Ok(code) => ExitCode::from(code.code()),
        Err(error) if terminal::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::complain(&format!("weighin: {error:#}"));
            ExitCode::from(weighin::report::ExitCode::Failure.code())
        }
    }
}
