//! What DVC files stand for, where it lies beside them: content that is in the
//! report by itself has been fetched.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::policy::plain;
use crate::report::FileReport;
use crate::source::Found;

/// The files that a scan covers.
#[derive(Debug, Default)]
pub(crate) struct Covered(BTreeSet<PathBuf>);

impl Covered {
    /// Those of `found`, when a DVC file is among them.
    pub(crate) fn of(found: &[Found]) -> Self {
        let is_dvc = |path: &Path| {
            path.extension().is_some_and(|extension| extension == "dvc")
                || path.file_name().is_some_and(|name| name == "dvc.lock")
        };
        if !found.iter().any(|found| is_dvc(&found.path)) {
            return Self::default();
        }
        Self(found.iter().filter(|found| found.problem.is_none()).map(|found| plain(&found.path)).collect())
    }

    /// Takes from the report of the DVC file at `path` the gaps for what is
    /// covered. By its words alone: nothing that a DVC file names is looked up
    /// on disk.
    pub(crate) fn settle(&self, path: &Path, report: &mut FileReport) {
        if self.0.is_empty() || report.format.as_deref() != Some("dvc") {
            return;
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        report.drop_gaps(|gap| {
            gap.members.last().is_some_and(|out| gap.members.len() == 1 && self.has(&plain(&folder.join(out))))
        });
    }

    /// Whether `path` is covered, or something in it.
    fn has(&self, path: &PathBuf) -> bool {
        self.0.range(path.clone()..).next().is_some_and(|next| next.starts_with(path))
    }
}
