//! What a reader may rely on in this repository.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use weighin::formats;

use crate::check::{corpus, files_of, root, samples};

fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut waiting = vec![dir.to_owned()];
    let mut found = Vec::new();
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting.extend(std::fs::read_dir(&path).expect("readable").map(|entry| entry.expect("readable").path()));
        } else {
            found.push(path);
        }
    }
    found
}

#[test]
fn every_format_has_its_folder() {
    let registered: BTreeSet<&str> = formats::ALL.iter().map(|format| format.name()).collect();
    assert_eq!(registered.len(), formats::ALL.len(), "two formats share a name");
    for format in formats::ALL {
        let about = format.about();
        assert!(!about.title.is_empty() && !about.reads.is_empty(), "{} says nothing of itself", format.name());
    }
}

/// The table of formats is generated from them.
#[test]
fn the_format_table_is_current() {
    let table = weighin::report::format_table();
    let path = root().join("src/formats/FORMATS.md");
    if std::env::var_os("WEIGHIN_UPDATE").is_some() {
        std::fs::write(&path, &table).expect("writable");
    }
    let kept = std::fs::read_to_string(&path).expect("src/formats/FORMATS.md is there");
    assert!(kept == table, "src/formats/FORMATS.md is not current; run WEIGHIN_UPDATE=1 cargo test");
}

#[test]
fn every_sample_is_in_the_manifest() {
    let listed: BTreeSet<PathBuf> = samples().iter().flat_map(files_of).collect();
    let there = files_below(&corpus()).into_iter().filter(|file| {
        let inside = file.strip_prefix(corpus()).expect("below the corpus");
        let top = inside.components().next().expect("a name").as_os_str();
        inside.components().count() > 1 && top != "generator"
    });
    let unlisted: Vec<PathBuf> = there.filter(|file| !listed.contains(file)).collect();
    assert!(unlisted.is_empty(), "not in corpus/manifest.toml: {unlisted:?}");
}

#[test]
fn source_files_stay_readable() {
    let mut long = Vec::new();
    for file in files_below(&root().join("src")).into_iter().filter(|file| file.extension().is_some_and(|e| e == "rs"))
    {
        let text = std::fs::read_to_string(&file).expect("readable");
        assert!(text.starts_with("//!"), "{} does not say what it is for", file.display());
        if text.lines().count() > 600 {
            long.push(file);
        }
    }
    assert!(long.is_empty(), "over 600 lines: {long:?}");
}

/// Parsers see only the bytes they are handed.
#[test]
fn formats_and_rules_touch_nothing_else() {
    for dir in ["src/formats", "src/report"] {
        for file in files_below(&root().join(dir)) {
            let text = std::fs::read_to_string(&file).expect("readable");
            for forbidden in ["std::fs", "std::net", "std::process", "std::env", "Instant::now", "SystemTime"] {
                assert!(!text.contains(forbidden), "{} uses {forbidden}", file.display());
            }
        }
    }
}
