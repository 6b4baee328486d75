//! What things on the Hugging Face Hub are called: repositories, revisions,
//! files, and the folders of the local cache that stand for them
//! (<https://huggingface.co/docs/hub/local-cache>).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a repository holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HubKind {
    /// A model.
    Model,
    /// A dataset.
    Dataset,
    /// An application.
    Space,
    /// Compiled compute kernels.
    Kernel,
}

impl HubKind {
    const ALL: [Self; 4] = [Self::Model, Self::Dataset, Self::Space, Self::Kernel];

    /// The plural, as folders of the cache and addresses of the Hub have it.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Model => "models",
            Self::Dataset => "datasets",
            Self::Space => "spaces",
            Self::Kernel => "kernels",
        }
    }
}

/// A repository on the Hub.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HubRepository {
    /// What it holds.
    pub kind: HubKind,
    /// `organisation/name`; the oldest models have no organisation.
    pub id: String,
}

impl HubRepository {
    /// The repository that a folder of the cache is named after:
    /// `models--organisation--name`.
    pub fn from_folder(folder: &str) -> Option<Self> {
        let (kind, id) = folder.split_once("--")?;
        let kind = HubKind::ALL.into_iter().find(|one| one.plural() == kind)?;
        let id = id.replacen("--", "/", 1);
        is_id(&id).then_some(Self { kind, id })
    }

    /// The name of its folder in the cache.
    pub fn folder(&self) -> String {
        format!("{}--{}", self.kind.plural(), self.id.replace('/', "--"))
    }
}

impl fmt::Display for HubRepository {
    /// `organisation/name`, with `datasets/` and the like before what is not a
    /// model.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            HubKind::Model => f.write_str(&self.id),
            other => write!(f, "{}/{}", other.plural(), self.id),
        }
    }
}

/// A file of a repository at a commit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
pub struct HubFile {
    /// What the repository holds.
    pub kind: HubKind,
    /// The repository: `organisation/name`.
    pub repository: String,
    /// The commit.
    pub revision: String,
    /// Branches and tags that the cache has for the commit. Hostile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refs: Vec<String>,
    /// Path in the repository. Hostile.
    pub path: String,
}

impl fmt::Display for HubFile {
    /// `organisation/name@revision:path`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let repository = HubRepository { kind: self.kind, id: self.repository.clone() };
        write!(f, "{repository}@{}:{}", self.revision, self.path)
    }
}

/// What a person writes for something on the Hub:
/// `[datasets/]organisation/name[@revision][:path]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubName {
    /// The repository.
    pub repository: HubRepository,
    /// A branch, a tag or a commit.
    pub revision: Option<String>,
    /// A file or folder in it.
    pub path: Option<String>,
}

impl FromStr for HubName {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (text, path) = text.split_once(':').map_or((text, None), |(text, path)| (text, Some(path)));
        let (text, revision) = text.split_once('@').map_or((text, None), |(text, revision)| (text, Some(revision)));
        let kind = HubKind::ALL.into_iter().find(|kind| {
            let rest = text.strip_prefix(kind.plural()).and_then(|rest| rest.strip_prefix('/'));
            rest.is_some_and(|rest| rest.contains('/'))
        });
        let id = kind.map_or(text, |kind| text.get(kind.plural().len() + 1..).unwrap_or_default());
        let inside = |path: &str| !path.split('/').any(|part| matches!(part, "" | "." | ".."));
        if !is_id(id) || [revision, path].into_iter().flatten().any(|part| !inside(part)) {
            return Err(());
        }
        Ok(Self {
            repository: HubRepository { kind: kind.unwrap_or(HubKind::Model), id: id.to_owned() },
            revision: revision.map(str::to_owned),
            path: path.map(str::to_owned),
        })
    }
}

/// Longest part of an id, as `huggingface_hub`'s `validate_repo_id` has it.
const LONGEST: usize = 96;

/// Whether `id` can be that of a repository: one or two names.
fn is_id(id: &str) -> bool {
    let name = |part: &str| {
        let letters = part.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'));
        let edges = part.starts_with(['-', '.']) || part.ends_with(['-', '.']);
        !part.is_empty() && part.chars().count() <= LONGEST && letters && !edges && !part.contains("..")
    };
    id.split('/').count() <= 2 && id.split('/').all(name)
}

/// Whether `text` is the id of a commit, or of a file that Git has.
pub fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}
