//! The shelter: before the first hostile byte is read, the process gives up
//! what a scan has no use for. A parser that is taken over can then neither run
//! a program, nor open a connection, nor read or write any file but those that
//! the scan was given.
//!
//! On Linux, Landlock decides which files, and seccomp which system calls.
//! Other systems have none yet, and the report says so. What is open already
//! stays open: outputs are opened before, rules and lists read before.

#[cfg(feature = "remote")]
mod files;
#[cfg(target_os = "linux")]
mod landlock;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")))]
mod seccomp;
mod signals;

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tempfile::TempDir;

#[cfg(feature = "remote")]
pub(crate) use files::Files;
pub use signals::Signals;

/// How much a sandbox matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wish {
    /// Nothing is scanned without one.
    Require,
    /// As much of it as the system has.
    #[default]
    Auto,
    /// None.
    Off,
}

/// What confined the process while it scanned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Sandbox {
    /// How much of it was in force.
    pub state: SandboxState,
    /// The version of Landlock's interface that decided which files could be
    /// opened; absent without Landlock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub landlock: Option<u32>,
    /// Whether seccomp decided which system calls could be made.
    pub seccomp: bool,
    /// Why something is missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

/// How much of the sandbox was in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SandboxState {
    /// All of it.
    Full,
    /// Landlock or seccomp, but not both.
    Partial,
    /// Nothing: the system has neither.
    None,
    /// Nothing, as was asked for.
    Off,
}

impl Sandbox {
    /// None at all.
    pub(crate) fn off() -> Self {
        Self { state: SandboxState::Off, landlock: None, seccomp: false, missing: Vec::new() }
    }
}

impl fmt::Display for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let landlock = self.landlock.map(|abi| format!("Landlock (ABI {abi})"));
        let parts: Vec<String> = landlock.into_iter().chain(self.seccomp.then(|| "seccomp".to_owned())).collect();
        match self.state {
            SandboxState::Off => f.write_str("off"),
            SandboxState::None => f.write_str("none"),
            SandboxState::Full | SandboxState::Partial => f.write_str(&parts.join(", ")),
        }?;
        if self.missing.is_empty() { Ok(()) } else { write!(f, "; {}", self.missing.join("; ")) }
    }
}

/// A sandbox was required, and something of it is missing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no sandbox can be had, and one is required: {}", .missing.join("; "))]
pub struct NoSandbox {
    /// Why.
    pub missing: Vec<String>,
}

/// A closed sandbox. It can't be opened again; when this is dropped, the
/// directory for temporary files goes.
#[derive(Debug)]
pub struct Closed {
    sandbox: Sandbox,
    wish: Wish,
    scratch: Option<TempDir>,
}

/// Closes the sandbox around this thread and all that it starts. To be called
/// while it is the only thread: Landlock reaches no other.
///
/// Everything can still be read, so that a walk finds where links lead, and
/// nothing can be written: [`Closed::narrow`] comes before any file is opened.
/// Temporary files go to a directory of their own from now on, the only place
/// where files can be made.
///
/// # Errors
/// When it is required, and something of it is missing.
pub fn close(wish: Wish) -> Result<Closed, NoSandbox> {
    let mut closed = Closed { sandbox: Sandbox::off(), wish, scratch: None };
    if wish == Wish::Off {
        return Ok(closed);
    }
    closed.scratch = scratch();
    match restrict_files(&[PathBuf::from("/")], closed.scratch()) {
        Ok(abi) => closed.sandbox.landlock = Some(abi),
        Err(why) => closed.sandbox.missing.push(format!("no Landlock: {why}")),
    }
    match restrict_calls(Reach::Process) {
        Ok(()) => closed.sandbox.seccomp = true,
        Err(why) => closed.sandbox.missing.push(format!("no seccomp: {why}")),
    }
    closed.judge()?;
    Ok(closed)
}

/// Closes the sandbox around this thread alone, and around the threads that it
/// starts: for a service, whose other threads go on using the network. No file
/// can be opened or made; what is open already stays open.
///
/// It is one closing, not two: a service hands open files to its threads, and
/// these have nothing to walk.
///
/// # Errors
/// When it is required, and something of it is missing.
pub fn close_thread(wish: Wish) -> Result<Sandbox, NoSandbox> {
    let mut closed = Closed { sandbox: Sandbox::off(), wish, scratch: None };
    if wish == Wish::Off {
        return Ok(closed.sandbox);
    }
    match restrict_thread_files() {
        Ok(abi) => closed.sandbox.landlock = Some(abi),
        Err(why) => closed.sandbox.missing.push(format!("no Landlock: {why}")),
    }
    match restrict_calls(Reach::Thread) {
        Ok(()) => closed.sandbox.seccomp = true,
        Err(why) => closed.sandbox.missing.push(format!("no seccomp: {why}")),
    }
    closed.judge()?;
    Ok(closed.sandbox)
}

/// Which threads a filter of system calls is for, besides those that they start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// All of the process.
    Process,
    /// The one that asks.
    Thread,
}

impl Closed {
    /// What is in force.
    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// Where temporary files go, when it was made for this sandbox.
    pub fn scratch(&self) -> Option<&Path> {
        self.scratch.as_ref().map(TempDir::path)
    }

    /// Leaves nothing to be read but `paths` and what lies below them. Symbolic
    /// links among them are followed now. To be called as [`close`] is.
    ///
    /// # Errors
    /// When it is required, and fails.
    pub fn narrow(&mut self, paths: &[PathBuf]) -> Result<(), NoSandbox> {
        if self.sandbox.landlock.is_some()
            && let Err(why) = restrict_files(paths, self.scratch())
        {
            self.sandbox.landlock = None;
            self.sandbox.missing.push(format!("Landlock lets every file be read: {why}"));
        }
        self.judge()
    }

    fn judge(&mut self) -> Result<(), NoSandbox> {
        self.sandbox.state = match (self.wish, self.sandbox.landlock, self.sandbox.seccomp) {
            (Wish::Off, ..) => SandboxState::Off,
            (_, Some(_), true) => SandboxState::Full,
            (_, None, false) => SandboxState::None,
            _ => SandboxState::Partial,
        };
        if self.wish == Wish::Require && self.sandbox.state != SandboxState::Full {
            return Err(NoSandbox { missing: self.sandbox.missing.clone() });
        }
        Ok(())
    }
}

/// A directory for temporary files, where all of this process go from now on.
/// Without one, what needs a temporary file is reported as not examined.
fn scratch() -> Option<TempDir> {
    let directory = tempfile::Builder::new().prefix("weighin-").tempdir().ok()?;
    tempfile::env::override_temp_dir(directory.path()).ok()?;
    Some(directory)
}

#[cfg(target_os = "linux")]
fn restrict_files(read: &[PathBuf], scratch: Option<&Path>) -> Result<u32, String> {
    landlock::restrict(read, scratch)
}

#[cfg(target_os = "linux")]
fn restrict_thread_files() -> Result<u32, String> {
    landlock::restrict_all()
}

#[cfg(not(target_os = "linux"))]
fn restrict_thread_files() -> Result<u32, String> {
    Err("this system has none".to_owned())
}

#[cfg(not(target_os = "linux"))]
fn restrict_files(_read: &[PathBuf], _scratch: Option<&Path>) -> Result<u32, String> {
    Err("this system has none".to_owned())
}

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")))]
fn restrict_calls(reach: Reach) -> Result<(), String> {
    seccomp::restrict(reach).map_err(|error| error.to_string())
}

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"))))]
fn restrict_calls(_reach: Reach) -> Result<(), String> {
    Err("not known for this system".to_owned())
}
