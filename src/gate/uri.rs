//! Objects of stores by their URI, below prefixes that the operator has named.
//! They are read where they are, held to the version that was there first, and
//! not spooled.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::runtime::Handle;

use crate::engine::Depth;
use crate::gate::answer::Refusal;
use crate::gate::fetch::unreachable;
use crate::gate::pool::StopOnDrop;
use crate::gate::{Gate, GateError, Reason};
use crate::input::Input;
use crate::remote::{Listed, Options, Remote, is_url};
use crate::report::FileReport;

/// Prefixes below which objects may be read.
#[derive(Debug, Clone, Default)]
pub struct Prefixes(Vec<String>);

impl Prefixes {
    /// These, each as far as its last slash: `s3://bucket/a` is no way to
    /// `s3://bucket/ab`.
    ///
    /// # Errors
    /// When one is not the URI of a bucket or of a folder in one. Web servers are
    /// none: they may redirect to anywhere.
    pub fn new(prefixes: &[String]) -> Result<Self, GateError> {
        let one = |prefix: &String| {
            let bucket = prefix.split_once("://").is_some_and(|(_, rest)| !rest.starts_with('/') && !rest.is_empty());
            if !is_url(prefix) || prefix.starts_with("http") || !bucket || !is_plain(prefix) {
                return Err(GateError::new(format!("{prefix}: wanted a prefix such as s3://bucket/folder/")));
            }
            Ok(format!("{}/", prefix.trim_end_matches('/')))
        };
        prefixes.iter().map(one).collect::<Result<_, _>>().map(Self)
    }

    fn hold(&self, uri: &str) -> bool {
        is_plain(uri) && self.0.iter().any(|prefix| uri.len() > prefix.len() && uri.starts_with(prefix))
    }
}

/// Whether nobody could read `uri` as another place than its letters say.
fn is_plain(uri: &str) -> bool {
    let odd = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '%' | '?' | '#' | '\\' | '@');
    let path = uri.split_once("://").map_or(uri, |(_, path)| path);
    !uri.contains(odd) && !path.split('/').any(|part| matches!(part, "." | ".."))
}

impl Gate {
    /// Whether what is at `uri` may be read.
    pub(super) fn may_read(&self, uri: &str) -> bool {
        self.config.uris.hold(uri)
    }

    /// The URIs of all objects below `uri`, which may be read, and of which
    /// there are at most `most`.
    pub(super) async fn objects(&self, uri: &str, most: usize) -> Result<Vec<String>, Refusal> {
        let stop = Arc::new(AtomicBool::new(false));
        let _stop = StopOnDrop::new(&stop);
        let remote = Remote::new(Handle::current(), Options::default(), stop);
        let uri = uri.to_owned();
        let listed = tokio::task::spawn_blocking(move || {
            let mut listing = remote.open(&uri).map_err(|error| unreachable(error.to_string()))?.list();
            let mut found = Vec::new();
            while let Some(part) = listing.next_part() {
                match part {
                    Listed::Page(page) => found.extend(page.into_iter().map(|entry| entry.uri)),
                    Listed::Not(unlisted) => return Err(unreachable(format!("{}: {}", unlisted.uri, unlisted.why))),
                }
                if found.len() > most {
                    return Err(unreachable(format!("there are more than {most} objects at {uri}")));
                }
            }
            Ok(found)
        });
        let found = listed.await.map_err(|_| Refusal::from(Reason::Failed))??;
        if found.is_empty() {
            return Err(unreachable("the store has no object there"));
        }
        Ok(found)
    }

    /// Scans the object at `uri`, when it may be read.
    pub(super) async fn scan_uri(self: &Arc<Self>, uri: &str) -> Result<FileReport, Refusal> {
        if !self.may_read(uri) {
            return Err(Reason::UriNotAllowed.into());
        }
        let stop = Arc::new(AtomicBool::new(false));
        let _stop = StopOnDrop::new(&stop);
        let remote = Remote::new(Handle::current(), Options::default(), Arc::clone(&stop));
        let name = uri.to_owned();
        let found = tokio::task::spawn_blocking(move || {
            let store = remote.open(&name)?;
            store.head().map(|entry| (store, entry))
        });
        let found = found.await.map_err(|_| Refusal::from(Reason::Failed))?;
        let (store, entry) = found.map_err(|error| unreachable(error.to_string()))?;
        let (name, gate, size) = (uri.to_owned(), Arc::clone(self), entry.size());
        let object = Arc::new(store.object(&entry, Depth::Full));
        let read = self.pool.run(move |worker, stop| {
            let began = std::time::Instant::now();
            let report = worker.scan_input(&name, Input::positioned(object, size), stop);
            gate.metrics.scan(began.elapsed(), size);
            report
        });
        let report = read.await.ok_or_else(|| Reason::Failed.into());
        // Connections are closed here, not by a thread that may not.
        drop(store);
        report
    }
}

#[cfg(test)]
mod tests {
    use super::Prefixes;

    #[test]
    fn objects_are_below_a_prefix_by_their_letters() {
        let prefixes = |prefix: &str| Prefixes::new(&[prefix.to_owned()]);
        let allowed = prefixes("s3://bucket/models").expect("a prefix");
        assert!(allowed.hold("s3://bucket/models/a b.pt".replace(' ', "-").as_str()));
        for other in [
            "s3://bucket/models",
            "s3://bucket/models/",
            "s3://bucket/models-too/a",
            "s3://bucket/models/../a",
            "s3://bucket/models/%2e%2e/a",
            "s3://bucket/models/a?versionId=1",
            "s3://bucket/models/\\..\\a",
            "S3://bucket/models/a",
            "s3://user@bucket/models/a",
            "gs://bucket/models/a",
            "file:///bucket/models/a",
        ] {
            assert!(!allowed.hold(other), "{other}");
        }
        for wrong in ["s3://", "s3:///a", "file:///", "/models", "https://host/", "s3://a/../", ""] {
            assert!(prefixes(wrong).is_err(), "{wrong}");
        }
        assert!(!Prefixes::default().hold("s3://bucket/models/a"));
    }
}
