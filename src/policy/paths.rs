//! Globs over paths.
//!
//! A glob is matched against the path relative to the policy's folder; for a
//! path outside of that folder, against the absolute path. `*` stays within
//! one folder, `**` crosses folders. A path matches when it or a folder that
//! it lies in does.

use std::path::{Component, Path, PathBuf};

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};

use crate::policy::Origin;

/// Several globs, and what they are relative to.
#[derive(Debug, Clone, Default)]
pub struct Globs {
    base: PathBuf,
    set: GlobSet,
}

impl Globs {
    /// Globs relative to `base`.
    ///
    /// # Errors
    /// The origin of the first pattern that is not a glob, and what is wrong.
    pub(crate) fn new<'g>(
        base: &Path,
        globs: impl IntoIterator<Item = (&'g str, Origin)>,
    ) -> Result<Self, (Origin, String)> {
        let mut builder = GlobSetBuilder::new();
        for (glob, origin) in globs {
            builder.add(parse(glob).map_err(|message| (origin, message))?);
        }
        let set = builder.build().map_err(|error| (Origin::Default, error.to_string()))?;
        Ok(Self { base: plain(base), set })
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty()
    }

    /// Whether one of them fits `path`, or a folder around it.
    pub fn fit(&self, path: &Path) -> bool {
        if self.is_empty() {
            return false;
        }
        let path = plain(path);
        let inside = path.strip_prefix(&self.base).unwrap_or(&path);
        inside.ancestors().any(|part| !part.as_os_str().is_empty() && self.set.is_match(part))
    }

    /// Whether one of them fits a name that is no path of this machine.
    pub(crate) fn fit_name(&self, name: &str) -> bool {
        self.set.is_match(name)
    }
}

/// A glob as policies write it.
///
/// # Errors
/// In words, when it is none.
pub(super) fn parse(glob: &str) -> Result<Glob, String> {
    GlobBuilder::new(glob.trim_end_matches('/')).literal_separator(true).build().map_err(|error| error.to_string())
}

/// The absolute path without `.` and `..`, by its words alone.
pub(crate) fn plain(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut plain = PathBuf::new();
    for component in absolute.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::Globs;
    use crate::policy::Origin;

    #[test]
    fn globs_are_relative_to_their_folder() {
        let fits = |glob: &str, path: &str| {
            Globs::new(Path::new("/team"), [(glob, Origin::Default)]).expect("a glob").fit(Path::new(path))
        };
        assert!(fits("models/*.pkl", "/team/models/a.pkl"));
        assert!(fits("models/*.pkl", "/team/x/../models/./a.pkl"));
        assert!(!fits("models/*.pkl", "/team/models/deep/a.pkl"));
        assert!(!fits("models/*.pkl", "/team/other/models/a.pkl"));
        assert!(fits("**/*.pkl", "/team/models/deep/a.pkl"));
        assert!(fits("models/", "/team/models/deep/a.pkl"), "a folder stands for what is in it");
        assert!(fits("/data/*.pt", "/data/a.pt"));
        assert!(!fits("data/*.pt", "/data/a.pt"));
        assert!(!fits("m*", "/other/models/a.pkl"));
        assert!(Globs::new(Path::new("/team"), [("a[", Origin::Default)]).is_err());
    }
}
