//! Temporary files: for what is unpacked, and too much for memory.

use std::fmt::Debug;
use std::fs::File;
use std::io::{self, Write as _};
use std::sync::Arc;

use crate::input::{ReadAt, to_u64};

/// Who makes temporary files and counts their bytes, for threads that must not
/// make any, and share a disk with others.
pub(crate) trait Room: Debug + Send + Sync {
    /// A file without a name.
    fn file(&self) -> io::Result<File>;

    /// Counts bytes that are about to be written.
    fn take(&self, bytes: u64) -> io::Result<()>;

    /// Counts them out, when their file is gone.
    fn give_back(&self, bytes: u64);
}

/// A temporary file, and what it takes of the room.
pub(super) struct Spill {
    file: File,
    room: Option<Arc<dyn Room>>,
    taken: u64,
}

impl Spill {
    /// A file with `bytes` in it: of `room`, else one of the system's.
    pub(super) fn with(bytes: &[u8], room: Option<&Arc<dyn Room>>) -> io::Result<Self> {
        let file = room.map_or_else(tempfile::tempfile, |room| room.file())?;
        let mut spill = Self { file, room: room.cloned(), taken: 0 };
        spill.write(bytes)?;
        Ok(spill)
    }

    /// Writes behind what is there.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let more = to_u64(bytes.len());
        if let Some(room) = &self.room {
            room.take(more)?;
        }
        self.taken = self.taken.saturating_add(more);
        self.file.write_all(bytes)
    }

    /// How much is in it.
    pub(super) fn len(&self) -> u64 {
        self.file.metadata().map_or(0, |meta| meta.len())
    }
}

impl Drop for Spill {
    fn drop(&mut self) {
        if let Some(room) = &self.room {
            room.give_back(self.taken);
        }
    }
}

impl ReadAt for Spill {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(offset, buf)
    }
}
