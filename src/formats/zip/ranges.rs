//! A set of byte ranges, for what of a file has been accounted for.

use std::collections::BTreeMap;

/// Disjoint ranges, each by its start and end.
#[derive(Debug, Default)]
pub(super) struct Ranges {
    ends: BTreeMap<u64, u64>,
}

impl Ranges {
    /// Adds the bytes from `start` to `end`.
    pub(super) fn add(&mut self, mut start: u64, mut end: u64) {
        if start >= end {
            return;
        }
        // Ranges are merged as they touch, so each is taken out at most once.
        while let Some((other_start, other_end)) = self.touching(start, end) {
            self.ends.remove(&other_start);
            start = start.min(other_start);
            end = end.max(other_end);
        }
        self.ends.insert(start, end);
    }

    fn touching(&self, start: u64, end: u64) -> Option<(u64, u64)> {
        let (other_start, other_end) = self.ends.range(..=end).next_back()?;
        (*other_end >= start).then_some((*other_start, *other_end))
    }

    /// The end of the range that holds `offset`.
    pub(super) fn end_around(&self, offset: u64) -> Option<u64> {
        let (_, end) = self.ends.range(..=offset).next_back()?;
        (*end > offset).then_some(*end)
    }

    /// Where the first range begins.
    pub(super) fn first(&self) -> Option<u64> {
        self.ends.first_key_value().map(|(start, _)| *start)
    }

    /// The ranges below `len` that are not in the set, as start and end.
    pub(super) fn gaps(&self, len: u64) -> Vec<(u64, u64)> {
        let mut gaps = Vec::new();
        let mut at = 0;
        for (start, end) in &self.ends {
            if *start > at {
                gaps.push((at, (*start).min(len)));
            }
            at = at.max(*end);
        }
        if at < len {
            gaps.push((at, len));
        }
        gaps
    }
}
