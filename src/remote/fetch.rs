//! One range of an object, of the very object that the first request saw.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt as _};

use super::{CHANGED, RemoteError, in_words};
use crate::input::{to_u64, to_usize};

/// Which object is meant: what all answers must agree on.
#[derive(Debug, Clone)]
pub(super) struct Pin(pub ObjectMeta);

impl Pin {
    /// Whether the store says when the object was last changed. One that does
    /// not is said to have said 1970.
    fn has_time(&self) -> bool {
        self.0.last_modified.timestamp() != 0
    }

    /// Whether later requests can be held to it.
    fn holds(&self) -> bool {
        self.0.e_tag.is_some() || self.has_time()
    }

    /// Whether an answer is about the same object. Listings leave out what
    /// answers say, and round times.
    fn agrees(&self, answer: &Self) -> bool {
        let same = match (&self.0.e_tag, &answer.0.e_tag) {
            (Some(ours), Some(theirs)) => bare(ours) == bare(theirs),
            _ if self.has_time() && answer.has_time() => {
                self.0.last_modified.timestamp() == answer.0.last_modified.timestamp()
            }
            _ => !self.holds(),
        };
        same && self.0.size == answer.0.size
    }

    /// The condition that the store is to check. A weak tag never fits there
    /// (RFC 9110, 13.1.1), so then it is the time.
    fn condition(&self, options: &mut GetOptions) {
        match &self.0.e_tag {
            Some(tag) if !tag.starts_with("W/") => options.if_match = Some(tag.clone()),
            _ if self.has_time() => {
                // Headers have whole seconds; the next one is not before it.
                let rest = self.0.last_modified.timestamp_subsec_nanos();
                let up = if rest > 0 { 1_000_000_000_u32.saturating_sub(rest) } else { 0 };
                options.if_unmodified_since = Some(self.0.last_modified + Duration::from_nanos(u64::from(up)));
            }
            _ => {}
        }
    }
}

fn bare(tag: &str) -> &str {
    tag.trim_start_matches("W/").trim_matches('"')
}

/// Why a range could not be had.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    /// The object is another one now.
    pub changed: bool,
    pub error: RemoteError,
}

impl Failure {
    fn new(error: impl Into<String>) -> Self {
        Self { changed: false, error: RemoteError::Store(error.into()) }
    }

    fn changed() -> Self {
        Self { changed: true, error: RemoteError::Store(CHANGED.to_owned()) }
    }
}

impl From<object_store::Error> for Failure {
    fn from(error: object_store::Error) -> Self {
        // Gone between the listing and now, or replaced.
        let changed = matches!(error, object_store::Error::Precondition { .. });
        Self { changed, error: in_words(&error) }
    }
}

/// Fetches `range` of the object that `pin` tells, in no more than `within`
/// altogether; also what the answer says of the object.
pub(super) async fn fetch(
    store: Arc<dyn ObjectStore>,
    location: Path,
    pin: Pin,
    range: Range<u64>,
    within: Duration,
) -> Result<(Bytes, Pin), Failure> {
    let whole = range.start == 0 && range.end == pin.0.size;
    if !whole && !pin.holds() {
        return Err(Failure::new(
            "the store tells neither ETag nor time of change: parts of the object could be of different ones",
        ));
    }
    match tokio::time::timeout(within, fetch_pinned(store, location, pin, range, whole)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Failure::new(format!("the store did not answer within {} s", within.as_secs()))),
    }
}

async fn fetch_pinned(
    store: Arc<dyn ObjectStore>,
    location: Path,
    pin: Pin,
    range: Range<u64>,
    whole: bool,
) -> Result<(Bytes, Pin), Failure> {
    // All of it needs no server that knows ranges.
    let part = (!whole).then(|| GetRange::Bounded(range.clone()));
    let mut options = GetOptions { range: part, ..GetOptions::default() };
    pin.condition(&mut options);
    let answer = store.get_opts(&location, options).await?;
    let seen = Pin(answer.meta.clone());
    if !pin.agrees(&seen) {
        return Err(Failure::changed());
    }
    if answer.range != range {
        return Err(Failure::new("the store answered with another range than was asked for"));
    }
    let length = range.end.saturating_sub(range.start);
    let mut bytes = BytesMut::with_capacity(to_usize(length));
    let mut body = answer.into_stream();
    while let Some(part) = body.next().await {
        bytes.extend_from_slice(&part?);
        if to_u64(bytes.len()) > length {
            return Err(Failure::new(format!("the store sent more than the {length} bytes that were asked for")));
        }
    }
    if to_u64(bytes.len()) < length {
        let sent = bytes.len();
        return Err(Failure::new(format!("the store sent {sent} of the {length} bytes that were asked for")));
    }
    Ok((bytes.freeze(), seen))
}

/// What the store says of one object.
pub(super) async fn head(
    store: Arc<dyn ObjectStore>,
    location: Path,
    within: Duration,
) -> Result<Option<ObjectMeta>, RemoteError> {
    match tokio::time::timeout(within, store.head(&location)).await {
        Ok(Ok(meta)) => Ok(Some(meta)),
        Ok(Err(object_store::Error::NotFound { .. })) => Ok(None),
        Ok(Err(error)) => Err(in_words(&error)),
        Err(_) => Err(RemoteError::Store(format!("the store did not answer within {} s", within.as_secs()))),
    }
}
