//! `weighin completions` and `weighin man`: what is made from the declaration
//! of the command line itself.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args as ClapArgs, Command};
use clap_complete::Shell;
use weighin::report::ExitCode;

use crate::cli::terminal;

/// Print what makes a shell complete weighin's commands and flags.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  weighin completions bash > ~/.local/share/bash-completion/completions/weighin
  weighin completions zsh > \"${fpath[1]}/_weighin\"
  weighin completions fish > ~/.config/fish/completions/weighin.fish")]
pub(super) struct Completions {
    /// The shell.
    shell: Shell,
}

pub(super) fn completions(args: &Completions, mut command: Command) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "weighin", &mut script);
    terminal::print(&String::from_utf8(script)?)?;
    Ok(ExitCode::Clean)
}

/// Write the manual pages.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Example:
  weighin man ~/.local/share/man/man1 && man weighin-scan")]
pub(super) struct Man {
    /// The directory that gets them, one file per command; made when it is not
    /// there.
    directory: PathBuf,
}

pub(super) fn man(args: &Man, command: Command) -> anyhow::Result<ExitCode> {
    let writing = || format!("writing manual pages to {}", args.directory.display());
    std::fs::create_dir_all(&args.directory).with_context(writing)?;
    clap_mangen::generate_to(command.disable_help_subcommand(true), &args.directory).with_context(writing)?;
    Ok(ExitCode::Clean)
}
