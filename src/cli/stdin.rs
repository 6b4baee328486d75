//! Standard input, read so that a signal can end the waiting.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

/// Bytes read at a time.
const BLOCK: usize = 256 << 10;

/// Blocks that wait to be taken.
const QUEUE: usize = 4;

/// How soon the word to stop is heard.
const PATIENCE: Duration = Duration::from_millis(50);

/// A reader of standard input that fails once it is told to stop.
pub(super) struct Stdin {
    blocks: Receiver<io::Result<Vec<u8>>>,
    block: io::Cursor<Vec<u8>>,
    stop: Arc<AtomicBool>,
}

impl Stdin {
    /// Begins to read.
    pub(super) fn open(stop: Arc<AtomicBool>) -> io::Result<Self> {
        let (to, blocks) = sync_channel(QUEUE);
        std::thread::Builder::new().spawn(move || read_all(&to))?;
        Ok(Self { blocks, block: io::Cursor::default(), stop })
    }
}

/// Sends what there is until the end, an error, or nobody takes it.
fn read_all(to: &SyncSender<io::Result<Vec<u8>>>) {
    loop {
        let mut block = vec![0; BLOCK];
        let read = match io::stdin().lock().read(&mut block) {
            Ok(0) => return,
            Ok(n) => {
                block.truncate(n);
                Ok(block)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let failed = read.is_err();
        if to.send(read).is_err() || failed {
            return;
        }
    }
}

impl Read for Stdin {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            let n = self.block.read(buf)?;
            if n > 0 || buf.is_empty() {
                return Ok(n);
            }
            if self.stop.load(Ordering::Relaxed) {
                return Err(io::Error::other("the scan was stopped before the end of standard input"));
            }
            match self.blocks.recv_timeout(PATIENCE) {
                Ok(block) => self.block = io::Cursor::new(block?),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(0),
            }
        }
    }
}
