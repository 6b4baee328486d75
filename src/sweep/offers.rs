//! What targets hold: objects of stores, and files below directories.

use std::collections::VecDeque;
use std::fs::{File, Metadata};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use crate::artifact::{Artifact, Gap, GapReason};
use crate::engine::StoredDigest;
use crate::remote::{Entry, Listed, Listing, Remote, RemoteError, Store, is_url};
use crate::report::FileReport;
use crate::source::{self, Found, HubFile};

/// Files that are offered at once, as a page of a store would be.
const PAGE: usize = 1000;

/// What is to be swept.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Target {
    /// A store, or what it has below a prefix; with the URL as it was given.
    Store(String, Store),
    /// A file, or a directory and all below.
    Files(PathBuf),
}

/// A target can't be swept.
pub type TargetError = RemoteError;

impl Target {
    /// A URL of a store, or a path.
    ///
    /// # Errors
    /// When the URL is wrong, or the environment's settings for it are.
    pub fn new(text: &str, remote: &Remote) -> Result<Self, TargetError> {
        if is_url(text) {
            return Ok(Self::Store(text.to_owned(), remote.open(text)?));
        }
        match text.split_once("://") {
            Some(_) => remote.open(text).map(|store| Self::Store(text.to_owned(), store)),
            None => Ok(Self::Files(PathBuf::from(text))),
        }
    }

    /// As it was given.
    pub fn name(&self) -> String {
        match self {
            Self::Store(url, _) => url.clone(),
            Self::Files(path) => path.display().to_string(),
        }
    }
}

/// Something that may have to be examined.
#[derive(Debug)]
pub(super) struct Offer {
    /// Its URL, or its path. Hostile.
    pub uri: String,
    pub size: u64,
    /// Differs when the content does.
    pub mark: String,
    pub etag: Option<String>,
    pub version_id: Option<String>,
    pub last_modified: Option<i64>,
    /// Why it can't be examined.
    pub problem: Option<Gap>,
    /// What it is on the Hugging Face Hub, by the first of its names there.
    pub hub: Option<HubFile>,
    /// The digest that it must have, because of where it is.
    pub digest: Option<StoredDigest>,
    pub source: Source,
}

/// Where its bytes are.
#[derive(Debug)]
pub(super) enum Source {
    Object(Box<(Store, Entry)>),
    File(PathBuf),
    Open(File, u64),
    /// Nowhere, or nobody needs them any more.
    None,
}

impl Offer {
    fn unreadable(uri: String, gap: Gap) -> Self {
        Self {
            uri,
            size: 0,
            mark: String::new(),
            etag: None,
            version_id: None,
            last_modified: None,
            problem: Some(gap),
            hub: None,
            digest: None,
            source: Source::None,
        }
    }

    fn of_entry(store: &Store, entry: Entry) -> Self {
        Self {
            uri: entry.uri.clone(),
            size: entry.size(),
            mark: entry.mark(),
            etag: entry.e_tag().map(str::to_owned),
            version_id: entry.version().map(str::to_owned),
            last_modified: Some(entry.modified()),
            problem: None,
            hub: None,
            digest: None,
            source: Source::Object(Box::new((store.clone(), entry))),
        }
    }

    fn of_file(found: Found) -> Self {
        let uri = found.shown();
        if let Some(gap) = found.problem {
            return Self::unreadable(uri, gap);
        }
        let mut offer = Self { size: found.size, ..Self::unreadable(uri, Gap::new(GapReason::Unreadable, "")) };
        offer.problem = None;
        offer.hub = found.links.into_iter().next().map(|link| link.file);
        offer.digest = found.digest;
        offer.see(&found.path);
        offer.source = Source::File(found.path);
        offer
    }

    /// Takes down when a file was last changed.
    fn see(&mut self, path: &Path) {
        let Ok(meta) = std::fs::metadata(path) else { return };
        self.size = meta.len();
        let Some(since) = meta.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()) else { return };
        self.mark = format!("time {}.{:09} file {}", since.as_secs(), since.subsec_nanos(), number(&meta));
        self.last_modified = i64::try_from(since.as_secs()).ok();
    }

    /// Opens a file, which scanning threads can't do.
    pub(super) fn open(&mut self) {
        let Source::File(path) = &self.source else { return };
        match source::open(path) {
            Ok((file, len)) => {
                self.size = len;
                self.source = Source::Open(file, len);
            }
            Err(error) => self.problem = Some(Gap::new(GapReason::Unreadable, error.to_string())),
        }
    }

    /// The name that hints at what it is: that of a blob in a cache says nothing.
    pub(super) fn name(&self) -> &str {
        self.hub.as_ref().map_or(&self.uri, |file| &file.path)
    }

    /// A report about it, under the name by which people know it.
    pub(super) fn report(&self, artifact: Artifact) -> FileReport {
        let report = FileReport::new(self.uri.as_str(), artifact);
        match &self.hub {
            Some(file) => report.named(file, &self.uri),
            None => report,
        }
    }

    /// The same without the way to its bytes.
    pub(super) fn forget(self) -> Self {
        Self { source: Source::None, ..self }
    }
}

/// The next part of what a target holds.
pub(super) enum Step {
    Page(Vec<Offer>),
    /// Part of it could not be listed.
    Failed(Box<FileReport>),
}

/// All that a target holds, page by page.
pub(super) enum Offers {
    Listing(Store, Listing),
    Files(VecDeque<Found>),
}

impl Offers {
    pub(super) fn of(target: &Target, scanner: &crate::Scanner<'_>) -> Self {
        match target {
            Target::Store(_, store) => Self::Listing(store.clone(), store.list()),
            Target::Files(path) => Self::Files(scanner.find(std::slice::from_ref(path)).found.into()),
        }
    }

    pub(super) fn next_step(&mut self) -> Option<Step> {
        match self {
            Self::Listing(store, listing) => Some(match listing.next_part()? {
                Listed::Page(page) => Step::Page(page.into_iter().map(|entry| Offer::of_entry(store, entry)).collect()),
                Listed::Not(unlisted) => {
                    let gap = Gap::new(GapReason::Unreadable, unlisted.why);
                    if unlisted.is_end {
                        let mut artifact = Artifact::new(unlisted.uri.as_str(), 0);
                        artifact.gaps.push(gap);
                        Step::Failed(Box::new(FileReport::new(unlisted.uri, artifact)))
                    } else {
                        Step::Page(vec![Offer::unreadable(unlisted.uri, gap)])
                    }
                }
            }),
            Self::Files(found) => {
                let page: Vec<Offer> = found.drain(..found.len().min(PAGE)).map(Offer::of_file).collect();
                (!page.is_empty()).then_some(Step::Page(page))
            }
        }
    }
}

/// The number that the file system has for a file; another file that was moved
/// to its place has another.
#[cfg(unix)]
fn number(meta: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(meta)
}

#[cfg(not(unix))]
fn number(_meta: &Metadata) -> u64 {
    0
}
