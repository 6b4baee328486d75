//! The walk of one repository in a Hugging Face cache: every file of every
//! snapshot under the names that it has on the Hub, each blob once, and what
//! should be there and is not.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::artifact::{Gap, GapReason};
use crate::engine::StoredDigest;
use crate::source::hf_cache::{self, Repository, Target, Tree};
use crate::source::hub::{HubFile, is_commit};
use crate::source::walk::Walker;
use crate::source::{Found, HubLink};

/// What makes two files of snapshots one to scan: the same bytes, under the
/// same name, for that is a hint to what they are, and with the same digest
/// expected of them.
pub(super) type Same = (PathBuf, String, Option<StoredDigest>);

/// The walk of one repository.
pub(super) struct Snapshots<'w> {
    walker: &'w mut Walker,
    repository: Repository,
    /// The part of the repository's folder that is wanted.
    inside: PathBuf,
    stores: Vec<PathBuf>,
    refs: BTreeMap<String, Vec<String>>,
    trees: BTreeMap<String, Option<Tree>>,
    /// Paths of files by commit.
    present: BTreeMap<String, BTreeSet<String>>,
    /// Blobs that snapshots lead to, by their paths below the folder.
    used: BTreeSet<PathBuf>,
}

impl<'w> Snapshots<'w> {
    /// Adds to `walker` what is in `repository` below `inside`.
    pub fn walk(walker: &'w mut Walker, repository: Repository, inside: PathBuf) {
        let (stores, refs) = (repository.stores(), repository.refs());
        let mut snapshots = Self {
            walker,
            repository,
            inside,
            stores,
            refs,
            trees: BTreeMap::new(),
            present: BTreeMap::new(),
            used: BTreeSet::new(),
        };
        let mut others = Vec::new();
        for path in snapshots.everything() {
            if snapshots.snapshot_file(&path).is_none() {
                others.push(path);
            }
        }
        for path in others {
            snapshots.other(&path);
        }
        snapshots.missing();
    }

    /// Every file and link of the repository, by its path below the folder.
    fn everything(&mut self) -> Vec<PathBuf> {
        let top = self.repository.folder.clone();
        let mut all = Vec::new();
        let mut waiting = vec![PathBuf::new()];
        while let Some(folder) = waiting.pop() {
            match super::walk::names_in(&top.join(&folder)) {
                Ok(names) => {
                    for name in names {
                        let path = folder.join(name);
                        match fs::symlink_metadata(top.join(&path)) {
                            Ok(meta) if meta.is_dir() => waiting.push(path),
                            _ => all.push(path),
                        }
                    }
                }
                Err(error) if folder.starts_with(&self.inside) => {
                    self.walker.problem(top.join(folder), GapReason::Unreadable, error.to_string());
                }
                Err(_) => {}
            }
        }
        all.sort();
        all
    }

    /// Takes a file of a snapshot; nothing when it is none.
    fn snapshot_file(&mut self, path: &Path) -> Option<()> {
        let mut names = path.strip_prefix("snapshots").ok()?.components();
        let commit = names.next()?.as_os_str().to_str().filter(|name| is_commit(name))?.to_owned();
        let at: Vec<String> = names.map(|name| super::shown(Path::new(name.as_os_str()))).collect();
        let at = at.join("/");
        if at.is_empty() {
            return None;
        }
        self.present.entry(commit.clone()).or_default().insert(at.clone());
        let link = self.repository.folder.join(path);
        let target = self.target(&link);
        let blob = target.as_ref().ok().and_then(|target| target.blob.clone());
        self.used.extend(blob.clone());
        let wanted = path.starts_with(&self.inside) || blob.as_ref().is_some_and(|blob| blob.starts_with(&self.inside));
        if !wanted {
            return Some(());
        }
        let listed = self.tree(&commit).and_then(|tree| tree.files.get(&at)).and_then(hf_cache::TreeEntry::digest);
        let name = self.name(commit, at);
        let name = HubLink { file: name, link: link.clone() };
        match target {
            Ok(Target { real, size, blob }) => {
                let digest = listed.or_else(|| blob_digest(&blob?));
                let base = link.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let same = (real.clone(), base, digest.clone());
                let found = Found { path: real, size, problem: None, links: Vec::new(), digest };
                self.walker.named(same, found, name);
            }
            Err(gap) => self.walker.unfetched(name, gap),
        }
        Some(())
    }

