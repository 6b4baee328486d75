//! Raw numbers beside a model: what nothing recognises is no gap when a model
//! in the folder accounts for its bytes, and stays one when none does.

use std::fs;
use std::path::Path;

use weighin::Scanner;
use weighin::artifact::GapReason;
use weighin::report::{FileReport, Report, Verdict};

use crate::check::{corpus, rules};

fn scan(path: &Path) -> Report {
    Scanner::new(rules()).scan(&[path.to_owned()], &())
}

fn file<'r>(report: &'r Report, end: &str) -> &'r FileReport {
    report.files.iter().find(|file| file.path.ends_with(end)).expect("it was scanned")
}

fn copy(from: &Path, to: &Path, names: &[&str]) {
    for name in names {
        let target = to.join(name);
        fs::create_dir_all(target.parent().expect("a folder")).expect("made");
        fs::copy(from.join(name), target).expect("copied");
    }
}

#[test]
fn weights_of_a_network_are_known_beside_it() {
    let folder = corpus().join("openvino");
    let alone = scan(&folder.join("network.bin"));
    assert_eq!(alone.files[0].verdict, Verdict::Incomplete);
    assert_eq!(alone.files[0].gaps[0].reason, GapReason::Unrecognised);
    let together = scan(&folder);
    let weights = file(&together, "openvino/network.bin");
    assert_eq!((weights.verdict, weights.format.as_deref()), (Verdict::Clean, Some("xml")));
}

#[test]
fn what_a_network_does_not_account_for_stays_unknown() {
    let dir = tempfile::tempdir().expect("a directory");
    copy(&corpus().join("openvino"), dir.path(), &["network.xml", "network.bin"]);
    let weights = dir.path().join("network.bin");
    let longer = [fs::read(&weights).expect("there"), vec![0xa7; 70_000]].concat();
    fs::write(&weights, longer).expect("written");
    fs::write(dir.path().join("other.bin"), [0xa7; 8]).expect("written");
    let report = scan(dir.path());
    assert_eq!(file(&report, "network.bin").verdict, Verdict::Incomplete);
    assert_eq!(file(&report, "other.bin").verdict, Verdict::Incomplete);
}

#[test]
fn chunks_of_an_array_are_known_by_their_place_and_size() {
    let report = scan(&corpus().join("zarr"));
    for (end, verdict) in [
        ("array/0", Verdict::Clean),
        ("array/1", Verdict::Clean),
        ("array/2", Verdict::Incomplete),
        ("third/c/0/1", Verdict::Clean),
        ("third/c/0/2", Verdict::Incomplete),
        ("objects/0", Verdict::Malicious),
    ] {
        assert_eq!(file(&report, end).verdict, verdict, "{end}");
    }
}

#[test]
fn a_broken_model_vouches_for_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    copy(&corpus().join("zarr/array"), dir.path(), &[".zarray", "0"]);
    let description = dir.path().join(".zarray");
    let cut = fs::read(&description).expect("there");
    fs::write(&description, &cut[..cut.len() - 1]).expect("written");
    let report = scan(dir.path());
    assert_eq!(file(&report, "/0").verdict, Verdict::Incomplete);
}

#[test]
fn raw_parts_are_known_by_the_sizes_that_a_description_gives() {
    for (folder, end, verdict) in [
        ("tfjs/layers", "weights-1of2.bin", Verdict::Clean),
        ("tfjs/layers", "weights-2of2.bin", Verdict::Clean),
        ("tfjs/manifest", "weights-1of2.bin", Verdict::Clean),
        ("tfjs/longer", "weights.bin", Verdict::Incomplete),
        ("tfjs/pickle", "weights.bin", Verdict::Malicious),
        ("tfjs/strings", "weights.bin", Verdict::Incomplete),
        ("mlc/ndarray", "params_shard_0.bin", Verdict::Clean),
        ("mlc/tensor", "params_shard_0.bin", Verdict::Clean),
        ("mlc/short", "params_shard_0.bin", Verdict::Incomplete),
        ("ncnn", "ncnn/net.bin", Verdict::Clean),
        ("ncnn", "longer/net.bin", Verdict::Incomplete),
    ] {
        let report = scan(&corpus().join(folder));
        assert_eq!(file(&report, end).verdict, verdict, "{folder}: {end}");
    }
}

#[test]
fn a_part_that_is_missing_leaves_the_others_unknown() {
    let dir = tempfile::tempdir().expect("a directory");
    copy(&corpus().join("tfjs/layers"), dir.path(), &["model.json", "weights-1of2.bin"]);
    let report = scan(dir.path());
    assert_eq!(file(&report, "weights-1of2.bin").verdict, Verdict::Incomplete);
}
