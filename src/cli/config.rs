//! `weighin config`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};
use weighin::report::ExitCode;

use crate::cli::{policy, terminal};

/// Show the policy in force.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Every value of the policy, and where it came from.
    Show(Show),
}

#[derive(Debug, ClapArgs)]
pub(super) struct Show {
    /// What would be scanned: policy files inside of it are not obeyed.
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    policy: policy::PolicyArgs,
}

pub(super) fn run(command: &Command) -> anyhow::Result<ExitCode> {
    let Command::Show(show) = command;
    let policy = show.policy.policy(&show.paths)?;
    // Everything that it names must be there, as for a scan.
    policy.rule_set()?;
    policy.excluded()?;
    policy.digest_lists()?;
    terminal::print(&policy.show())?;
    Ok(ExitCode::Clean)
}
