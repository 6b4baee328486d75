//! The folders of files that say something of what lies beside them, listed
//! before anything is read.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::engine::Folder;
use crate::source::Found;

/// Names of one folder that are kept.
const NAMES: usize = 1 << 16;

/// Listed folders.
#[derive(Debug, Clone, Default)]
pub(crate) struct Folders(BTreeMap<PathBuf, Arc<Folder>>);

impl Folders {
    /// Those of `found` that matter. A repository in a cache tells by itself
    /// what of it is missing, and is made of links.
    pub(crate) fn of(found: &[Found]) -> Self {
        let mut folders = BTreeMap::new();
        for found in found.iter().filter(|found| found.links.is_empty() && found.problem.is_none()) {
            let name = found.path.file_name().and_then(|name| name.to_str());
            if let (Some(name), Some(folder)) = (name, found.path.parent())
                && Folder::matters(name)
                && !folders.contains_key(folder)
                && let Some(listed) = list(folder)
            {
                folders.insert(folder.to_owned(), Arc::new(listed));
            }
        }
        Self(folders)
    }

    /// The folder of the file at `path`.
    pub(crate) fn around(&self, path: &Path) -> Option<Arc<Folder>> {
        self.0.get(path.parent()?).cloned()
    }
}

/// The names in a folder; `None` when they can't be told, or are too many.
fn list(folder: &Path) -> Option<Folder> {
    // The parent of a bare name is empty, and means the working directory.
    let place = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let mut listed = Folder::default();
    for entry in fs::read_dir(place).ok()? {
        let entry = entry.ok()?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        listed.names.insert(name);
        if listed.names.len() > NAMES {
            return None;
        }
    }
    Some(listed)
}
