//! Signature search: executables where none belong, by multi-pattern search
//! and then by structure, so that random weights raise no alarm.

use crate::evidence::{Evidence, Kind, Span};
use crate::input::Input;

/// Something found at an offset of the swept artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SignatureHit {
    /// What kind of evidence it is.
    pub kind: Kind,
    /// What it is, in the words of that kind.
    pub value: &'static str,
    /// For which machine, when it is an executable.
    pub machine: String,
    /// Where it begins.
    pub offset: u64,
}

impl SignatureHit {
    pub(super) fn evidence(self) -> Evidence {
        let evidence = Evidence::new(self.kind, self.value, Span::at(self.offset));
        if self.machine.is_empty() { evidence } else { evidence.with("machine", self.machine) }
    }
}

/// The search over one artifact, block by block.
pub(crate) struct Signatures {
    hits: Vec<SignatureHit>,
}

impl Signatures {
    pub(crate) fn new(_len: u64) -> Self {
        Self { hits: Vec::new() }
    }

    pub(crate) fn search(&mut self, _offset: u64, _block: &[u8], _input: &Input) {}

    pub(crate) fn finish(self) -> Vec<SignatureHit> {
        self.hits
    }
}
