//! One file per subcommand. With `main.rs`, the only code that prints.

mod scan;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Tells whether a machine-learning model file is safe to load, before
/// anything loads it.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Scan files and directory trees.
    Scan(scan::Args),
}

/// Runs the command line.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        Command::Scan(args) => scan::run(&args),
    };
    match outcome {
        Ok(code) => ExitCode::from(code.code()),
        Err(error) => {
            eprintln!("weighin: {error:#}");
            ExitCode::from(weighin::report::ExitCode::Failure.code())
        }
    }
}
