//! The walk: every file below the given paths, hidden ones included.
//!
//! Symbolic links are resolved. One that leads to a place within the given
//! roots is scanned where it leads; one that leaves them is a gap unless it is
//! to be followed. A directory is entered once however many links lead to it,
//! so cycles end. A repository in a Hugging Face cache is walked by its
//! snapshots: see [`Snapshots`].

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::artifact::{Gap, GapReason};
use crate::engine::StoredDigest;
use crate::source::hf_cache::Repository;
use crate::source::repository::{Same, Snapshots};
use crate::source::{Found, HubLink, Walk};

/// Everything below `paths`, sorted by path, each file once.
pub fn walk(paths: &[PathBuf], how: Walk) -> Vec<Found> {
    walk_until(paths, how, &Arc::default())
}

/// The same, ending early once `stop` is set; the directories that are left out
/// are then gaps.
pub(crate) fn walk_until(paths: &[PathBuf], how: Walk, stop: &Arc<AtomicBool>) -> Vec<Found> {
    let roots = paths.iter().filter_map(|path| fs::canonicalize(path).ok()).collect();
    let mut walker = Walker {
        how,
        stop: Arc::clone(stop),
        roots,
        entered: BTreeSet::new(),
        found: Vec::new(),
        named: BTreeMap::new(),
    };
    for path in paths {
        walker.root(path);
    }
    let mut found = walker.found;
    found.extend(walker.named.into_values());
    once(&mut found);
    found.sort_by(|a, b| (&a.path, &a.links, &a.digest).cmp(&(&b.path, &b.links, &b.digest)));
    found.dedup_by(|a, b| a.path == b.path && a.links == b.links);
    found
}

/// Drops from `found` the entries of a store that are there by their names on
/// the Hub.
fn once(found: &mut Vec<Found>) {
    let named: BTreeSet<PathBuf> =
        found.iter().filter(|found| !found.links.is_empty()).map(|found| found.path.clone()).collect();
    let is_stored = |found: &Found| {
        let name = found.path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.len() == 64) && fs::canonicalize(&found.path).is_ok_and(|it| named.contains(&it))
    };
    if !named.is_empty() {
        found.retain(|found| !found.links.is_empty() || !is_stored(found));
    }
}

pub(super) struct Walker {
    how: Walk,
    stop: Arc<AtomicBool>,
    roots: Vec<PathBuf>,
    entered: BTreeSet<PathBuf>,
    found: Vec<Found>,
    named: BTreeMap<Same, Found>,
}

impl Walker {
    /// A path that the user named: a link here is meant.
    fn root(&mut self, path: &Path) {
        match fs::metadata(path) {
            Ok(meta) => match Repository::around(path) {
                Some((repository, inside)) => Snapshots::walk(self, repository, inside),
                None => self.entry(path.to_owned(), &meta),
            },
            Err(error) => self.problem(path.to_owned(), GapReason::Unreadable, error.to_string()),
        }
    }

    fn entry(&mut self, path: PathBuf, meta: &Metadata) {
        let kind = meta.file_type();
        if kind.is_dir() {
            self.directory(&path);
        } else if let Some(what) = special(meta) {
            self.problem(path, GapReason::SpecialFile, what.to_owned());
        } else if !is_lock(&path, meta) {
            self.found.push(Found::new(path, meta.len(), None));
        }
    }

    /// The directories below, depth first but without recursion: names decide
    /// how deep a tree is.
    fn directory(&mut self, top: &Path) {
        let mut waiting = vec![top.to_owned()];
        while let Some(directory) = waiting.pop() {
            if self.stop.load(Ordering::Relaxed) {
                let detail = "the scan was stopped before it came to this directory";
                self.problem(directory, GapReason::Interrupted, detail.to_owned());
                continue;
            }
            if fs::canonicalize(&directory).is_ok_and(|real| !self.entered.insert(real)) {
                continue;
            }
            if let Some(repository) = Repository::at(&directory) {
                Snapshots::walk(self, repository, PathBuf::new());
                continue;
            }
            match names_in(&directory) {
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
                Err(gap) => self.found.push(Found::new(path, 0, Some(gap))),
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
        let inside = self.may_follow(&real)?;
        let meta = fs::metadata(&real).map_err(|error| Gap::new(GapReason::Unreadable, error.to_string()))?;
        if inside && meta.is_dir() {
            return Ok(None);
        }
        Ok(Some(meta))
    }

    /// Whether `real` is within the roots; a gap when it is not, and links out
    /// of them are not followed.
    pub(super) fn may_follow(&self, real: &Path) -> Result<bool, Gap> {
        let inside = self.roots.iter().any(|root| real.starts_with(root));
        if !inside && !self.how.follow {
            let detail =
                format!("the symbolic link leads out of what was scanned, to {}; --follow scans it", real.display());
            return Err(Gap::new(GapReason::Link, detail));
        }
        Ok(inside)
    }

    /// A file or link by itself, whose content may be in one of `stores`.
    pub(super) fn single(&mut self, path: PathBuf, stores: &[PathBuf], digest: Option<StoredDigest>) {
        let real = fs::canonicalize(&path);
        let found = match &real {
            Ok(real) if stores.iter().any(|store| real.starts_with(store)) => match fs::metadata(real) {
                Ok(meta) if meta.is_file() => Some(Found { digest, ..Found::new(path.clone(), meta.len(), None) }),
                _ => None,
            },
            _ => None,
        };
        match found {
            Some(found) => self.found.push(found),
            None => {
                let mut waiting = Vec::new();
                self.below(path, &mut waiting);
                waiting.iter().for_each(|directory| self.directory(directory));
            }
        }
    }

    /// A file of the Hub: once, however many names it has there.
    pub(super) fn named(&mut self, same: Same, found: Found, name: HubLink) {
        let links = &mut self.named.entry(same).or_insert(found).links;
        if !links.contains(&name) {
            links.push(name);
        }
    }

    /// A file of the Hub whose content is not to be had.
    pub(super) fn unfetched(&mut self, name: HubLink, gap: Gap) {
        self.found.push(Found { links: vec![name.clone()], ..Found::new(name.link, 0, Some(gap)) });
    }

    pub(super) fn problem(&mut self, path: PathBuf, reason: GapReason, detail: String) {
        self.found.push(Found::new(path, 0, Some(Gap::new(reason, detail))));
    }
}

/// Whether it is one of the locks of a Hugging Face cache, which hold nothing.
fn is_lock(path: &Path, meta: &Metadata) -> bool {
    meta.len() == 0
        && path.extension().is_some_and(|extension| extension == "lock")
        && path.components().any(|part| part.as_os_str() == ".locks")
}

pub(super) fn names_in(directory: &Path) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        names.push(entry?.file_name());
    }
    names.sort();
    Ok(names)
}

/// What makes a file one that is never opened, if anything does.
#[cfg(unix)]
pub(super) fn special(meta: &Metadata) -> Option<&'static str> {
    use std::os::unix::fs::FileTypeExt as _;
    let kind = meta.file_type();
    if kind.is_file() {
        None
    } else if kind.is_dir() {
        Some("a directory in the place of a file")
    } else if kind.is_fifo() {
        Some("a FIFO, which is never opened")
    } else if kind.is_socket() {
        Some("a socket, which is never opened")
    } else {
        Some("a device, which is never opened")
    }
}

/// What makes a file one that is never opened, if anything does.
#[cfg(not(unix))]
pub(super) fn special(meta: &Metadata) -> Option<&'static str> {
    (!meta.is_file()).then_some("not a regular file, and never opened")
}
