//! What is shown of a report, and what becomes of it: flags that all commands
//! have which make one.

use clap::Args as ClapArgs;
use weighin::report::{ExitCode, Style};

use crate::cli::output::Format;
use crate::cli::terminal::{self, Colour};

#[derive(Debug, ClapArgs)]
pub(super) struct DisplayArgs {
    /// Format on standard output: text, json, sarif, ...
    ///
    /// Others go to files with `--output`.
    #[arg(long, value_enum, default_value_t = Format::Text, hide_possible_values = true, hide_default_value = true)]
    pub format: Format,
    /// Exit with 0 whatever was found.
    ///
    /// For steps that only report.
    #[arg(long)]
    exit_zero: bool,
    /// Show every file that is told of, and findings of severity low.
    #[arg(short, long)]
    verbose: bool,
    /// Show only the summary, and no progress.
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
    /// When to use colours.
    #[arg(long, value_enum, default_value_t = Colour::Auto, hide_short_help = true)]
    color: Colour,
}

impl DisplayArgs {
    /// How a terminal shows it.
    pub(super) fn on_terminal(&self) -> Style {
        terminal::style(self.color, self.verbose, self.quiet)
    }

    /// How a file shows it.
    pub(super) fn in_file(&self) -> Style {
        Style { verbose: self.verbose, ..Style::default() }
    }

    /// What to exit with, when a report asks for `code`.
    pub(super) fn exit(&self, code: ExitCode) -> ExitCode {
        if self.exit_zero { ExitCode::Clean } else { code }
    }
}
