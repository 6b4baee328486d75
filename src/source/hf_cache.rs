//! The local cache of the Hugging Face Hub, as it lies on disk
//! (<https://huggingface.co/docs/hub/local-cache>): blobs named by their
//! digest, snapshots that link to them, and lists of what a commit holds.
//!
//! A snapshot's file leads to `blobs/<digest>` beside it, which since
//! `huggingface_hub` 2 may itself lead to a store that all repositories share;
//! where links are not to be had, the file lies in the snapshot.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use crate::engine::StoredDigest;
use crate::source::hub::{HubName, HubRepository, is_commit};

/// Longest list of a commit's files that is read: some 300,000 files.
const TREE_BYTES: u64 = 64 << 20;

/// Longest file below `refs/` that can be a reference.
const REF_BYTES: u64 = 64;

/// A cache of repositories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HfCache {
    /// The folder that holds the repositories' folders.
    pub root: PathBuf,
}

/// Why a name leads to nothing in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Absent {
    /// The repository is not there.
    Repository,
    /// The repository is, in these revisions, and not in the one that was
    /// named.
    Revision(Vec<String>),
    /// The revision is there, and the file that was named is not.
    File,
}

impl fmt::Display for Absent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repository => f.write_str("it is not there"),
            Self::Revision(known) if known.is_empty() => f.write_str("no revision of it is there"),
            Self::Revision(known) => write!(f, "it is there as {} only", known.join(", ")),
            Self::File => f.write_str("the revision is there, but not this file"),
        }
    }
}

impl HfCache {
    /// The cache that Hugging Face's own libraries use, by the variables of the
    /// environment that they look at.
    pub fn from_env(variable: impl Fn(&str) -> Option<OsString>) -> Option<Self> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = || set("HOME").or_else(|| set("USERPROFILE"));
        let expanded = |path: PathBuf| match (path.strip_prefix("~"), home()) {
            (Ok(rest), Some(home)) => home.join(rest),
            _ => path,
        };
        let cache = set("HF_HUB_CACHE").or_else(|| set("HUGGINGFACE_HUB_CACHE"));
        let root = cache.or_else(|| {
            let hugging_face = set("HF_HOME").or_else(|| {
                let caches = set("XDG_CACHE_HOME").or_else(|| Some(home()?.join(".cache")))?;
                Some(caches.join("huggingface"))
            });
            Some(hugging_face?.join("hub"))
        });
        Some(Self { root: expanded(root?) })
    }

    /// Where `name` is: the folder of its repository, of its revision, or the
    /// file that it names.
    ///
    /// # Errors
    /// What of it is not in the cache.
    pub fn find(&self, name: &HubName) -> Result<PathBuf, Absent> {
        let folder = self.root.join(name.repository.folder());
        let repository = Repository::at(&folder).ok_or(Absent::Repository)?;
        let Some(revision) = &name.revision else {
            // A file without a revision is that of the main branch.
            return match &name.path {
                Some(_) => self.find(&HubName { revision: Some("main".to_owned()), ..name.clone() }),
                None => Ok(folder),
            };
        };
        let snapshot = repository.snapshot(revision).ok_or_else(|| Absent::Revision(repository.revisions()))?;
        match &name.path {
            None => Ok(snapshot),
            Some(path) => {
                let file = snapshot.join(path);
                if file.exists() { Ok(file) } else { Err(Absent::File) }
            }
        }
    }
}

/// The folder of one repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Repository {
    pub folder: PathBuf,
    pub name: HubRepository,
}

/// What a snapshot's entry leads to.
pub(super) struct Target {
    /// The bytes.
    pub real: PathBuf,
    pub size: u64,
    /// The blob of the repository that it goes through, by its path below the
    /// repository's folder.
    pub blob: Option<PathBuf>,
}

impl Repository {
    /// The repository whose folder is `folder`.
    pub fn at(folder: &Path) -> Option<Self> {
        let name = HubRepository::from_folder(folder.file_name()?.to_str()?)?;
        let is_one = ["snapshots", "blobs", "refs"].iter().any(|part| folder.join(part).is_dir());
        is_one.then(|| Self { folder: folder.to_owned(), name })
    }