    /// Where a snapshot's entry leads.
    fn target(&self, link: &Path) -> Result<Target, Gap> {
        let unreadable = |error: std::io::Error| Gap::new(GapReason::Unreadable, error.to_string());
        let meta = fs::symlink_metadata(link).map_err(unreadable)?;
        if !meta.is_symlink() {
            return match super::walk::special(&meta) {
                None => Ok(Target { real: link.to_owned(), size: meta.len(), blob: None }),
                Some(what) => Err(Gap::new(GapReason::SpecialFile, what)),
            };
        }
        let Ok(real) = fs::canonicalize(link) else {
            let detail = "the snapshot links to content that is not in the cache";
            return Err(Gap::new(GapReason::NotFetched, detail));
        };
        if !self.stores.iter().any(|store| real.starts_with(store)) {
            self.walker.may_follow(&real)?;
        }
        let meta = fs::metadata(&real).map_err(unreadable)?;
        match super::walk::special(&meta) {
            None => Ok(Target { real, size: meta.len(), blob: self.repository.blob_of(link) }),
            Some(what) => Err(Gap::new(GapReason::SpecialFile, what)),
        }
    }

    /// Takes a file that no snapshot has.
    fn other(&mut self, path: &Path) {
        let whole = self.repository.folder.join(path);
        let known = match path.components().next().and_then(|first| first.as_os_str().to_str()) {
            Some("blobs") => self.used.contains(path),
            Some("refs") => hf_cache::reference(&whole).is_some(),
            // Files that say that there is no such file.
            Some(".no_exist") => fs::symlink_metadata(&whole).is_ok_and(|meta| meta.is_file() && meta.len() == 0),
            _ => false,
        };
        if !known && path.starts_with(&self.inside) {
            let digest = if path.starts_with("blobs") { blob_digest(path) } else { None };
            self.walker.single(whole, &self.stores, digest);
        }
    }

    /// Adds what the lists have and the snapshots don't.
    fn missing(&mut self) {
        for commit in self.present.keys().cloned().collect::<Vec<_>>() {
            let Some(tree) = self.tree(&commit) else { continue };
            let listed: Vec<(String, u64)> = tree.files.iter().map(|(at, entry)| (at.clone(), entry.size)).collect();
            let snapshot = Path::new("snapshots").join(&commit);
            for (at, size) in listed {
                let path = snapshot.join(&at);
                let here = self.present.get(&commit).is_some_and(|present| present.contains(&at));
                if here || !path.starts_with(&self.inside) {
                    continue;
                }
                let detail = format!("this revision has the file, of {size} bytes; the cache does not");
                let link = self.repository.folder.join(path);
                let name = HubLink { file: self.name(commit.clone(), at), link };
                self.walker.unfetched(name, Gap::new(GapReason::NotFetched, detail));
            }
        }
    }

    fn tree(&mut self, commit: &str) -> Option<&Tree> {
        if !self.trees.contains_key(commit) {
            self.trees.insert(commit.to_owned(), self.repository.tree(commit));
        }
        self.trees.get(commit)?.as_ref()
    }

    fn name(&self, commit: String, path: String) -> HubFile {
        HubFile {
            kind: self.repository.name.kind,
            repository: self.repository.name.id.clone(),
            refs: self.refs.get(&commit).cloned().unwrap_or_default(),
            revision: commit,
            path,
        }
    }
}

/// The digest that a blob is named by.
fn blob_digest(blob: &Path) -> Option<StoredDigest> {
    StoredDigest::from_hex(blob.file_name()?.to_str()?, "blob-name")
}
