//! The flag that asks for the sandbox, and what is said when it is missing.

use clap::{Args as ClapArgs, ValueEnum};
use weighin::shelter::{self, Closed, Sandbox, SandboxState, Wish};

use crate::cli::terminal;

#[derive(Debug, ClapArgs)]
pub(super) struct SandboxArgs {
    /// Confine the process before it reads what is scanned: files by Landlock,
    /// system calls by seccomp.
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = When::Auto, hide_short_help = true)]
    sandbox: When,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum When {
    /// Or exit with 2.
    Require,
    /// As far as the system can.
    Auto,
    /// Never.
    Off,
}

impl SandboxArgs {
    /// What is asked for.
    pub(super) fn wish(&self) -> Wish {
        match self.sandbox {
            When::Require => Wish::Require,
            When::Auto => Wish::Auto,
            When::Off => Wish::Off,
        }
    }

    /// Closes the sandbox. To be called while there is one thread.
    pub(super) fn close(&self, quiet: bool) -> anyhow::Result<Closed> {
        let closed = shelter::close(self.wish())?;
        tell(closed.sandbox(), quiet);
        Ok(closed)
    }
}

/// Says what is missing of a sandbox.
pub(super) fn tell(sandbox: &Sandbox, quiet: bool) {
    let lacking = matches!(sandbox.state, SandboxState::Partial | SandboxState::None);
    // Where there never is one, saying so each time tells nobody anything.
    if lacking && !quiet && cfg!(target_os = "linux") {
        terminal::complain(&format!("weighin: sandbox: {sandbox}"));
    }
}
