//! Who may ask: bearer tokens (RFC 6750) from a file. Only their digests stay in
//! memory, and all of them are compared in constant time.

use std::path::{Path, PathBuf};

use axum::http::{HeaderMap, header};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

use crate::gate::GateError;

/// Characters that a token must have, so that nobody guesses it.
const SHORTEST: usize = 16;

/// Those who have a token.
#[derive(Debug, Clone, Default)]
pub struct Tokens {
    known: Vec<(String, [u8; 32])>,
    file: PathBuf,
}

impl Tokens {
    /// Reads `NAME TOKEN` lines; `#` begins a comment. The name goes to the log.
    ///
    /// # Errors
    /// When the file can't be read, a line is not of this form, or a token is
    /// short. What the line says is not told: it may be a token.
    pub fn load(file: &Path) -> Result<Self, GateError> {
        let wrong = |why: String| GateError::new(format!("{}: {why}", file.display()));
        let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
        let mut tokens = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let number = number.saturating_add(1);
            let mut words = line.split_whitespace();
            let (Some(name), Some(token), None) = (words.next(), words.next(), words.next()) else {
                return Err(wrong(format!("line {number}: wanted a name and a token, separated by a space")));
            };
            if token.len() < SHORTEST {
                return Err(wrong(format!("line {number}: a token has at least {SHORTEST} characters")));
            }
            tokens.push((name.to_owned(), digest(token)));
        }
        if tokens.is_empty() {
            return Err(wrong("there is no token in it".to_owned()));
        }
        Ok(Self { known: tokens, file: file.to_owned() })
    }

    /// The same file as it is now.
    pub(super) fn again(&self) -> Result<Self, GateError> {
        Self::load(&self.file)
    }

    /// The number of whoever asks with these headers.
    pub(super) fn holder(&self, headers: &HeaderMap) -> Option<usize> {
        let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, token) = value.split_once(' ')?;
        let given = digest(token.trim());
        let mut holder = None;
        for (index, (_, known)) in self.known.iter().enumerate() {
            if bool::from(known.ct_eq(&given)) {
                holder = Some(index);
            }
        }
        holder.filter(|_| scheme.eq_ignore_ascii_case("bearer"))
    }

    /// The name of a holder.
    pub(super) fn name(&self, holder: usize) -> Option<&str> {
        self.known.get(holder).map(|(name, _)| name.as_str())
    }
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// Whether two secrets are the same, in a time that does not tell how much of
/// them is.
pub(super) fn same(one: &str, other: &str) -> bool {
    let same: Choice = digest(one).ct_eq(&digest(other));
    same.into()
}
