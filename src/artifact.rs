//! [`Artifact`]: a file, a member of one or a payload found in one, with what
//! was learned of it and what could not be examined.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::evidence::Evidence;
use crate::inspect::Contents;
use crate::report::Finding;
use crate::stop::Stop;

/// Why something was not fully examined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum GapReason {
    /// No format recognises the content.
    Unrecognised,
    /// The content ends before the structure does.
    Truncated,
    /// The structure contradicts its specification.
    Malformed,
    /// The content is encrypted.
    Encrypted,
    /// One of the limits was reached.
    Limit,
    /// A valid construct that this version does not read.
    Unsupported,
    /// A parser failed inside; a defect of weighin.
    Panic,
    /// The operating system refused to deliver the content.
    Unreadable,
    /// There is no content where content was promised.
    Empty,
    /// A Git LFS pointer or the like stands in for the content.
    NotFetched,
    /// A download that has not finished.
    PartialDownload,
    /// A device, FIFO or socket, which is never opened.
    SpecialFile,
    /// A link that leads out of what was to be scanned, or nowhere.
    Link,
    /// The file changed while it was being read.
    Changed,
    /// The scan was stopped before its end.
    Interrupted,
    /// A rule could not be evaluated on this content.
    NotEvaluated,
}

impl GapReason {
    /// The reason as the report spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unrecognised => "unrecognised",
            Self::Truncated => "truncated",
            Self::Malformed => "malformed",
            Self::Encrypted => "encrypted",
            Self::Limit => "limit",
            Self::Unsupported => "unsupported",
            Self::Panic => "panic",
            Self::Unreadable => "unreadable",
            Self::Empty => "empty",
            Self::NotFetched => "not-fetched",
            Self::PartialDownload => "partial-download",
            Self::SpecialFile => "special-file",
            Self::Link => "link",
            Self::Changed => "changed",
            Self::Interrupted => "interrupted",
            Self::NotEvaluated => "not-evaluated",
        }
    }
}

impl GapReason {
    /// What to do about it.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Unrecognised => "weighin does not know the format: trust it as far as you trust its publisher",
            Self::Truncated => "the end is missing: fetch the file again",
            Self::Malformed => "broken, or made to look so: fetch the file again, or ask its publisher",
            Self::Encrypted => "decrypt it and scan what comes out",
            Self::Limit => "--limit NAME=VALUE raises a limit; `weighin scan --limit help` lists them",
            Self::Unsupported => "scan it in another format, or ask its publisher for one",
            Self::Panic => "a defect of weighin: please report it",
            Self::Unreadable => "check the path, and who may read it",
            Self::Empty => "there is nothing in it: fetch the file again",
            Self::NotFetched => "fetch the content (git lfs pull, dvc pull, hf download) and scan again",
            Self::PartialDownload => "let the download finish, or delete it",
            Self::SpecialFile => "never opened: copy the content to a file, or pipe it to `weighin scan -`",
            Self::Link => "--follow scans what it leads to",
            Self::Changed => "scan again when nobody writes to it",
            Self::Interrupted => "scan again, and let it finish",
            Self::NotEvaluated => "--limit NAME=VALUE may give the rules more room",
        }
    }
}

/// One thing that was not examined. A file with a gap is never clean.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Gap {
    /// Why.
    pub reason: GapReason,
    /// The same in words, with the numbers.
    pub detail: String,
    /// The chain of members from the file to where the gap is; empty for the
    /// file itself. What a DVC file stands for is a member of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<String>,
    /// Where in that artifact reading ended, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
}

impl Gap {
    /// A gap in the artifact itself, at no particular place.
    pub fn new(reason: GapReason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into(), members: Vec::new(), offset: None }
    }
}

