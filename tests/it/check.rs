//! What the tests share: the corpus and its manifest, and one way to scan.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde::Deserialize;
use weighin::report::{FileReport, Verdict};
use weighin::{RuleSet, Scanner};

/// One row of `corpus/manifest.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    pub path: String,
    pub what: String,
    #[allow(dead_code, reason = "for the reader of the manifest")]
    pub why: String,
    pub verdict: String,
}

#[derive(Deserialize)]
struct Manifest {
    sample: Vec<Sample>,
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn corpus() -> PathBuf {
    root().join("corpus")
}

/// Every sample of the manifest.
pub fn samples() -> Vec<Sample> {
    let text = std::fs::read_to_string(corpus().join("manifest.toml")).expect("the manifest is there");
    toml::from_str::<Manifest>(&text).expect("the manifest is well formed").sample
}

/// The files of a sample: itself, or those below it.
pub fn files_of(sample: &Sample) -> Vec<PathBuf> {
    let mut waiting = vec![corpus().join(&sample.path)];
    let mut files = Vec::new();
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting.extend(std::fs::read_dir(&path).expect("readable").map(|entry| entry.expect("readable").path()));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Compares `text` with what is kept in `tests/golden/`, or keeps it.
pub fn golden(name: &str, text: &str) {
    let path = root().join("tests/golden").join(name);
    if std::env::var_os("WEIGHIN_UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("writable");
        std::fs::write(&path, text).expect("writable");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == text, "{} is not current; run WEIGHIN_UPDATE=1 cargo test\n{text}", path.display());
}

/// The rules, loaded once.
pub fn rules() -> &'static RuleSet {
    static RULES: OnceLock<RuleSet> = OnceLock::new();
    RULES.get_or_init(|| RuleSet::embedded().expect("the embedded rules load"))
}

/// Scans bytes with default limits.
pub fn scan(name: &str, bytes: &[u8]) -> FileReport {
    Scanner::new(rules()).scan_bytes(name, bytes)
}

/// The worst verdict of several files.
pub fn worst(reports: &[FileReport]) -> Verdict {
    reports.iter().map(|report| report.verdict).max().expect("at least one file")
}
