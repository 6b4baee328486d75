//! Temporary files for threads that can open none: a thread outside of the
//! sandbox makes them, and hands them in. They have no name, so that nothing is
//! left of them when the process is killed.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{self, Sender, SyncSender};

use crate::engine::Room;

/// The way to the thread that makes them.
#[derive(Debug, Clone)]
pub(crate) struct Files(Sender<SyncSender<io::Result<File>>>);

impl Files {
    /// Starts the thread, which makes files in `place` until nobody is left to
    /// ask. Not to be called inside the sandbox.
    pub(crate) fn start(place: PathBuf) -> io::Result<Self> {
        let (ask, asked) = mpsc::channel::<SyncSender<io::Result<File>>>();
        let make = move || {
            for answer in asked {
                // Fails when whoever asked is gone.
                let _ = answer.send(tempfile::tempfile_in(&place));
            }
        };
        std::thread::Builder::new().name("files".to_owned()).spawn(make)?;
        Ok(Self(ask))
    }
}

impl Room for Files {
    fn file(&self) -> io::Result<File> {
        let gone = || io::Error::other("nobody makes temporary files any more");
        let (answer, answered) = mpsc::sync_channel(1);
        self.0.send(answer).map_err(|_| gone())?;
        answered.recv().map_err(|_| gone())?
    }

    fn take(&self, _bytes: u64) -> io::Result<()> {
        Ok(())
    }

    fn give_back(&self, _bytes: u64) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_made_without_a_name() {
        let place = tempfile::tempdir().expect("a directory");
        let files = Files::start(place.path().to_owned()).expect("a thread");
        let made = [files.file().expect("a file"), files.clone().file().expect("another")];
        assert_eq!(std::fs::read_dir(place.path()).expect("readable").count(), 0);
        drop(made);
        let nowhere = Files::start(place.path().join("none")).expect("a thread");
        assert!(nowhere.file().is_err());
    }
}
