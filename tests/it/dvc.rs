//! DVC files: what they stand for is a gap until it lies beside them.

use std::fs;
use std::path::Path;

use weighin::Scanner;
use weighin::artifact::GapReason;
use weighin::report::{FileReport, Report, Verdict};

use crate::check::rules;

const HONEST: &[u8] = b"\x80\x04]\x94(K\x01K\x02e.";
const LOCK: &str = "schema: '2.0'
stages:
  prepare:
    deps: [{path: raw, md5: 00.dir}]
    outs:
    - path: data
      md5: 01.dir
      nfiles: 1
  train:
    outs:
    - path: models/model.pkl
      md5: 02
      size: 9
    - path: ../outside.pkl
      md5: 03
";

fn write(folder: &Path, name: &str, bytes: &[u8]) {
    let file = folder.join(name);
    fs::create_dir_all(file.parent().expect("a folder")).expect("made");
    fs::write(file, bytes).expect("written");
}

fn file<'r>(report: &'r Report, end: &str) -> &'r FileReport {
    report.files.iter().find(|file| file.path.ends_with(end)).expect("it was scanned")
}

fn missing(file: &FileReport) -> Vec<String> {
    let gaps = file.gaps.iter().filter(|gap| gap.reason == GapReason::NotFetched);
    gaps.map(|gap| gap.members.join("!")).collect()
}

#[test]
fn what_is_elsewhere_is_a_gap_and_what_is_here_is_none() {
    let dir = tempfile::tempdir().expect("a directory");
    write(dir.path(), "model.pkl.dvc", b"outs:\n- md5: 0f\n  size: 11\n  path: model.pkl\n");
    write(dir.path(), "more/all.dvc", b"wdir: ..\nouts:\n- path: weights\n  etag: x\n");
    write(dir.path(), "dvc.lock", LOCK.as_bytes());
    let scan = |inside: &str| Scanner::new(rules()).scan(&[dir.path().join(inside)], &());

    let report = scan("");
    assert_eq!(missing(file(&report, "model.pkl.dvc")), ["model.pkl"]);
    assert_eq!(missing(file(&report, "all.dvc")), ["../weights"]);
    assert_eq!(missing(file(&report, "dvc.lock")), ["../outside.pkl", "data", "models/model.pkl"]);
    let gap = &file(&report, "model.pkl.dvc").gaps[0];
    assert_eq!(gap.detail, "DVC keeps model.pkl elsewhere, 11 bytes, md5 0f; `dvc pull` fetches it");

    write(dir.path(), "model.pkl", HONEST);
    write(dir.path(), "weights/a/b.pkl", HONEST);
    write(dir.path(), "data/words.txt", b"words\n");
    write(dir.path(), "models/model.pkl", HONEST);
    let report = scan("");
    assert_eq!(missing(file(&report, "dvc.lock")), ["../outside.pkl"]);
    for fetched in ["model.pkl.dvc", "all.dvc"] {
        assert_eq!(file(&report, fetched).verdict, Verdict::Clean, "{fetched}");
    }
    // Alone, it says nothing of what was not scanned with it.
    assert_eq!(missing(file(&scan("model.pkl.dvc"), ".dvc")), ["model.pkl"]);
}
