//! Answers that can be asked for again: as many as fit, the least recently used
//! go first.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

/// Kept answers by key.
#[derive(Debug)]
pub(super) struct Store {
    limit: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    answers: HashMap<String, (Bytes, u64)>,
    /// Keys by when they were last used.
    order: BTreeMap<u64, String>,
    clock: u64,
    bytes: usize,
}

impl Store {
    /// A store of at most `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, kept: Mutex::default() }
    }

    /// Keeps an answer, unless it alone is too large.
    pub(super) fn put(&self, key: &str, answer: Bytes) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.remove(key);
        if cost(key, &answer) > self.limit {
            return;
        }
        kept.bytes = kept.bytes.saturating_add(cost(key, &answer));
        kept.clock = kept.clock.saturating_add(1);
        let clock = kept.clock;
        kept.order.insert(clock, key.to_owned());
        kept.answers.insert(key.to_owned(), (answer, clock));
        while kept.bytes > self.limit
            && let Some((_, oldest)) = kept.order.first_key_value().map(|(at, key)| (*at, key.clone()))
        {
            kept.remove(&oldest);
        }
    }

    /// A kept answer.
    pub(super) fn get(&self, key: &str) -> Option<Bytes> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.clock = kept.clock.saturating_add(1);
        let clock = kept.clock;
        let (answer, used) = kept.answers.get_mut(key)?;
        let (answer, before) = (answer.clone(), std::mem::replace(used, clock));
        kept.order.remove(&before);
        kept.order.insert(clock, key.to_owned());
        Some(answer)
    }
}

impl Kept {
    fn remove(&mut self, key: &str) {
        if let Some((answer, used)) = self.answers.remove(key) {
            self.order.remove(&used);
            self.bytes = self.bytes.saturating_sub(cost(key, &answer));
        }
    }
}

/// What an answer takes, with its key in both tables.
fn cost(key: &str, answer: &Bytes) -> usize {
    answer.len().saturating_add(key.len().saturating_mul(2)).saturating_add(128)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_goes_first() {
        let store = Store::new(3 * (130 + 10));
        let answer = || Bytes::from_static(b"0123456789");
        for key in ["a", "b", "c"] {
            store.put(key, answer());
        }
        assert!(store.get("a").is_some());
        store.put("d", answer());
        assert!(store.get("b").is_none());
        assert!(["a", "c", "d"].iter().all(|key| store.get(key).is_some()));
        store.put("a", vec![0; 1000].into());
        assert!(store.get("a").is_none(), "an old answer does not outlive a newer one that is too large");
        store.put("c", answer());
        store.put("e", answer());
        assert!(["c", "d", "e"].iter().all(|key| store.get(key).is_some()), "replacing costs nothing");
    }
}
