//! [`Object`]: an object of a store as bytes that can be read at any offset.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use object_store::ObjectStore;
use object_store::path::Path;

use super::cache::{Cache, Plan};
use super::fetch::{Failure, Pin, fetch};
use super::{Answer, Remote, RemoteError};
use crate::engine::Depth;
use crate::input::{ReadAt, to_u64, to_usize};

/// An object of a store. Every request is held to the object that the first one
/// saw; when the store has another one meanwhile, reading fails.
pub struct Object {
    remote: Remote,
    store: Arc<dyn ObjectStore>,
    location: Path,
    within: Duration,
    plan: Plan,
    state: Mutex<State>,
    bytes: AtomicU64,
    requests: AtomicU64,
    changed: AtomicBool,
}

type Fetched = Result<(Bytes, Pin), Failure>;

struct State {
    pin: Pin,
    cache: Cache,
    /// What follows, asked for before anybody wants it.
    coming: Option<(u64, u64, Answer<Fetched>)>,
    /// Why reading failed. It is not tried again: the store was asked often
    /// enough, and what would be read now need not fit the rest.
    failed: Option<String>,
}

/// What reading an object cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Traffic {
    /// Bytes that the store sent.
    pub bytes: u64,
    /// Requests, repeated ones counted once.
    pub requests: u64,
}

impl std::fmt::Debug for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Object").field("location", &self.location).finish_non_exhaustive()
    }
}

impl Object {
    pub(super) fn new(
        remote: &Remote,
        store: Arc<dyn ObjectStore>,
        location: Path,
        pin: Pin,
        depth: Depth,
        within: Duration,
    ) -> Self {
        let plan = Plan::of(depth, pin.0.size);
        Self {
            remote: remote.clone(),
            store,
            location,
            within,
            plan,
            state: Mutex::new(State { pin, cache: Cache::new(plan), coming: None, failed: None }),
            bytes: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            changed: AtomicBool::new(false),
        }
    }

    /// What reading it has cost until now.
    pub fn traffic(&self) -> Traffic {
        Traffic { bytes: self.bytes.load(Ordering::Relaxed), requests: self.requests.load(Ordering::Relaxed) }
    }

    /// Whether the store had another object in its place, when it was read.
    pub fn has_changed(&self) -> bool {
        self.changed.load(Ordering::Relaxed)
    }

    fn ask(&self, pin: &Pin, offset: u64, length: u64) -> Answer<Fetched> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let range = offset..offset.saturating_add(length);
        self.remote.start(fetch(Arc::clone(&self.store), self.location.clone(), pin.clone(), range, self.within))
    }

    /// Takes an answer in; the bytes that it brought.
    fn take(&self, state: &mut State, answer: Answer<Fetched>) -> io::Result<Bytes> {
        let outcome = answer.wait().unwrap_or_else(|error| Err(Failure { changed: false, error }));
        match outcome {
            Ok((bytes, seen)) => {
                self.bytes.fetch_add(to_u64(bytes.len()), Ordering::Relaxed);
                // A listing may not have had a tag.
                if state.pin.0.e_tag.is_none() {
                    state.pin = seen;
                }
                Ok(bytes)
            }
            Err(failure) => {
                self.changed.fetch_or(failure.changed, Ordering::Relaxed);
                let told = failure.error.to_string();
                if failure.error != RemoteError::Stopped {
                    state.failed = Some(told.clone());
                }
                Err(io::Error::other(told))
            }
        }
    }

    /// Has what is at `offset` fetched, `wanted` bytes of it at least as far as
    /// one request goes.
    fn fill(&self, state: &mut State, offset: u64, wanted: usize) -> io::Result<Bytes> {
        let coming = state.coming.take();
        let (length, answer) = match coming {
            Some((at, length, answer)) if at == offset => {
                // Counts as going on.
                state.cache.next(offset, wanted, state.pin.0.size);
                (length, answer)
            }
            other => {
                // What was asked for in vain is fetched all the same.
                if let Some((at, _, answer)) = other {
                    let bytes = self.take(state, answer)?;
                    state.cache.keep(at, bytes);
                    if let Some(bytes) = state.cache.extent(offset) {
                        return Ok(bytes);
                    }
                }
                let length = state.cache.next(offset, wanted, state.pin.0.size);
                (length, self.ask(&state.pin, offset, length))
            }
        };
        let next = offset.saturating_add(length);
        // Not before the first answer, which may bring what holds the others.
        let more = state.cache.is_streaming() && state.pin.0.e_tag.is_some() && next < state.pin.0.size;
        if more && state.cache.extent(next).is_none() {
            let length = to_u64(self.plan.most).min(state.pin.0.size.saturating_sub(next));
            state.coming = Some((next, length, self.ask(&state.pin, next, length)));
        }
        let bytes = self.take(state, answer)?;
        state.cache.keep(offset, bytes.clone());
        Ok(bytes)
    }
}

impl ReadAt for Object {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let left = to_usize(state.pin.0.size.saturating_sub(offset));
        let length = buf.len().min(left);
        let Some(buf) = buf.get_mut(..length).filter(|buf| !buf.is_empty()) else { return Ok(0) };
        if let Some(failed) = &state.failed {
            return Err(io::Error::other(failed.clone()));
        }
        if let Some(read) = state.cache.read(offset, buf) {
            return Ok(read);
        }
        let bytes = self.fill(&mut state, offset, buf.len())?;
        let length = bytes.len().min(buf.len());
        match (buf.get_mut(..length), bytes.get(..length)) {
            (Some(to), Some(from)) => to.copy_from_slice(from),
            _ => return Ok(0),
        }
        Ok(length)
    }

    fn window(&self) -> usize {
        self.plan.window
    }

    fn is_far(&self) -> bool {
        self.plan.is_far
    }
}
