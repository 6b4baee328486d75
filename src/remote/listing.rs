//! What a store has, page by page.
//!
//! A store may hold keys that this client has no way to ask for (`a//b`,
//! `a/../b`), and a page with one of them is refused as a whole. Whoever puts a
//! model into a bucket must not be able to hide the others that way: the page is
//! asked for again in smaller parts, and the key is told as not examined.

use std::sync::Arc;

use futures_util::StreamExt as _;
use object_store::list::PaginatedListOptions;
use object_store::{Error, ObjectMeta};
use tokio::sync::mpsc;

use super::store::{Store, within};
use super::{Remote, RemoteError, fetch, in_words};

/// Objects of a page.
const PAGE: usize = 1000;

/// Pages that wait for someone to take them.
const WAITING: usize = 2;

/// An object as a listing has it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Entry {
    /// Its URL. Hostile.
    pub uri: String,
    pub(super) meta: ObjectMeta,
}

impl Entry {
    /// Length in bytes.
    pub fn size(&self) -> u64 {
        self.meta.size
    }

    /// The tag that changes with the content; hostile, and absent from some
    /// listings.
    pub fn e_tag(&self) -> Option<&str> {
        self.meta.e_tag.as_deref()
    }

    /// The version, where the store tells it; hostile.
    pub fn version(&self) -> Option<&str> {
        self.meta.version.as_deref()
    }

    /// Seconds since 1970 when it was last written.
    pub fn modified(&self) -> i64 {
        self.meta.last_modified.timestamp()
    }

    /// What differs when the object is another one: its version or tag, else
    /// the time of its last change.
    pub fn mark(&self) -> String {
        match (&self.meta.version, &self.meta.e_tag) {
            (Some(version), _) => format!("version {version}"),
            (None, Some(tag)) => format!("etag {tag}"),
            (None, None) => {
                let (seconds, rest) =
                    (self.meta.last_modified.timestamp(), self.meta.last_modified.timestamp_subsec_nanos());
                format!("time {seconds}.{rest:09}")
            }
        }
    }
}

/// A part of a listing.
#[derive(Debug)]
pub enum Listed {
    /// Objects.
    Page(Vec<Entry>),
    /// Something is there that can't be listed or asked for.
    Not(Unlisted),
}

/// What a listing could not tell.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unlisted {
    /// The object, or what was to be listed. Hostile.
    pub uri: String,
    /// Why not.
    pub why: String,
    /// The listing ended here, so that nothing is known of what would follow.
    pub is_end: bool,
}

/// The pages of a listing, fetched ahead.
#[derive(Debug)]
pub struct Listing {
    pages: mpsc::Receiver<Listed>,
}

impl Listing {
    pub(super) fn start(store: &Store, remote: &Remote) -> Self {
        let (tell, pages) = mpsc::channel(WAITING);
        let lister = Lister { store: store.clone(), within: within(&remote.options), tell };
        remote.handle.spawn(lister.run());
        Self { pages }
    }

    /// The next part, or nothing at the end. Waits for it.
    pub fn next_part(&mut self) -> Option<Listed> {
        self.pages.blocking_recv()
    }
}

/// Nobody takes the pages any more.
struct Gone;

struct Lister {
    store: Store,
    within: std::time::Duration,
    tell: mpsc::Sender<Listed>,
}

impl Lister {
    async fn run(self) {
        // Fails when nobody listens, which ends it as well.
        let _ = self.list().await;
    }

    async fn list(&self) -> Result<(), Gone> {
        // A URL without a slash at its end may be that of an object.
        if !self.store.is_folder {
            match fetch::head(Arc::clone(&self.store.objects), self.store.prefix.clone(), self.within).await {
                Ok(Some(meta)) => self.page(vec![meta]).await?,
                // Who may list need not be allowed to ask for what is not there.
                Ok(None) | Err(_) if self.store.pages.is_some() => {}
                Ok(None) => return self.end("the store has no such object".to_owned()).await,
                Err(error) => return self.end(error.to_string()).await,
            }
            if self.store.pages.is_none() {
                return Ok(());
            }
        }
        match &self.store.pages {
            Some(_) => self.paged().await,
            None => self.streamed().await,
        }
    }

