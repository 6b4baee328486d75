//! Sparse members: the content that an unpacker would write, holes included.

use std::io::{self, Read};

use crate::input::{Input, to_u64, to_usize};

/// Reads a member's content through its map.
pub(super) struct Sparse {
    stored: Input,
    /// Stretches of data: where each begins in the content, and its length.
    map: Vec<(u64, u64)>,
    next: usize,
    /// Position in the content, and in what is stored.
    at: u64,
    taken: u64,
    size: u64,
}

impl Sparse {
    /// The content of `size` bytes, of which the stretches in `map` are stored.
    pub(super) fn new(stored: Input, map: Vec<(u64, u64)>, size: u64) -> Self {
        Self { stored, map, next: 0, at: 0, taken: 0, size }
    }
}

impl Read for Sparse {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            let left = self.size.saturating_sub(self.at);
            let stretch = self.map.get(self.next).copied();
            let (start, end) = match stretch {
                Some((start, length)) => (start.max(self.at), start.saturating_add(length)),
                None => (self.size, self.size),
            };
            if left == 0 || buf.is_empty() {
                return Ok(0);
            }
            if self.at >= end && stretch.is_some() {
                self.next = self.next.saturating_add(1);
                continue;
            }
            let hole = start.saturating_sub(self.at);
            let room = left.min(to_u64(buf.len()));
            if hole > 0 {
                let n = to_usize(hole.min(room));
                buf.get_mut(..n).unwrap_or_default().fill(0);
                self.at = self.at.saturating_add(to_u64(n));
                return Ok(n);
            }
            let want = to_usize(end.saturating_sub(self.at).min(room));
            let into = buf.get_mut(..want).unwrap_or_default();
            let n = self.stored.read_at(self.taken, into).map_err(io::Error::other)?;
            if n == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.at = self.at.saturating_add(to_u64(n));
            self.taken = self.taken.saturating_add(to_u64(n));
            return Ok(n);
        }
    }
}
