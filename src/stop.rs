//! Why a parser could not go on.

use std::borrow::Cow;

/// The reason that reading ended early, with the offset (in bytes, from the
/// start of the artifact that was read) where it did.
///
/// A `Stop` is a result, not a failure of the program: what was learned before
/// it is kept, and the engine records it as a [`Gap`](crate::artifact::Gap).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Stop {
    /// The content ends before something that it announced.
    #[error("ends at byte {offset}, {needed} bytes too early")]
    Truncated {
        /// Where the missing bytes should have begun.
        offset: u64,
        /// How many bytes are missing.
        needed: u64,
    },
    /// The bytes contradict the format's specification.
    #[error("{what} (byte {offset})")]
    Malformed {
        /// Where the contradiction is.
        offset: u64,
        /// What is wrong, in the specification's words.
        what: Cow<'static, str>,
    },
    /// One of [`Limits`](crate::Limits) was reached.
    #[error("limit `{limit}` reached (byte {offset})")]
    Limit {
        /// How far the reader had come.
        offset: u64,
        /// Name of the limit, as [`Limits::set`](crate::Limits::set) takes it.
        limit: &'static str,
    },
    /// A valid construct that this version can't read.
    #[error("{what} is not supported (byte {offset})")]
    Unsupported {
        /// Where the construct begins.
        offset: u64,
        /// What it is.
        what: Cow<'static, str>,
    },
    /// The content is encrypted.
    #[error("{what} is encrypted (byte {offset})")]
    Encrypted {
        /// Where the encrypted part begins.
        offset: u64,
        /// What is encrypted.
        what: Cow<'static, str>,
    },
    /// The scan was told to stop.
    #[error("the scan was stopped (byte {offset})")]
    Interrupted {
        /// How far the reader had come.
        offset: u64,
    },
    /// The operating system failed to deliver the bytes.
    #[error("read failed at byte {offset}: {error}")]
    Unreadable {
        /// The offset that was asked for.
        offset: u64,
        /// The system's message.
        error: String,
    },
}

impl Stop {
    /// Why decompression stopped at `offset`, from a decoder's error. A
    /// [`Stop`] inside the error is passed on; decoders say `OutOfMemory` of a
    /// window or dictionary above `dictionary-bytes`.
    pub(crate) fn of_decoder(error: &std::io::Error, offset: u64) -> Self {
        if let Some(stop) = error.get_ref().and_then(|inner| inner.downcast_ref::<Self>()) {
            return stop.clone();
        }
        match error.kind() {
            std::io::ErrorKind::UnexpectedEof => Self::Truncated { offset, needed: 1 },
            std::io::ErrorKind::OutOfMemory => Self::Limit { offset, limit: "dictionary-bytes" },
            _ => Self::malformed(offset, format!("decompression failed: {error}")),
        }
    }

    /// The bytes at `offset` contradict the specification.
    pub fn malformed(offset: u64, what: impl Into<Cow<'static, str>>) -> Self {
        Self::Malformed { offset, what: what.into() }
    }

    /// A valid construct at `offset` that can't be read.
    pub fn unsupported(offset: u64, what: impl Into<Cow<'static, str>>) -> Self {
        Self::Unsupported { offset, what: what.into() }
    }

    /// Where reading ended.
    pub fn offset(&self) -> u64 {
        match self {
            Self::Truncated { offset, .. }
            | Self::Malformed { offset, .. }
            | Self::Limit { offset, .. }
            | Self::Unsupported { offset, .. }
            | Self::Encrypted { offset, .. }
            | Self::Interrupted { offset }
            | Self::Unreadable { offset, .. } => *offset,
        }
    }

    /// The same stop seen from a parent in which the input begins at `base`.
    #[must_use]
    pub fn shifted(mut self, base: u64) -> Self {
        match &mut self {
            Self::Truncated { offset, .. }
            | Self::Malformed { offset, .. }
            | Self::Limit { offset, .. }
            | Self::Unsupported { offset, .. }
            | Self::Encrypted { offset, .. }
            | Self::Interrupted { offset }
            | Self::Unreadable { offset, .. } => *offset = offset.saturating_add(base),
        }
        self
    }
}
