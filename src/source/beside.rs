//! The folders of files that say something of what lies beside them, listed
//! before anything is read.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use crate::artifact::{Artifact, Companion};
use crate::engine::{self, Folder, Job};
use crate::input::Input;
use crate::source::Found;

/// Names of one folder that are kept.
const NAMES: usize = 1 << 16;

/// Models of one folder that are asked what lies beside them.
const MODELS: usize = 256;

/// Folders around a file in which such a model is looked for: the chunks of an
/// array may lie in folders of their own, one for each dimension.
const AROUND: usize = 8;

/// Listed folders.
#[derive(Debug, Clone, Default)]
pub(crate) struct Folders {
    listed: BTreeMap<PathBuf, Arc<Folder>>,
    models: BTreeMap<PathBuf, Models>,
}

/// Files of one folder that may say what lies beside them, and what they say
/// once somebody has asked.
#[derive(Debug, Clone, Default)]
struct Models {
    paths: Vec<PathBuf>,
    told: OnceLock<Vec<(&'static str, Companion)>>,
}

impl Folders {
    /// Those of `found` that matter. A repository in a cache tells by itself
    /// what of it is missing, and is made of links.
    pub(crate) fn of(found: &[Found]) -> Self {
        let mut folders = Self::default();
        for found in found.iter().filter(|found| found.links.is_empty() && found.problem.is_none()) {
            let name = found.path.file_name().and_then(|name| name.to_str());
            let (Some(name), Some(folder)) = (name, found.path.parent()) else { continue };
            if Folder::matters(name)
                && !folders.listed.contains_key(folder)
                && let Some(listed) = list(folder)
            {
                folders.listed.insert(folder.to_owned(), Arc::new(listed));
            }
            if engine::tells(name) {
                let models = folders.models.entry(folder.to_owned()).or_default();
                if models.paths.len() < MODELS {
                    models.paths.push(found.path.clone());
                }
            }
        }
        folders
    }

    /// Lets the models around the unknown file at `path` say what it is.
    pub(crate) fn explain(&self, path: &Path, input: &Input, job: &mut Job<'_>, artifact: &mut Artifact) {
        for folder in path.ancestors().skip(1).take(AROUND) {
            let Some(models) = self.models.get(folder) else { continue };
            let told = models.told.get_or_init(|| models.ask(job));
            let Some(path) = path.strip_prefix(folder).ok().and_then(Path::to_str) else { continue };
            let listed = self.listed.get(folder).map(Arc::as_ref);
            engine::explain(told, &path.replace('\\', "/"), input, listed, artifact);
            if !engine::is_unknown(artifact) {
                return;
            }
        }
    }

    /// The folder of the file at `path`.
    pub(crate) fn around(&self, path: &Path) -> Option<Arc<Folder>> {
        self.listed.get(path.parent()?).cloned()
    }
}

impl Models {
    fn ask(&self, job: &mut Job<'_>) -> Vec<(&'static str, Companion)> {
        let mut told = Vec::new();
        for path in &self.paths {
            if let Ok((file, len)) = super::open(path) {
                let input = Input::positioned(Arc::new(file), len);
                told.extend(job.companions(&path.to_string_lossy(), input));
            }
        }
        told
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
        listed.names.insert(name, entry.metadata().ok().filter(fs::Metadata::is_file).map(|meta| meta.len()));
        if listed.names.len() > NAMES {
            return None;
        }
    }
    Some(listed)
}
