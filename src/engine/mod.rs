//! The engine: recognise, read, recurse, sweep the bytes, judge.
//!
//! It trusts no format: a panic in one is caught and becomes a gap, every
//! format that recognises the content reads it, and every byte of a file is
//! digested and swept whatever a format believes is there.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

mod along;
mod around;
mod beside;
mod checksums;
mod companions;
mod cx;
mod examine;
mod executables;
mod kept;
mod place;
mod promise;
mod recognise;
mod signatures;
mod spill;
mod stored;
mod sweep;

/// How much of each file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Depth {
    /// Every byte, once: digest, signatures, YARA.
    #[default]
    Full,
    /// What the structure leads to: headers, tables, pickles, texts. Content
    /// that does not fit `memory-bytes` keeps a gap, and so is never clean.
    Header,
}

/// How files are examined.
#[derive(Debug, Clone, Default)]
pub(crate) struct Options {
    /// Evidence stays in the artifacts.
    pub keep_evidence: bool,
    /// Formats say what artifacts contain.
    pub describe: bool,
    /// How much of each file is read.
    pub depth: Depth,
    /// A second thread may help with one file.
    pub threads: bool,
    /// Set when the scan is to stop.
    pub stop: Arc<AtomicBool>,
    /// Who makes temporary files; absent, every thread for itself.
    pub room: Option<Arc<dyn Room>>,
}

pub(crate) use beside::Folder;
pub(crate) use companions::{explain, is_unknown, tells};
pub use cx::Cx;
pub(crate) use examine::Job;
pub(crate) use spill::Room;
pub use stored::{DigestValue, StoredDigest};
