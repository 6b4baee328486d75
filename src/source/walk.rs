//! The walk: every file below the given paths, hidden ones included.
//!
//! Symbolic links are resolved. One that leads to a place within the given
//! roots is scanned where it leads; one that leaves them is a gap unless it is
//! to be followed. A directory is entered once however many links lead to it,
//! so cycles end.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, FileType, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use crate::artifact::{Gap, GapReason};
use crate::source::{Found, Walk};

/// Everything below `paths`, sorted by path, each file once.
pub fn walk(paths: &[PathBuf], how: Walk) -> Vec<Found> {
    let roots = paths.iter().filter_map(|path| fs::canonicalize(path).ok()).collect();
    let mut walker = Walker { how, roots, entered: BTreeSet::new(), found: Vec::new() };
    for path in paths {
        walker.root(path);
    }
    let mut found = walker.found;
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found.dedup_by(|a, b| a.path == b.path);
    found
}

struct Walker {
    how: Walk,
    roots: Vec<PathBuf>,
    entered: BTreeSet<PathBuf>,
    found: Vec<Found>,
}

impl Walker {
    /// A path that the user named: a link here is meant.
    fn root(&mut self, path: &Path) {
        match fs::metadata(path) {
            Ok(meta) => self.entry(path.to_owned(), &meta),
            Err(error) => self.problem(path.to_owned(), GapReason::Unreadable, error.to_string()),
        }
    }

    fn entry(&mut self, path: PathBuf, meta: &Metadata) {
        let kind = meta.file_type();
        if kind.is_dir() {
            self.directory(&path);
        } else if kind.is_file() {
            self.found.push(Found { path, size: meta.len(), problem: None });
        } else {
            self.problem(path, GapReason::SpecialFile, special(kind).to_owned());
        }
    }

    /// The directories below, depth first but without recursion: names decide
    /// how deep a tree is.
    fn directory(&mut self, top: &Path) {
        let mut waiting = vec![top.to_owned()];
        while let Some(directory) = waiting.pop() {
            let names = fs::canonicalize(&directory)
                .and_then(|real| if self.entered.insert(real) { names_in(&directory) } else { Ok(Vec::new()) });
            match names {
                Ok(names) => {
                    for name in names {
                        let path = directory.join(name);
                        self.below(path, &mut waiting);
                    }
                }
                Err(error) => self.problem(directory, GapReason::Unreadable, error.to_string()),
            }
        }
    }

    fn below(&mut self, path: PathBuf, waiting: &mut Vec<PathBuf>) {
        let meta = match fs::symlink_metadata(&path) {
            Ok(meta) => meta,
            Err(error) => return self.problem(path, GapReason::Unreadable, error.to_string()),
        };
        if meta.is_symlink() {
            match self.resolve(&path) {
                Ok(Some(target)) if target.is_dir() => waiting.push(path),
                Ok(Some(target)) => self.entry(path, &target),
                Ok(None) => {}
                Err(gap) => self.found.push(Found { path, size: 0, problem: Some(gap) }),
            }
        } else if meta.is_dir() {
            waiting.push(path);
        } else {
            self.entry(path, &meta);
        }
    }

    /// What a link leads to; nothing when it is a directory that is walked
    /// anyway.
    fn resolve(&self, link: &Path) -> Result<Option<Metadata>, Gap> {
        let real = fs::canonicalize(link)
            .map_err(|error| Gap::new(GapReason::Link, format!("the symbolic link can't be resolved: {error}")))?;
        let inside = self.roots.iter().any(|root| real.starts_with(root));
        if !inside && !self.how.follow {
            let detail =
                format!("the symbolic link leads out of what was scanned, to {}; --follow scans it", real.display());
            return Err(Gap::new(GapReason::Link, detail));
        }
        let meta = fs::metadata(&real).map_err(|error| Gap::new(GapReason::Unreadable, error.to_string()))?;
        if inside && meta.is_dir() {
            return Ok(None);
        }
        Ok(Some(meta))
    }

    fn problem(&mut self, path: PathBuf, reason: GapReason, detail: String) {
        self.found.push(Found { path, size: 0, problem: Some(Gap::new(reason, detail)) });
    }
}

fn names_in(directory: &Path) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        names.push(entry?.file_name());
    }
    names.sort();
    Ok(names)
}

#[cfg(unix)]
fn special(kind: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt as _;
    if kind.is_fifo() {
        "a FIFO, which is never opened"
    } else if kind.is_socket() {
        "a socket, which is never opened"
    } else {
        "a device, which is never opened"
    }
}

#[cfg(not(unix))]
fn special(_kind: FileType) -> &'static str {
    "not a regular file, and never opened"
}
