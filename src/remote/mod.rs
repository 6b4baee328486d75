//! Objects of stores, by URL: `s3://`, `gs://`, `az://`, `http(s)://`. The gate
//! and the sweep read models from there; with them, this is the only code that
//! speaks to a network.
//!
//! All of it happens on the threads of a tokio runtime that is handed in. Threads
//! that scan hand over a request and wait for its answer, so that they need no
//! socket themselves, and can be confined as if there were none.

mod cache;
mod fetch;
mod listing;
mod object;
mod profile;
mod store;

use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;

#[cfg(feature = "sweep")]
pub(crate) use cache::weight;
pub use listing::{Entry, Listed, Listing, Unlisted};
pub use object::{Object, Traffic};
pub use store::{Store, is_url};

/// How often a thread that waits for an answer looks whether it should stop.
const TICK: Duration = Duration::from_millis(50);

/// A store or an object can't be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// The URL is none, or of a kind that is not known.
    #[error("{url}: {why}")]
    Url {
        /// As it was given.
        url: String,
        /// What is wrong.
        why: String,
    },
    /// The store refused, failed or did not answer.
    #[error("{0}")]
    Store(String),
    /// Nobody wants the answer any more.
    #[error("stopped before the store answered")]
    Stopped,
}

/// How stores are spoken to.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// How long one request may take, answer included.
    pub timeout: Duration,
    /// How often a request is made again when the store fails or does not
    /// answer.
    pub retries: usize,
    /// Requests that wait for an answer at any time.
    pub in_flight: usize,
    /// Reads by what the store lets anyone read, and looks for no credentials.
    pub anonymous: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(60), retries: 4, in_flight: 64, anonymous: false }
    }
}

/// The way to the stores: the threads that speak to them, and how.
#[derive(Debug, Clone)]
pub struct Remote {
    handle: Handle,
    options: Options,
    slots: Arc<Semaphore>,
    stop: Arc<AtomicBool>,
}

impl Remote {
    /// A way to stores over the runtime of `handle`. Whoever waits for an answer
    /// gives up once `stop` is set.
    pub fn new(handle: Handle, options: Options, stop: Arc<AtomicBool>) -> Self {
        // Fails when there is a provider already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let slots = Arc::new(Semaphore::new(options.in_flight.max(1)));
        Self { handle, options, slots, stop }
    }

    /// The store that `url` is in; no request is made.
    ///
    /// # Errors
    /// [`RemoteError::Url`], or what is wrong with the environment's settings.
    pub fn open(&self, url: &str) -> Result<Store, RemoteError> {
        Store::open(self, url)
    }

    /// Starts `work` on the runtime, when a slot is free.
    fn start<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Answer<T> {
        let (tell, told) = mpsc::sync_channel(1);
        let slots = Arc::clone(&self.slots);
        self.handle.spawn(async move {
            let slot = slots.acquire().await;
            let answer = work.await;
            drop(slot);
            // Fails when nobody waits any more.
            let _ = tell.send(answer);
        });
        Answer { told, stop: Arc::clone(&self.stop) }
    }
}

/// What comes of a request.
#[derive(Debug)]
struct Answer<T> {
    told: mpsc::Receiver<T>,
    stop: Arc<AtomicBool>,
}

impl<T> Answer<T> {
    /// Waits for it.
    fn wait(self) -> Result<T, RemoteError> {
        loop {
            match self.told.recv_timeout(TICK) {
                Ok(answer) => return Ok(answer),
                Err(mpsc::RecvTimeoutError::Timeout) if self.stop.load(Ordering::Relaxed) => {
                    return Err(RemoteError::Stopped);
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    return Err(RemoteError::Store("the request was dropped".to_owned()));
                }
            }
        }
    }
}

impl From<RemoteError> for io::Error {
    fn from(error: RemoteError) -> Self {
        Self::other(error.to_string())
    }
}

/// Longest message of a store that is passed on, in characters.
const MESSAGE: usize = 300;

/// A store's failure in words, without the query of any URL in it: that may
/// hold a signature.
fn in_words(error: &object_store::Error) -> RemoteError {
    use object_store::Error;
    let text = match error {
        Error::NotFound { .. } => "the store has no such object".to_owned(),
        Error::PermissionDenied { .. } => "the store denies access (403)".to_owned(),
        Error::Unauthenticated { .. } => "the store does not accept the credentials (401)".to_owned(),
        Error::Precondition { .. } => CHANGED.to_owned(),
        other => {
            let mut text = other.to_string();
            let mut source = std::error::Error::source(other);
            while let Some(inner) = source {
                let more = inner.to_string();
                if !text.contains(&more) {
                    text = format!("{text}: {more}");
                }
                source = inner.source();
            }
            text
        }
    };
    let plain: Vec<&str> = text.split_whitespace().map(without_query).collect();
    let plain = plain.join(" ");
    let more = if plain.chars().nth(MESSAGE).is_some() { "…" } else { "" };
    RemoteError::Store(plain.chars().take(MESSAGE).collect::<String>() + more)
}

fn without_query(word: &str) -> &str {
    if word.contains("://") { word.split(['?', '#']).next().unwrap_or(word) } else { word }
}

/// What is said of an object that is another one now.
const CHANGED: &str = "the object was replaced while it was read";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_not_told() {
        let source = "GET https://host.invalid/c/k?sig=SECRET&x=1 failed".into();
        let error = in_words(&object_store::Error::Generic { store: "test", source });
        assert!(!error.to_string().contains("SECRET"), "{error}");
        assert!(error.to_string().contains("https://host.invalid/c/k failed"), "{error}");
    }
}
