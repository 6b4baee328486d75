//! What is printed where, and in which colours.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use weighin::Progress;
use weighin::report::{FileReport, Style};

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Colour {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Colour {
    /// Whether standard output gets colours (<https://no-color.org>).
    pub(super) fn for_stdout(self) -> bool {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => !set("NO_COLOR") && (set("CLICOLOR_FORCE") || io::stdout().is_terminal()),
        }
    }
}

/// Columns of the terminal, between 60 and 200.
pub(super) fn width() -> usize {
    let columns = terminal_size::terminal_size().map_or(100, |(width, _)| usize::from(width.0));
    columns.clamp(60, 200)
}

/// The text report's style for standard output.
pub(super) fn style(colour: Colour, verbose: bool, quiet: bool) -> Style {
    Style { colour: colour.for_stdout(), verbose, quiet, width: width() }
}

/// Prints to standard output.
pub(super) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

/// Prints a line to standard error; nothing can be done when that fails.
pub(super) fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Whether the reader of standard output has gone away, which is its right.
pub(super) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// The same outcome, but that the reader has gone away is none to speak of: the
/// exit code still says what was found.
pub(super) fn unless_gone(outcome: anyhow::Result<()>) -> anyhow::Result<()> {
    match outcome {
        Err(error) if is_broken_pipe(&error) => Ok(()),
        other => other,
    }
}

/// A bar by bytes on standard error, when that is a terminal.
pub(super) struct Bar {
    bar: ProgressBar,
}

/// Work below which a bar would only flicker.
const WORTH_A_BAR: Duration = Duration::from_millis(500);

impl Bar {
    pub(super) fn new(quiet: bool) -> Self {
        let bar = if quiet || !io::stderr().is_terminal() { ProgressBar::hidden() } else { ProgressBar::new(0) };
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {msg}") {
            bar.set_style(style);
        }
        Self { bar }
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Progress for Bar {
    fn found(&self, files: u64, bytes: u64) {
        self.bar.set_length(bytes);
        self.bar.set_message(format!("{files} files"));
        self.bar.enable_steady_tick(WORTH_A_BAR);
    }

    fn done(&self, file: &FileReport) {
        self.bar.inc(file.size);
    }
}
