//! A directory of rules, which may be hostile too.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::input::{to_u64, to_usize};
use crate::limits::Limits;
use crate::rules::RuleError;

fn wrong(path: &Path, message: impl ToString) -> RuleError {
    RuleError::Declaration { file: path.display().to_string(), position: None, message: message.to_string() }
}

/// The rule files of a directory and of those below it, sorted.
pub(super) fn files(directory: &Path, limits: &Limits) -> Result<Vec<PathBuf>, RuleError> {
    let mut found = Vec::new();
    let mut waiting = vec![(directory.to_owned(), 0)];
    let mut entries: u64 = 0;
    while let Some((directory, depth)) = waiting.pop() {
        for entry in fs::read_dir(&directory).map_err(|error| wrong(&directory, error))? {
            let entry = entry.map_err(|error| wrong(&directory, error))?;
            let kind = entry.file_type().map_err(|error| wrong(&entry.path(), error))?;
            let path = entry.path();
            let is_rule = path
                .extension()
                .is_some_and(|extension| ["toml", "yar", "yara"].iter().any(|known| extension == *known));
            if kind.is_dir() && depth < limits.depth {
                waiting.push((path, depth + 1));
            } else if kind.is_file() && is_rule {
                found.push(path);
            }
            entries += 1;
            if entries > limits.artifacts {
                return Err(wrong(&directory, "more files than the limit `artifacts` allows"));
            }
        }
        if to_u64(found.len()) > limits.evidence {
            return Err(wrong(&directory, "more rule files than the limit `evidence` allows"));
        }
    }
    found.sort();
    Ok(found)
}

/// The text of a rule file; `left` is how much may still be read of them all.
pub(super) fn read(path: &Path, limits: &Limits, left: &mut u64) -> Result<String, RuleError> {
    let mut text = String::new();
    let bound = limits.memory_bytes.min(*left);
    let mut file = fs::File::open(path).map_err(|error| wrong(path, error))?.take(bound.saturating_add(1));
    file.read_to_string(&mut text).map_err(|error| wrong(path, error))?;
    if text.len() > to_usize(bound) {
        let limit = if bound < limits.memory_bytes { "header-bytes` over all rule files" } else { "memory-bytes`" };
        return Err(wrong(path, format!("longer than the limit `{limit}")));
    }
    *left -= to_u64(text.len());
    Ok(text)
}
