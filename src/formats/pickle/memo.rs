//! The memo: dense as real picklers write it, sparse when a stream is not
//! written by one.

use std::collections::HashMap;

use super::value::Value;

/// Slots by index. `MEMOIZE` writes to the number of occupied slots, which is
/// not the highest index plus one (`_pickle.c`, `load_memoize`).
#[derive(Debug, Default)]
pub(super) struct Memo {
    dense: Vec<Value>,
    sparse: HashMap<u64, Value>,
    occupied: u64,
}

/// How far beyond the dense part an index may be to extend it.
const GROWTH: usize = 4096;

impl Memo {
    /// Number of occupied slots.
    pub(super) fn len(&self) -> u64 {
        self.occupied
    }

    #[inline]
    pub(super) fn get(&self, index: u64) -> Option<Value> {
        let dense = usize::try_from(index).ok().and_then(|index| self.dense.get(index)).copied();
        match dense {
            Some(Value::ABSENT) => None,
            Some(value) => Some(value),
            None => self.sparse.get(&index).copied(),
        }
    }

    /// Writes a slot; false when there is no room for more.
    #[inline]
    pub(super) fn put(&mut self, index: u64, value: Value, most: u64) -> bool {
        let at = usize::try_from(index).unwrap_or(usize::MAX);
        if let Some(slot) = self.dense.get_mut(at) {
            if *slot == Value::ABSENT {
                self.occupied = self.occupied.saturating_add(1);
            }
            *slot = value;
            return true;
        }
        if self.occupied >= most {
            return false;
        }
        if at == self.dense.len() && self.sparse.is_empty() {
            self.dense.push(value);
            self.occupied = self.occupied.saturating_add(1);
        } else if at < self.dense.len().saturating_add(GROWTH) && self.sparse.is_empty() {
            self.dense.resize(at, Value::ABSENT);
            self.dense.push(value);
            self.occupied = self.occupied.saturating_add(1);
        } else if self.sparse.insert(index, value).is_none() {
            self.occupied = self.occupied.saturating_add(1);
        }
        true
    }

    /// What `MEMOIZE` does.
    #[inline]
    pub(super) fn memoize(&mut self, value: Value, most: u64) -> bool {
        self.put(self.occupied, value, most)
    }
}