    /// The repository that `path` lies in, and where in it.
    pub fn around(path: &Path) -> Option<(Self, PathBuf)> {
        let absolute = std::path::absolute(path).ok()?;
        // As it was written, where that says enough.
        [path, &absolute].into_iter().find_map(|path| {
            let repository = path.ancestors().find_map(Self::at)?;
            let inside = path.strip_prefix(&repository.folder).ok()?.to_owned();
            inside.components().all(|part| matches!(part, Component::Normal(_))).then_some((repository, inside))
        })
    }

    /// The folders outside of the repository's snapshots that its links may
    /// lead to: its own blobs, and the store that all repositories share.
    pub fn stores(&self) -> Vec<PathBuf> {
        let shared = self.folder.parent().map(|cache| cache.join("blobs"));
        let stores = [Some(self.folder.join("blobs")), shared].into_iter().flatten();
        stores.filter_map(|store| fs::canonicalize(store).ok()).collect()
    }

    /// Branches and tags by the commit that they stand for.
    pub fn refs(&self) -> BTreeMap<String, Vec<String>> {
        let mut by_commit: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let top = self.folder.join("refs");
        let mut waiting = vec![top.clone()];
        while let Some(folder) = waiting.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    waiting.push(path);
                } else if let (Some(commit), Ok(name)) = (reference(&path), path.strip_prefix(&top)) {
                    by_commit.entry(commit).or_default().push(name.to_string_lossy().into_owned());
                }
            }
        }
        by_commit.values_mut().for_each(|names| names.sort());
        by_commit
    }

    /// The folder of a revision: a commit, a branch or a tag.
    fn snapshot(&self, revision: &str) -> Option<PathBuf> {
        let commit = reference(&self.folder.join("refs").join(revision)).unwrap_or_else(|| revision.to_owned());
        let snapshot = self.folder.join("snapshots").join(commit);
        snapshot.is_dir().then_some(snapshot)
    }

    /// All revisions that are there, by their best-known names.
    fn revisions(&self) -> Vec<String> {
        let refs = self.refs();
        let snapshots = fs::read_dir(self.folder.join("snapshots")).into_iter().flatten().flatten();
        let commits = snapshots.filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<String> =
            commits.map(|commit| refs.get(&commit).and_then(|refs| refs.first()).cloned().unwrap_or(commit)).collect();
        names.sort();
        names
    }

    /// The files of a commit, where the cache has their list.
    pub fn tree(&self, commit: &str) -> Option<Tree> {
        Tree::read(&self.folder.join("trees").join(format!("{commit}.json")))
    }

    /// The blob that a snapshot's entry names, by its path below the folder.
    pub fn blob_of(&self, link: &Path) -> Option<PathBuf> {
        let to = fs::read_link(link).ok()?;
        let blob = PathBuf::from("blobs").join(to.file_name()?);
        // Compared as the system sees it: a link may take any way there.
        let named = fs::canonicalize(link.parent()?.join(&to).parent()?).ok()?;
        (named == fs::canonicalize(self.folder.join("blobs")).ok()?).then_some(blob)
    }
}

/// The commit that a file below `refs/` holds, when that is all it holds.
pub(super) fn reference(file: &Path) -> Option<String> {
    let bytes = read_small(file, REF_BYTES)?;
    let text = std::str::from_utf8(&bytes).ok()?.trim_ascii_end();
    is_commit(text).then(|| text.to_owned())
}

/// A commit's files, as `trees/<commit>.json` lists them.
#[derive(Debug, Deserialize)]
pub(super) struct Tree {
    format_version: u64,
    pub files: BTreeMap<String, TreeEntry>,
}

/// What a list says of a file.
#[derive(Debug, Deserialize)]
pub(super) struct TreeEntry {
    pub size: u64,
    /// The id that Git gives the file; of a large one, that of its pointer.
    blob_id: String,
    #[serde(default)]
    lfs_sha256: Option<String>,
}

impl Tree {
    /// The list in `file`; nothing when it is none that this version reads.
    pub fn read(file: &Path) -> Option<Self> {
        let tree: Self = serde_json::from_slice(&read_small(file, TREE_BYTES)?).ok()?;
        (tree.format_version == 1).then_some(tree)
    }
}

impl TreeEntry {
    pub fn digest(&self) -> Option<StoredDigest> {
        StoredDigest::from_hex(self.lfs_sha256.as_ref().unwrap_or(&self.blob_id), "file-list")
    }
}

fn read_small(file: &Path, bound: u64) -> Option<Vec<u8>> {
    let (file, len) = super::open(file).ok()?;
    if len > bound {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(bound).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}
