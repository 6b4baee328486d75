//! A directory of rules, which may be hostile too: it is bounded in depth, in
//! files and in bytes, no link is followed, and nothing in it is passed over
//! without a word.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::input::{to_u64, to_usize};
use crate::limits::Limits;
use crate::position::Position;
use crate::rules::RuleError;

fn wrong(path: &Path, message: impl ToString) -> RuleError {
    RuleError::Declaration { file: path.display().to_string(), position: None, message: message.to_string() }
}

/// The rule files of a directory and of those below it, sorted.
pub(super) fn files(directory: &Path, limits: &Limits) -> Result<Vec<PathBuf>, RuleError> {
    let root = fs::canonicalize(directory).map_err(|error| wrong(directory, error))?;
    let mut found = Vec::new();
    let mut waiting = vec![(directory.to_owned(), 0)];
    let mut entries: u64 = 0;
    while let Some((directory, depth)) = waiting.pop() {
        for entry in fs::read_dir(&directory).map_err(|error| wrong(&directory, error))? {
            let entry = entry.map_err(|error| wrong(&directory, error))?;
            let kind = entry.file_type().map_err(|error| wrong(&entry.path(), error))?;
            let path = entry.path();
            entries += 1;
            if entries > limits.artifacts {
                return Err(wrong(&directory, "more files than the limit `artifacts` allows"));
            }
            if kind.is_dir() {
                if depth >= limits.depth {
                    return Err(wrong(&path, "nested deeper than the limit `depth` allows"));
                }
                waiting.push((path, depth + 1));
            } else if kind.is_symlink() {
                stays(&root, &path)?;
            } else if is_rule(&path) {
                if !kind.is_file() {
                    return Err(wrong(&path, "not a file"));
                }
                found.push(path);
            }
        }
        if to_u64(found.len()) > limits.evidence {
            return Err(wrong(&directory, "more rule files than the limit `evidence` allows"));
        }
    }
    found.sort();
    Ok(found)
}

fn is_rule(path: &Path) -> bool {
    path.extension().is_some_and(|extension| ["toml", "yar", "yara"].iter().any(|known| extension == *known))
}

/// What a link within the directory leads to is loaded where it lies, as
/// Kubernetes mounts a ConfigMap. Rules elsewhere have to be given by name.
fn stays(root: &Path, link: &Path) -> Result<(), RuleError> {
    let Ok(target) = fs::canonicalize(link) else {
        return if is_rule(link) { Err(wrong(link, "a link that leads nowhere")) } else { Ok(()) };
    };
    if !target.starts_with(root) && (target.is_dir() || is_rule(link) || is_rule(&target)) {
        let message = "a link out of the directory of rules, which is not followed; give what it leads to by name";
        return Err(wrong(link, message));
    }
    if !target.is_dir() && is_rule(link) && !is_rule(&target) {
        return Err(wrong(link, "a link to a file that is not called like one of rules"));
    }
    Ok(())
}

/// The text of a rule file; `left` is how much may still be read of them all.
pub(super) fn read(path: &Path, limits: &Limits, left: &mut u64) -> Result<String, RuleError> {
    let mut bytes = Vec::new();
    let bound = limits.memory_bytes.min(*left);
    let mut file = fs::File::open(path).map_err(|error| wrong(path, error))?.take(bound.saturating_add(1));
    file.read_to_end(&mut bytes).map_err(|error| wrong(path, error))?;
    if bytes.len() > to_usize(bound) {
        let limit = if bound < limits.memory_bytes { "header-bytes` over all rule files" } else { "memory-bytes`" };
        return Err(wrong(path, format!("longer than the limit `{limit}")));
    }
    *left -= to_u64(bytes.len());
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let position = Some(Position::of(&String::from_utf8_lossy(error.as_bytes()), valid));
        RuleError::Declaration { file: path.display().to_string(), position, message: "not UTF-8".to_owned() }
    })
}
