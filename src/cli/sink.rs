//! A file that a report goes to: opened before the sandbox closes, written when
//! there is something to write. Until then, what was in it stays.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

#[derive(Debug)]
pub(super) struct Sink {
    path: PathBuf,
    file: File,
}

impl Sink {
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let file = File::options().write(true).create(true).truncate(false).open(path);
        let file = file.with_context(|| format!("writing {}", path.display()))?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes `text` in place of what was there.
    pub(super) fn write(&self, text: &str) -> anyhow::Result<()> {
        let write = || {
            // A pipe or a terminal has no length.
            if self.file.metadata()?.is_file() {
                self.file.set_len(0)?;
            }
            (&self.file).write_all(text.as_bytes())
        };
        write().with_context(|| format!("writing {}", self.path.display()))
    }

    /// The file itself, emptied, for writing bit by bit.
    pub(super) fn emptied(self) -> anyhow::Result<File> {
        self.write("")?;
        Ok(self.file)
    }
}
