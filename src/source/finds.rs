//! What a walk found, before anything of it is opened.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::source::{Folders, Found};

/// The files that a scan is going to read.
#[derive(Debug, Clone)]
pub struct Finds {
    roots: Vec<PathBuf>,
    pub(crate) found: Vec<Found>,
    pub(crate) folders: Folders,
    /// How many the policy left out.
    pub(crate) excluded: usize,
}

impl Finds {
    pub(crate) fn new(roots: &[PathBuf], found: Vec<Found>, excluded: usize) -> Self {
        let folders = Folders::of(&found);
        Self { roots: roots.to_vec(), found, folders, excluded }
    }

    /// What has to be readable to scan them: the paths that were named, and
    /// each file that links, or the stores of a cache, have elsewhere.
    pub fn needed(&self) -> Vec<PathBuf> {
        let roots: Vec<PathBuf> = self.roots.iter().filter_map(|root| fs::canonicalize(root).ok()).collect();
        let within =
            |folder: &Path| fs::canonicalize(folder).is_ok_and(|real| roots.iter().any(|root| real.starts_with(root)));
        let mut folders: BTreeMap<&Path, bool> = BTreeMap::new();
        let mut needed = self.roots.clone();
        for Found { path, .. } in self.found.iter().filter(|found| found.problem.is_none()) {
            let plain = fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file());
            let inside = path.parent().is_some_and(|folder| *folders.entry(folder).or_insert_with(|| within(folder)));
            if !(plain && inside) {
                needed.push(path.clone());
            }
        }
        needed
    }
}