    async fn page(&self, found: Vec<ObjectMeta>) -> Result<(), Gone> {
        if found.is_empty() {
            return Ok(());
        }
        let page = found.into_iter().map(|meta| self.store.entry(meta)).collect();
        self.tell.send(Listed::Page(page)).await.map_err(|_| Gone)
    }

    async fn not(&self, uri: String, why: String, is_end: bool) -> Result<(), Gone> {
        self.tell.send(Listed::Not(Unlisted { uri, why, is_end })).await.map_err(|_| Gone)
    }

    async fn end(&self, why: String) -> Result<(), Gone> {
        self.not(self.store.uri(self.store.prefix.as_ref()), format!("listing: {why}"), true).await
    }

    /// By WebDAV, which has no pages.
    async fn streamed(&self) -> Result<(), Gone> {
        let prefix = Some(&self.store.prefix).filter(|prefix| !prefix.as_ref().is_empty());
        let mut found = self.store.objects.list(prefix).chunks(PAGE);
        while let Some(page) = found.next().await {
            let mut metas = Vec::with_capacity(page.len());
            for meta in page {
                match meta {
                    Ok(meta) => metas.push(meta),
                    Err(error) => {
                        self.page(metas).await?;
                        return self.end(in_words(&error).to_string()).await;
                    }
                }
            }
            self.page(metas).await?;
        }
        Ok(())
    }

    async fn paged(&self) -> Result<(), Gone> {
        let Some(pages) = &self.store.pages else { return Ok(()) };
        let prefix = self.store.prefix.as_ref();
        let prefix = (!prefix.is_empty()).then(|| format!("{prefix}/"));
        let mut place = Place { token: None, after: None, most: PAGE };
        loop {
            let options = PaginatedListOptions {
                offset: place.after.clone(),
                max_keys: Some(place.most),
                page_token: place.token.clone(),
                ..PaginatedListOptions::default()
            };
            let asked = pages.list_paginated(prefix.as_deref(), options);
            let answer = tokio::time::timeout(self.within, asked).await;
            match answer {
                Ok(Ok(answer)) => {
                    let ended = answer.page_token.is_none();
                    let found = answer.result.objects;
                    if let Some(last) = found.iter().map(|meta| meta.location.as_ref()).max() {
                        place.pass(last);
                    }
                    place.token = answer.page_token;
                    place.most = place.most.saturating_mul(2).min(PAGE);
                    self.page(found).await?;
                    if ended {
                        return Ok(());
                    }
                }
                Ok(Err(error)) => match (bad_key(&error), place.most) {
                    (Some(key), 1) => {
                        self.not(
                            self.store.uri(&key),
                            format!("the key can't be asked for: {}", in_words(&error)),
                            false,
                        )
                        .await?;
                        if place.after.as_deref() == Some(&key) {
                            return self.end("the store does not go on behind such a key".to_owned()).await;
                        }
                        place.token = None;
                        place.after = Some(key);
                    }
                    (Some(_), most) => {
                        place.token = None;
                        place.most = most / 2;
                    }
                    (None, _) => return self.end(in_words(&error).to_string()).await,
                },
                Err(_) => {
                    return self.end(format!("the store did not answer within {} s", self.within.as_secs())).await;
                }
            }
        }
    }
}

/// Where a paged listing has come to.
struct Place {
    token: Option<String>,
    /// The key behind which it goes on when there is no token.
    after: Option<String>,
    most: usize,
}

impl Place {
    /// `last` has been listed. A key that ends in a slash is told without it,
    /// and would be listed again for ever.
    fn pass(&mut self, last: &str) {
        let again = self.after.as_deref() == Some(last);
        self.after = Some(if again { format!("{last}/") } else { last.to_owned() });
    }
}

/// The key for which a page was refused.
fn bad_key(error: &Error) -> Option<String> {
    use object_store::path::Error as PathError;
    match error {
        Error::InvalidPath { source: PathError::EmptySegment { path } | PathError::BadSegment { path, .. } } => {
            Some(path.clone())
        }
        _ => None,
    }
}

impl From<&Unlisted> for RemoteError {
    fn from(unlisted: &Unlisted) -> Self {
        Self::Store(unlisted.why.clone())
    }
}
