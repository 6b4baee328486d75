//! Lists of SHA-256 digests: files that are known to be bad, and files that
//! somebody has approved.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use crate::artifact::Artifact;
use crate::evidence::{Evidence, Kind, Span};
use crate::policy::PolicyError;
use crate::position::Position;

/// The digests of any number of lists, in the format of `sha256sum` or bare,
/// one a line; `#` begins a comment.
#[derive(Debug, Clone, Default)]
pub struct DigestLists {
    /// Each with the list that it is on, sorted.
    digests: Vec<([u8; 32], usize)>,
    /// What lists say of their digests, and their names.
    lists: Vec<(&'static str, String)>,
}

/// Longest line of a list: a digest and a path.
const LINE_BYTES: u64 = 64 << 10;

impl DigestLists {
    /// Reads lists of digests that are known to be bad, and known to be good.
    ///
    /// # Errors
    /// [`PolicyError`] when a list can't be read, or a line has no digest.
    pub fn load<'l>(
        known_bad: impl IntoIterator<Item = &'l Path>,
        known_good: impl IntoIterator<Item = &'l Path>,
    ) -> Result<Self, PolicyError> {
        let mut lists = Self::default();
        for file in known_bad {
            lists.add("known-bad", file)?;
        }
        for file in known_good {
            lists.add("known-good", file)?;
        }
        lists.digests.sort_unstable();
        lists.digests.dedup();
        Ok(lists)
    }

    fn add(&mut self, says: &'static str, file: &Path) -> Result<(), PolicyError> {
        let list = self.lists.len();
        self.lists.push((says, file.file_name().unwrap_or_default().to_string_lossy().into_owned()));
        let mut reader = BufReader::new(File::open(file).map_err(|error| PolicyError::of(file, error))?);
        for line in 1.. {
            let mut bytes = Vec::new();
            let mut bounded = std::io::Read::take(&mut reader, LINE_BYTES);
            let read = bounded.read_until(b'\n', &mut bytes).map_err(|error| PolicyError::of(file, error))?;
            if read == 0 {
                break;
            }
            let text = String::from_utf8_lossy(&bytes);
            let text = text.trim();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let digest = parse(digest_of(text)).ok_or_else(|| PolicyError::Wrong {
                file: file.display().to_string(),
                position: Some(Position { line, column: 1 }),
                message: "wanted a SHA-256 digest of 64 hexadecimal digits, alone or as sha256sum writes it".to_owned(),
            })?;
            self.digests.push((digest, list));
        }
        Ok(())
    }

    /// Whether there is nothing to compare with.
    pub fn is_empty(&self) -> bool {
        self.digests.is_empty()
    }

    /// SHA-256 over all lists, in hex.
    #[cfg(feature = "sweep")]
    pub(crate) fn identity(&self) -> String {
        use sha2::{Digest as _, Sha256};
        let mut hasher = Sha256::new();
        for (digest, list) in &self.digests {
            hasher.update(digest);
            hasher.update(format!("{:?}", self.lists.get(*list)));
        }
        crate::rules::hex(&hasher.finalize())
    }

    /// Adds to `artifact` what the lists say of its digest.
    pub(crate) fn compare(&self, artifact: &mut Artifact) {
        let Some(digest) = artifact.sha256 else { return };
        let from = self.digests.partition_point(|(known, _)| *known < digest);
        for (_, list) in self.digests.iter().skip(from).take_while(|(known, _)| *known == digest) {
            if let Some((says, name)) = self.lists.get(*list) {
                let evidence = Evidence::new(Kind::DigestMatch, *says, Span::default());
                artifact.evidence.push(evidence.with("list", name.clone()));
            }
        }
    }
}

/// The digest of a line of `sha256sum`, which begins with a backslash when the
/// file's name had to be escaped.
fn digest_of(line: &str) -> &str {
    line.strip_prefix('\\').unwrap_or(line).split([' ', '\t']).next().unwrap_or_default()
}

/// A SHA-256 digest from its hexadecimal digits.
pub(super) fn parse(hex: &str) -> Option<[u8; 32]> {
    if hex.len() != 64 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut digest = [0; 32];
    for (byte, at) in digest.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()?;
    }
    Some(digest)
}
