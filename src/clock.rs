//! [`Clock`]: when the examination of a file has to end.
//!
//! Every positioned read asks it, and so does every parser that pays for its
//! work, so that no single operation goes on for long without being asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::stop::Stop;

/// The time that one file may take, and the word to stop the whole scan.
#[derive(Debug)]
pub(crate) struct Clock {
    /// Absent when it lies beyond what a clock can tell.
    deadline: Option<Instant>,
    stop: Arc<AtomicBool>,
}

impl Clock {
    /// A clock that runs out after `seconds`, or once `stop` is set.
    pub(crate) fn new(seconds: u64, stop: &Arc<AtomicBool>) -> Self {
        Self { deadline: Instant::now().checked_add(Duration::from_secs(seconds)), stop: Arc::clone(stop) }
    }

    /// Whether there is time left.
    ///
    /// # Errors
    /// Why there is not, at `offset`.
    pub(crate) fn check(&self, offset: u64) -> Result<(), Stop> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(Stop::Interrupted { offset });
        }
        if self.deadline.is_some_and(|deadline| Instant::now() > deadline) {
            return Err(Stop::Limit { offset, limit: "seconds" });
        }
        Ok(())
    }

    /// How much time is left.
    pub(crate) fn left(&self) -> Duration {
        self.deadline.map_or(Duration::MAX, |deadline| deadline.saturating_duration_since(Instant::now()))
    }
}
