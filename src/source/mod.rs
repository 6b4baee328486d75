//! Where files come from: files and directory trees, the local cache of the
//! Hugging Face Hub, and standard input.

mod beside;
mod dvc;
mod finds;
mod hf_cache;
mod hub;
mod repository;
mod walk;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::artifact::Gap;

pub use crate::engine::{DigestValue, StoredDigest};
pub(crate) use beside::Folders;
pub(crate) use dvc::Covered;
pub use finds::Finds;
pub use hf_cache::{Absent, HfCache};
pub use hub::{HubFile, HubKind, HubName, HubRepository, is_commit};
pub use walk::walk;
pub(crate) use walk::walk_until;

/// How directories are walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Walk {
    /// Follow symbolic links that lead out of what was named.
    pub follow: bool,
}

impl Walk {
    /// Follows, or does not follow, links that lead out of what was named.
    #[must_use]
    pub fn following(mut self, follow: bool) -> Self {
        self.follow = follow;
        self
    }
}

/// A file that a walk came upon, or something there that can't be a file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// Where it is.
    pub path: PathBuf,
    /// Its length in bytes, when it was found.
    pub size: u64,
    /// Why it will not be opened.
    pub problem: Option<Gap>,
    /// The files on the Hugging Face Hub that it is; empty outside of a cache.
    pub links: Vec<HubLink>,
    /// The digest that it must have, because of where it is.
    pub digest: Option<StoredDigest>,
}

/// A file of a repository on the Hub, and what stands for it in the cache.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct HubLink {
    /// Its name there.
    pub file: HubFile,
    /// Its path in the cache, which may be a link.
    pub link: PathBuf,
}

impl Found {
    /// A file of no repository.
    pub(crate) fn new(path: PathBuf, size: u64, problem: Option<Gap>) -> Self {
        Self { path, size, problem, links: Vec::new(), digest: None }
    }

    /// How many entries of a report it becomes: one for each of its names.
    pub fn reports(&self) -> usize {
        self.links.len().max(1)
    }

    /// The path as reports show it: bytes that are not UTF-8 as `\xNN`.
    pub fn shown(&self) -> String {
        shown(&self.path)
    }
}

#[cfg(unix)]
fn shown(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt as _;
    let mut text = String::new();
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

#[cfg(not(unix))]
fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Opens a regular file and tells its length. Never waits for a FIFO that was
/// put in the file's place.
///
/// # Errors
/// When it can't be opened, or is not a regular file.
pub fn open(path: &Path) -> io::Result<(File, u64)> {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        const O_NONBLOCK: i32 = 0o4000;
        options.custom_flags(O_NONBLOCK);
    }
    let file = options.open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    Ok((file, meta.len()))
}
