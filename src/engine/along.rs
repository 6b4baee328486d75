//! What is far away is fetched once: the sweep goes along with the formats, and
//! is fed with the bytes that they are about to read, while these are at hand.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use crate::engine::sweep::{Block, Blocks};
use crate::input::{Input, ReadAt, to_u64};
use crate::stop::Stop;

/// Blocks that wait for the sweep.
const QUEUE: usize = 1;

/// How much a format reads in a row before the sweep goes along with it. Less is
/// a look at a header, of which an archive has one for each member: the formats
/// come back there later, and would find it gone.
const ROW: u64 = 128 << 10;

/// What may be left out in a row: a header, and padding.
const SKIPPED: u64 = 4 << 10;

/// How far ahead of the sweep something is that stands by itself.
const AHEAD: u64 = 16 << 20;

/// The part of an input, at its end, that a directory may take. Reading it there
/// does not mean that what comes before has been read.
const DIRECTORY: u64 = 16;

type Fresh = Result<Arc<Block>, Stop>;

/// A way to read that feeds the sweep.
pub(super) struct Along {
    source: Arc<dyn ReadAt>,
    /// The same, as the sweep would read it.
    input: Input,
    state: Mutex<State>,
}

struct State {
    blocks: Blocks,
    /// Gone when the sweep has all, or takes no more.
    to: Option<SyncSender<Fresh>>,
    /// What a format has read in a row.
    row: (u64, u64),
}

/// What the sweep is fed with.
pub(super) struct Fed(Receiver<Fresh>);

impl Fed {
    /// The blocks, each as it comes.
    pub(super) fn blocks(&self) -> impl Iterator<Item = Fresh> {
        self.0.iter()
    }
}

impl Along {
    /// For an input that is far away.
    pub(super) fn with(input: &Input) -> Option<(Self, Fed)> {
        let source = input.far()?;
        let (to, fed) = mpsc::sync_channel(QUEUE);
        let state = State { blocks: Blocks::default(), to: Some(to), row: (0, 0) };
        Some((Self { source, input: input.clone(), state: Mutex::new(state) }, Fed(fed)))
    }

    /// Feeds the sweep with what is left.
    pub(super) fn finish(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.feed(&self.input, self.input.len());
        state.to = None;
    }
}

impl State {
    /// Takes down that a format reads what is between; whether the sweep goes
    /// along.
    fn goes_along(&mut self, from: u64, to: u64, size: u64) -> bool {
        let (start, end) = self.row;
        self.row =
            if (start..=end.saturating_add(SKIPPED)).contains(&from) { (start, end.max(to)) } else { (from, to) };
        let fed = self.blocks.position();
        let by_itself = from > fed.saturating_add(AHEAD) && size.saturating_sub(from) <= size / DIRECTORY;
        to > fed && !by_itself && self.row.1.saturating_sub(self.row.0) >= ROW
    }

    /// Feeds the sweep up to `to`, at least.
    fn feed(&mut self, input: &Input, to: u64) {
        while self.blocks.position() < to
            && let Some(sweep) = &self.to
            && let Some(block) = self.blocks.next_of(input)
        {
            let is_end = block.is_err();
            // Nobody takes it after a panic there, which is told by others.
            if sweep.send(block).is_err() || is_end {
                self.to = None;
            }
        }
    }
}

impl ReadAt for Along {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let to = offset.saturating_add(to_u64(buf.len()));
        if state.goes_along(offset, to, self.input.len()) {
            state.feed(&self.input, to);
        }
        drop(state);
        self.source.read_at(offset, buf)
    }

    fn window(&self) -> usize {
        self.source.window()
    }
}
