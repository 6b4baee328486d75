//! Where bodies are held while they are examined: files without a name, so that
//! nothing is left when the process is killed, and with one budget for all.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::AsyncWriteExt as _;

use crate::engine::Room;
use crate::gate::answer::Refusal;
use crate::gate::reason::Reason;
use crate::input::Input;
use crate::shelter::Files;

/// The directory and its budget.
#[derive(Debug)]
pub(super) struct Spool {
    place: PathBuf,
    limit: u64,
    largest: u64,
    used: Arc<AtomicU64>,
}

/// The same, for what scans unpack.
#[derive(Debug)]
struct Unpacked {
    files: Files,
    limit: u64,
    used: Arc<AtomicU64>,
}

impl Room for Unpacked {
    fn file(&self) -> io::Result<File> {
        self.files.file()
    }

    fn take(&self, bytes: u64) -> io::Result<()> {
        let before = self.used.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > self.limit {
            self.give_back(bytes);
            return Err(io::Error::new(io::ErrorKind::StorageFull, "the spool is full"));
        }
        Ok(())
    }

    fn give_back(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Spool {
    /// A spool in `given`, else where the system has temporary files, which
    /// holds at most `limit` bytes in all and `largest` in one body.
    ///
    /// # Errors
    /// When files can't be made there.
    pub(super) fn new(given: Option<&Path>, limit: u64, largest: u64) -> io::Result<Self> {
        let place = given.map_or_else(tempfile::env::temp_dir, Path::to_owned);
        let spool = Self { place, limit, largest, used: Arc::default() };
        tempfile::tempfile_in(&spool.place)?;
        Ok(spool)
    }

    /// Where scans put what they unpack: here, under the same limit.
    pub(super) fn room(&self) -> io::Result<Arc<dyn Room>> {
        let files = Files::start(self.place.clone())?;
        Ok(Arc::new(Unpacked { files, limit: self.limit, used: Arc::clone(&self.used) }))
    }

    /// Bytes that are held now.
    pub(super) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Bytes that may be held.
    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    /// Whether a body that says it has `length` bytes is worth to begin with.
    pub(super) fn would_take(&self, length: u64) -> Result<(), Refusal> {
        if length > self.largest {
            return Err(self.too_large());
        }
        if length > self.limit.saturating_sub(self.used()) {
            return Err(Reason::SpoolFull.into());
        }
        Ok(())
    }

    /// Begins to hold a body.
    pub(super) fn begin(&self) -> Result<Writer<'_>, Refusal> {
        let file = tempfile::tempfile_in(&self.place).map_err(|error| full(&error))?;
        let held = Held { used: Arc::clone(&self.used), bytes: 0 };
        Ok(Writer { spool: self, file: tokio::fs::File::from_std(file), held })
    }

    fn too_large(&self) -> Refusal {
        Refusal::new(Reason::TooLarge, format!("{} It may have {} bytes.", Reason::TooLarge.meaning(), self.largest))
    }
}

/// What a file takes of the budget, until it is dropped.
#[derive(Debug)]
struct Held {
    used: Arc<AtomicU64>,
    bytes: u64,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A body as it comes.
#[derive(Debug)]
pub(super) struct Writer<'s> {
    spool: &'s Spool,
    file: tokio::fs::File,
    held: Held,
}

impl Writer<'_> {
    /// Takes one piece.
    pub(super) async fn write(&mut self, piece: &[u8]) -> Result<(), Refusal> {
        let more = crate::input::to_u64(piece.len());
        if self.held.bytes.saturating_add(more) > self.spool.largest {
            return Err(self.spool.too_large());
        }
        let before = self.spool.used.fetch_add(more, Ordering::Relaxed);
        self.held.bytes = self.held.bytes.saturating_add(more);
        if before.saturating_add(more) > self.spool.limit {
            return Err(Reason::SpoolFull.into());
        }
        self.file.write_all(piece).await.map_err(|error| full(&error))
    }

    /// The whole of it.
    pub(super) async fn finish(mut self) -> Result<Spooled, Refusal> {
        self.file.flush().await.map_err(|error| full(&error))?;
        Ok(Spooled { file: self.file.into_std().await, held: self.held })
    }
}

/// A body that has come, and its part of the budget.
#[derive(Debug)]
pub(super) struct Spooled {
    file: File,
    held: Held,
}

impl Spooled {
    /// Its length.
    pub(super) fn len(&self) -> u64 {
        self.held.bytes
    }

    /// Lends it as an input; when `read` is done, it is gone.
    pub(super) fn read<T>(self, read: impl FnOnce(Input) -> T) -> T {
        let Self { file, held } = self;
        let done = read(Input::positioned(Arc::new(file), held.bytes));
        drop(held);
        done
    }
}

/// The disk is full, or failing: there is no room either way.
fn full(error: &io::Error) -> Refusal {
    Refusal::new(Reason::SpoolFull, format!("{} {error}", Reason::SpoolFull.meaning()))
}
