//! Each limit, hit for real: the gap names it, and the file is not clean.

use weighin::artifact::GapReason;
use weighin::report::{FileReport, Verdict};
use weighin::{Limits, Scanner};

use crate::check::rules;

/// Scans with one limit changed, and expects the gap that names it.
fn hits(limit: &str, value: u64, name: &str, bytes: &[u8]) {
    let mut limits = Limits::default();
    limits.set(limit, value).expect("the limit exists");
    let report: FileReport = Scanner::new(rules()).with_limits(limits).scan_bytes(name, bytes);
    let named =
        report.gaps.iter().any(|gap| gap.reason == GapReason::Limit && gap.detail.contains(&format!("`{limit}`")));
    assert!(named, "no gap names {limit}: {:?}", report.gaps);
    assert_ne!(report.verdict, Verdict::Clean, "a file at its limit is called clean");
    let unlimited = Scanner::new(rules()).scan_bytes(name, bytes);
    let still = unlimited.gaps.iter().any(|gap| gap.detail.contains(&format!("`{limit}`")));
    assert!(!still, "{limit} is hit by default as well: {:?}", unlimited.gaps);
}

/// A pickle of a list of `n` distinct tuples of one small number.
fn many_tuples(n: u16) -> Vec<u8> {
    let mut bytes = b"\x80\x04](".to_vec();
    for number in 0..n {
        bytes.extend_from_slice(b"M");
        bytes.extend_from_slice(&number.to_le_bytes());
        bytes.extend_from_slice(b"\x85\x94");
    }
    bytes.extend_from_slice(b"e.");
    bytes
}

/// A pickle that imports `n` names of a package.
fn many_imports(n: u16) -> Vec<u8> {
    let mut bytes = b"\x80\x02](".to_vec();
    for number in 0..n {
        bytes.extend_from_slice(format!("csome_package\nName{number}\n").as_bytes());
    }
    bytes.extend_from_slice(b"e.");
    bytes
}

/// A pickle whose bytes are handed to `pickle.loads`, `n` times over.
fn nested(n: usize) -> Vec<u8> {
    let mut bytes = b"\x80\x03K\x01.".to_vec();
    for _ in 0..n {
        let mut outer = b"\x80\x03c_pickle\nloads\nB".to_vec();
        outer.extend_from_slice(&u32::try_from(bytes.len()).expect("short").to_le_bytes());
        outer.extend_from_slice(&bytes);
        outer.extend_from_slice(b"\x85R.");
        bytes = outer;
    }
    bytes
}

#[test]
fn work() {
    hits("work", 5_000, "model.pkl", &many_tuples(10_000));
}

#[test]
fn memo() {
    hits("memo", 100, "model.pkl", &many_tuples(200));
}

#[test]
fn nodes() {
    hits("nodes", 10, "model.pkl", &many_imports(50));
}

#[test]
fn items() {
    // Only live values are missed; plain data that is not kept is no gap.
    hits("items", 10, "model.pkl", &many_imports(50));
}

#[test]
fn evidence() {
    hits("evidence", 10, "model.pkl", &many_imports(50));
}

#[test]
fn depth() {
    hits("depth", 3, "model.pkl", &nested(6));
}

#[test]
fn artifacts() {
    hits("artifacts", 2, "model.pkl", &nested(4));
}

#[test]
fn seconds() {
    hits("seconds", 0, "model.pkl", &many_tuples(60_000));
}

#[test]
fn every_limit_can_be_set_and_tells_why() {
    let mut limits = Limits::default();
    for (name, value, unit, why) in Limits::default().list() {
        limits.set(&name, value / 2).expect("a listed limit can be set");
        assert!(!unit.is_empty() && why.len() > 40, "{name} does not tell why");
    }
    assert!(limits.set("no-such-limit", 1).is_err());
}
