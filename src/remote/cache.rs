//! What has been fetched of an object: extents of bytes, the oldest of which go
//! when there are too many, and how much to fetch next.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use crate::engine::Depth;
use crate::input::{to_u64, to_usize};

/// Largest object that is kept as a whole while it is read.
const WHOLE: u64 = 64 << 20;

/// Bytes that are kept of larger ones: a member of an archive that is taken into
/// memory is read more than once before, and the sweep is up to a few blocks
/// behind.
const PART: usize = 28 << 20;

/// How many bytes of memory reading an object of `size` takes.
pub(crate) fn weight(depth: Depth, size: u64) -> u64 {
    let plan = Plan::of(depth, size);
    size.min(to_u64(plan.kept.saturating_add(plan.most.saturating_mul(2))))
}

/// How an object is fetched.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    /// Least bytes of a request: what costs no more than fewer would.
    pub least: usize,
    /// Most bytes of a request, reached by doubling while reading goes on where
    /// the last request ended.
    pub most: usize,
    /// Bytes that are kept for reading them again.
    pub kept: usize,
    /// How much a cursor asks for at once.
    pub window: usize,
    /// Not all of it is kept.
    pub is_far: bool,
}

impl Plan {
    pub(super) fn of(depth: Depth, size: u64) -> Self {
        match depth {
            // Hops from header to header: a zip of a gigabyte has some 300
            // members, and should not cost more than 1 MiB.
            Depth::Header => Self { least: 2 << 10, most: 1 << 20, kept: 4 << 20, window: 1 << 10, is_far: true },
            // Every byte will be wanted.
            Depth::Full if size <= WHOLE => {
                Self { least: 64 << 10, most: 4 << 20, kept: to_usize(size), window: 64 << 10, is_far: false }
            }
            // What is looked at before the sweep comes there is fetched again.
            Depth::Full => Self { least: 2 << 10, most: 4 << 20, kept: PART, window: 1 << 10, is_far: true },
        }
    }
}

/// The extents that are held.
#[derive(Debug)]
pub(super) struct Cache {
    plan: Plan,
    extents: BTreeMap<u64, Bytes>,
    /// Where they begin, the oldest first.
    age: VecDeque<u64>,
    held: usize,
    /// Where the last request ended.
    end: u64,
    /// Bytes of the next request, when it goes on there.
    ahead: usize,
}

impl Cache {
    pub(super) fn new(plan: Plan) -> Self {
        Self { plan, extents: BTreeMap::new(), age: VecDeque::new(), held: 0, end: u64::MAX, ahead: plan.least }
    }

    /// What is held from `offset` on.
    pub(super) fn extent(&self, offset: u64) -> Option<Bytes> {
        let (start, bytes) = self.extents.range(..=offset).next_back()?;
        let at = to_usize(offset.saturating_sub(*start));
        (at < bytes.len()).then(|| bytes.slice(at..))
    }

    /// Copies what is held at `offset` to `buf`; how much that is.
    pub(super) fn read(&self, offset: u64, buf: &mut [u8]) -> Option<usize> {
        let held = self.extent(offset)?;
        let length = held.len().min(buf.len());
        buf.get_mut(..length)?.copy_from_slice(held.get(..length)?);
        Some(length)
    }

    /// How many bytes to fetch at `offset`, of which `wanted` are wanted now.
    /// Never beyond `size`, nor what is held already.
    pub(super) fn next(&mut self, offset: u64, wanted: usize, size: u64) -> u64 {
        if offset == self.end {
            self.ahead = self.ahead.saturating_mul(2).min(self.plan.most);
        } else {
            self.ahead = self.plan.least;
        }
        let length = to_u64(wanted.min(self.plan.most).max(self.ahead));
        let held = self.extents.range(offset..).next().map_or(size, |(start, _)| *start);
        length.min(held.min(size).saturating_sub(offset))
    }

    /// Whether reading goes on where it ended, so that what follows will be
    /// wanted too.
    pub(super) fn is_streaming(&self) -> bool {
        self.ahead >= self.plan.most
    }

    /// Takes in what a request brought.
    pub(super) fn keep(&mut self, offset: u64, bytes: Bytes) {
        self.end = offset.saturating_add(to_u64(bytes.len()));
        self.held = self.held.saturating_add(bytes.len());
        self.age.push_back(offset);
        if let Some(replaced) = self.extents.insert(offset, bytes) {
            self.held = self.held.saturating_sub(replaced.len());
        }
        while self.held > self.plan.kept && self.age.len() > 1 {
            let Some(oldest) = self.age.pop_front() else { break };
            if let Some(gone) = self.extents.remove(&oldest) {
                self.held = self.held.saturating_sub(gone.len());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetched(cache: &mut Cache, offset: u64, wanted: usize) -> u64 {
        let length = cache.next(offset, wanted, 1 << 30);
        cache.keep(offset, Bytes::from(vec![7; to_usize(length)]));
        length
    }

    #[test]
    fn requests_grow_while_reading_goes_on() {
        let mut cache = Cache::new(Plan::of(Depth::Header, 1 << 30));
        assert_eq!(fetched(&mut cache, 0, 1), 2 << 10);
        assert_eq!(fetched(&mut cache, 2 << 10, 1), 4 << 10);
        assert_eq!(fetched(&mut cache, 6 << 10, 1), 8 << 10);
        assert_eq!(fetched(&mut cache, 1 << 20, 1), 2 << 10, "a hop begins anew");
        assert_eq!(fetched(&mut cache, (1 << 20) - 10, 100), 10, "nothing is fetched twice");
        assert_eq!(fetched(&mut cache, 1 << 25, 1 << 30), 1 << 20, "requests are bounded");
    }

    #[test]
    fn memory_is_bounded() {
        let plan = Plan { least: 10, most: 10, kept: 35, window: 1, is_far: true };
        let mut cache = Cache::new(plan);
        for offset in 0..100 {
            fetched(&mut cache, offset * 10, 1);
            assert!(cache.held <= plan.kept && cache.extents.len() == cache.age.len());
        }
        let mut buf = [0; 20];
        assert_eq!(cache.read(995, &mut buf), Some(5));
        assert_eq!(cache.read(5, &mut buf), None);
    }
}
