//! Finding the policy file, from the working directory upwards.
//!
//! What is scanned may have been written by an attacker, a policy in it too: a
//! file inside a scanned tree is never obeyed. The tree of a single file is
//! the folder that it lies in, since a model is downloaded with what lies
//! beside it.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::input::{to_u64, to_usize};
use crate::limits::Limits;
use crate::policy::PolicyError;

/// What a search for a policy file came upon.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Search {
    /// The file that applies.
    pub file: Option<PathBuf>,
    /// Files that would have applied, but lie inside a scanned tree.
    pub ignored: Vec<PathBuf>,
}

/// The trees that are going to be scanned.
#[derive(Debug, Clone, Default)]
pub struct Trees {
    /// What was named.
    named: Vec<PathBuf>,
    /// The folders of files that were named.
    around: Vec<PathBuf>,
}

impl Trees {
    /// The trees of what is going to be scanned.
    pub fn new(paths: &[PathBuf]) -> Self {
        let mut trees = Self::default();
        for path in paths.iter().filter_map(|path| fs::canonicalize(path).ok()) {
            if !path.is_dir()
                && let Some(folder) = path.parent()
            {
                trees.around.push(folder.to_owned());
            }
            trees.named.push(path);
        }
        trees
    }

    /// Whether `path` lies in what was named.
    pub fn hold(&self, path: &Path) -> bool {
        fs::canonicalize(path).is_ok_and(|path| self.named.iter().any(|tree| path.starts_with(tree)))
    }

    /// The same, or in the folder of a file that was named.
    fn hold_beside(&self, path: &Path) -> bool {
        self.hold(path)
            || fs::canonicalize(path).is_ok_and(|path| self.around.iter().any(|folder| path.starts_with(folder)))
    }
}

/// The policy file that applies in `directory`: `weighin.toml`, or
/// `pyproject.toml` with a `[tool.weighin]`, there or in the nearest folder
/// above that has one and is not scanned.
///
/// # Errors
/// [`PolicyError`] when a `pyproject.toml` can't be read.
pub fn find(directory: &Path, trees: &Trees) -> Result<Search, PolicyError> {
    let mut search = Search::default();
    for folder in directory.ancestors() {
        for name in ["weighin.toml", super::file::PYPROJECT] {
            let file = folder.join(name);
            if !file.is_file() {
                continue;
            }
            if trees.hold_beside(&file) {
                // Not worth more than a look: its author may be hostile.
                if name != super::file::PYPROJECT || read(&file).is_ok_and(|text| text.contains("tool.weighin")) {
                    search.ignored.push(file);
                }
            } else if name != super::file::PYPROJECT || super::file::has_table(&file, &read(&file)?)? {
                search.file = Some(file);
                return Ok(search);
            }
        }
    }
    Ok(search)
}

/// The text of a file that a person wrote, no longer than a header may be.
pub(super) fn read(path: &Path) -> Result<String, PolicyError> {
    let bound = Limits::default().header_bytes;
    let mut text = String::new();
    let file = File::open(path).map_err(|error| PolicyError::of(path, error))?;
    file.take(bound.saturating_add(1)).read_to_string(&mut text).map_err(|error| PolicyError::of(path, error))?;
    if to_u64(text.len()) > bound {
        return Err(PolicyError::of(path, format!("longer than {} bytes", to_usize(bound))));
    }
    Ok(text)
}
