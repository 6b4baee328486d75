//! Checksums of large members that are stored as they are: computed while the
//! sweep passes over them, since reading them a second time would cost as much
//! as the sweep.

use crate::artifact::Checksum;
use crate::evidence::{Evidence, Kind, Span};
use crate::input::{to_u64, to_usize};

/// Checksums that are being computed, in the order of their bytes.
pub(super) struct Checksums {
    waiting: Vec<(Checksum, crc32fast::Hasher)>,
    /// Those before this are done.
    next: usize,
}

impl Checksums {
    /// Computes `announced`, but for what overlaps: each byte counts once.
    pub(super) fn new(mut announced: Vec<Checksum>) -> Self {
        announced.sort_by_key(|sum| (sum.offset, sum.length));
        let mut reached = 0;
        announced.retain(|sum| {
            let apart = sum.offset >= reached;
            if apart {
                reached = sum.offset.saturating_add(sum.length);
            }
            apart
        });
        let waiting = announced.into_iter().map(|sum| (sum, crc32fast::Hasher::new())).collect();
        Self { waiting, next: 0 }
    }

    /// Takes in the bytes that stand at `offset`; they follow those before.
    pub(super) fn update(&mut self, offset: u64, bytes: &[u8]) {
        let end = offset.saturating_add(to_u64(bytes.len()));
        while let Some((sum, hasher)) = self.waiting.get_mut(self.next) {
            let last = sum.offset.saturating_add(sum.length);
            let from = to_usize(sum.offset.saturating_sub(offset));
            let until = to_usize(last.saturating_sub(offset)).min(bytes.len());
            if let Some(part) = bytes.get(from..until) {
                hasher.update(part);
            }
            if last > end {
                return;
            }
            self.next += 1;
        }
    }

    /// What differs from what was announced, of all that were read whole.
    pub(super) fn finish(self) -> Vec<Evidence> {
        let read = self.waiting.into_iter().take(self.next);
        let different = read.filter_map(|(sum, hasher)| {
            let found = hasher.finalize();
            // PyTorch leaves the field empty when told to save time.
            let what = if sum.crc32 == 0 { "checksum-absent" } else { "checksum" };
            (found != sum.crc32).then(|| {
                Evidence::new(Kind::ContainerMismatch, what, Span::new(sum.offset, sum.length))
                    .with("name", sum.name)
                    .with("central", format!("{:08x}", sum.crc32))
                    .with("local", format!("{found:08x}"))
            })
        });
        different.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announced(offset: u64, bytes: &[u8], crc32: u32) -> Checksum {
        Checksum { offset, length: to_u64(bytes.len()), crc32, name: format!("@ {offset}") }
    }

    /// Sums over blocks of every size are those over the whole.
    #[test]
    fn sums_do_not_depend_on_blocks() {
        let bytes: Vec<u8> = (0..100_u8).collect();
        for block in 1..101 {
            let mut sums = Checksums::new(vec![
                announced(60, &bytes[60..100], 7),
                announced(10, &bytes[10..50], crc32fast::hash(&bytes[10..50])),
                announced(20, &bytes[20..30], 1),
                announced(50, &bytes[50..60], 0),
            ]);
            for (at, part) in bytes.chunks(block).enumerate() {
                sums.update(to_u64(at * block), part);
            }
            let found: Vec<(String, u64)> =
                sums.finish().into_iter().map(|fact| (fact.value, fact.span.offset)).collect();
            // What begins at 20 overlaps what begins at 10, and is left out.
            assert_eq!(found, [("checksum-absent".to_owned(), 50), ("checksum".to_owned(), 60)]);
        }
    }

    #[test]
    fn what_was_not_read_whole_is_not_judged() {
        let mut sums = Checksums::new(vec![announced(2, &[0; 8], 1)]);
        sums.update(0, &[0; 9]);
        assert!(sums.finish().is_empty());
    }
}
