//! Content-addressed storage: what a place says of the content that is kept
//! there, compared with the content.

use sha1::{Digest as _, Sha1};

use crate::artifact::Artifact;
use crate::engine::sweep;
use crate::evidence::{Evidence, Kind, Span};
use crate::input::Input;
use crate::rules::hex;

/// The digest that content must have, because of where it is stored.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct StoredDigest {
    /// The digest.
    pub value: DigestValue,
    /// What says so: `blob-name` or `file-list`.
    pub by: &'static str,
}

/// A digest of content.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum DigestValue {
    /// SHA-256 of the bytes, in hex: what Git LFS names content by.
    Sha256(String),
    /// The id that Git gives a file: SHA-1 of `blob`, its length, and the
    /// bytes, in hex (`gitformat-pack(5)`).
    GitBlob(String),
}

impl StoredDigest {
    /// The digest that 40 or 64 lower-case hexadecimal digits stand for.
    pub fn from_hex(text: &str, by: &'static str) -> Option<Self> {
        if !text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)) {
            return None;
        }
        let value = match text.len() {
            64 => DigestValue::Sha256(text.to_owned()),
            40 => DigestValue::GitBlob(text.to_owned()),
            _ => return None,
        };
        Some(Self { value, by })
    }

    /// Adds to `artifact` that its content is other than it should be. Content
    /// that could not be read whole has a gap that says so already.
    pub(super) fn compare(&self, input: &Input, artifact: &mut Artifact) {
        let (which, expected, found) = match &self.value {
            DigestValue::Sha256(expected) => ("sha256", expected, artifact.sha256.map(|digest| hex(&digest))),
            DigestValue::GitBlob(expected) => {
                let mut hasher = Sha1::new_with_prefix(format!("blob {}\0", input.len()));
                match sweep::feed(input, |bytes| hasher.update(bytes)) {
                    Ok(()) => ("git-sha1", expected, Some(hex(&hasher.finalize()))),
                    Err(stop) => {
                        artifact.gaps.push((&stop).into());
                        return;
                    }
                }
            }
        };
        if let Some(found) = found.filter(|found| found != expected) {
            let evidence = Evidence::new(Kind::DigestMismatch, which, Span::default());
            artifact.evidence.push(evidence.with("expected", expected).with("found", found).with("by", self.by));
        }
    }
}