impl From<&Stop> for Gap {
    fn from(stop: &Stop) -> Self {
        let reason = match stop {
            Stop::Truncated { .. } => GapReason::Truncated,
            Stop::Malformed { .. } => GapReason::Malformed,
            Stop::Limit { .. } => GapReason::Limit,
            Stop::Unsupported { .. } => GapReason::Unsupported,
            Stop::Encrypted { .. } => GapReason::Encrypted,
            Stop::Interrupted { .. } => GapReason::Interrupted,
            Stop::Unreadable { .. } => GapReason::Unreadable,
        };
        Self { reason, detail: stop.to_string(), members: Vec::new(), offset: Some(stop.offset()) }
    }
}

/// Raw numbers of a model in files beside it, as the model describes them. Paths
/// are seen from its folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Companion {
    /// Bytes of one file.
    Part { path: String, offset: u64, length: u64 },
    /// Files that are called by their place in a grid, each of so many bytes
    /// once it is unpacked.
    Chunks { prefix: String, separator: char, grid: Vec<u64>, bytes: u64 },
    /// Files that hold so many bytes together, cut anywhere.
    Split { paths: Vec<String>, bytes: u64 },
    /// One file, read from its beginning to its end.
    Loads { path: String, loads: Vec<Load> },
}

/// Numbers that an ncnn layer reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Load {
    pub elements: u64,
    /// Whether a word before them says how they are stored; else they are
    /// 32-bit floats.
    pub tagged: bool,
}

/// The CRC-32 that some bytes of an artifact are announced to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Checksum {
    pub offset: u64,
    pub length: u64,
    pub crc32: u32,
    /// The member that the bytes are. Hostile.
    pub name: String,
}

/// A file, a member of an archive, or a payload found inside another artifact.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Artifact {
    /// File path, member name, or what the payload was found as. Hostile.
    pub name: String,
    /// Length in bytes.
    pub size: u64,
    /// Names of the formats that read it, most certain first.
    pub formats: Vec<&'static str>,
    /// SHA-256 of the content, when every byte was read.
    pub sha256: Option<[u8; 32]>,
    /// Facts found in it, in order of discovery. Emptied after judging unless
    /// the scanner was told to keep them.
    pub evidence: Vec<Evidence>,
    /// What it contains, when the scanner was told to say; see
    /// [`Scanner::describing`](crate::Scanner::describing).
    pub contents: Option<Box<Contents>>,
    /// Lengths in bytes of the tensor storages that it expects elsewhere, by
    /// key: what a PyTorch pickle asks of the archive around it.
    pub storages: BTreeMap<String, u64>,
    /// What could not be examined of it, members aside.
    pub gaps: Vec<Gap>,
    /// What the rules made of the evidence, members aside.
    pub findings: Vec<Finding>,
    /// Artifacts found inside it.
    pub members: Vec<Artifact>,
    /// Files beside it that hold numbers of it.
    pub(crate) companions: Vec<Companion>,
    /// Checksums that parts of it must have, which the sweep computes.
    pub(crate) checksums: Vec<Checksum>,
    /// Where its bytes begin in those of the artifact around it, when they
    /// are part of them.
    pub(crate) within: Option<u64>,
    /// Something around it holds it as data: loading the file loads none of it.
    pub(crate) carried: bool,
    /// Evidence has come to it or its members since it was judged.
    pub(crate) late: bool,
}

impl Artifact {
    /// An artifact of which nothing is known yet.
    pub fn new(name: impl Into<String>, size: u64) -> Self {
        Self {
            name: name.into(),
            size,
            formats: Vec::new(),
            sha256: None,
            evidence: Vec::new(),
            contents: None,
            storages: BTreeMap::new(),
            gaps: Vec::new(),
            findings: Vec::new(),
            members: Vec::new(),
            companions: Vec::new(),
            checksums: Vec::new(),
            within: None,
            carried: false,
            late: false,
        }
    }

    /// Name of the format that read it with most certainty.
    pub fn format(&self) -> Option<&'static str> {
        self.formats.first().copied()
    }
}
