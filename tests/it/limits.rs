//! Each limit, hit for real: the gap names it, and the file is not clean.

use std::collections::BTreeSet;
use std::io::Write as _;

use weighin::artifact::{Gap, GapReason};
use weighin::report::{FileReport, Verdict};
use weighin::{Limits, Scanner};

use crate::check::{corpus, rules, scan};

/// A file that reaches a limit when that is as low as `value`, and does not by
/// default.
struct Case {
    limit: &'static str,
    value: u64,
    name: &'static str,
    bytes: Vec<u8>,
}

fn case(limit: &'static str, value: u64, name: &'static str, bytes: Vec<u8>) -> Case {
    Case { limit, value, name, bytes }
}

fn sample(path: &str) -> Vec<u8> {
    std::fs::read(corpus().join(path)).expect("a sample")
}

fn cases() -> Vec<Case> {
    let modules = sample("python/deep/modeling_x.py");
    vec![
        case("depth", 3, "model.pkl", nested(6)),
        case("artifacts", 2, "model.pkl", nested(4)),
        case("artifacts", 3, "many.gz", gzip(b"x").repeat(9)),
        case("overlap", 1, "nested.zip", sample("zip/nested-60.zip")),
        case("inflated-bytes", 1 << 16, "zeros.gz", gzip(&[7; 1 << 20])),
        case("memory-bytes", 256, "archive.7z", sample("archive/7z-header-only.7z")),
        case("dictionary-bytes", 4 << 10, "archive.tar.xz", sample("archive/honest.tar.xz")),
        case("dictionary-bytes", 256, "archive.tar.zst", sample("archive/honest.tar.zst")),
        case("dictionary-bytes", 256, "archive.zip", sample("zip/pickle-lzma.zip")),
        case("header-bytes", 16, "model.safetensors", sample("safetensors/two-tensors.safetensors")),
        case("string-bytes", 4, "model.pkl", many_imports(1)),
        case("source-bytes", 1 << 10, "modeling_x.py", modules),
        case("nesting", 10, "config.json", ["[".repeat(50), "]".repeat(50)].concat().into_bytes()),
        case("work", 5_000, "model.pkl", many_tuples(10_000)),
        case("memo", 100, "model.pkl", many_tuples(200)),
        case("nodes", 10, "model.pkl", many_imports(50)),
        // Only live values are missed; plain data that is not kept is no gap.
        case("items", 10, "model.pkl", many_imports(50)),
        case("folded-bytes", 100, "model.pkl", folding(1_000)),
        case("evidence", 10, "model.pkl", many_imports(50)),
        case("findings", 10, "model.pkl", many_imports(50)),
        case("gaps", 0, "cut.zip", sample("zip/encrypted.zip")),
        case("seconds", 0, "model.pkl", many_tuples(60_000)),
    ]
}

/// Scans under the limits of `settings`.
fn limited(settings: &[(&str, u64)], name: &str, bytes: &[u8]) -> FileReport {
    let mut limits = Limits::default();
    for (limit, value) in settings {
        limits.set(limit, *value).expect("the limit exists");
    }
    Scanner::new(rules()).with_limits(limits).scan_bytes(name, bytes)
}

fn names(gap: &Gap, limit: &str) -> bool {
    gap.reason == GapReason::Limit && gap.detail.contains(&format!("`{limit}`"))
}

#[test]
fn each_limit_leaves_a_gap_that_names_it() {
    // What these bound has tests of its own: a ratio above a floor, and what
    // `inspect` and excerpts show, which is no gap.
    let elsewhere = [
        "inflate-ratio",
        "inflate-floor",
        "listed-lines",
        "listed-width",
        "excerpts",
        "excerpt-bytes",
        "excerpt-lines",
        "excerpt-width",
        "reread-bytes",
    ];
    let mut tried = BTreeSet::from(elsewhere.map(str::to_owned));
    for Case { limit, value, name, bytes } in cases() {
        let report = limited(&[(limit, value)], name, &bytes);
        assert!(report.gaps.iter().any(|gap| names(gap, limit)), "no gap of {name} names {limit}: {:?}", report.gaps);
        assert_ne!(report.verdict, Verdict::Clean, "{name} is at its limit {limit}, and called clean");
        let by_default = scan(name, &bytes);
        assert!(!by_default.gaps.iter().any(|gap| names(gap, limit)), "{name} reaches {limit} by default as well");
        tried.insert(limit.to_owned());
    }
    let all: BTreeSet<String> = Limits::default().list().into_iter().map(|(name, ..)| name).collect();
    assert_eq!(tried, all, "limits that no case reaches, or cases of limits that are gone");
}

/// What is worse than all that was kept is told however many there were.
#[test]
fn the_worst_finding_is_kept() {
    let members = [gzip(&many_imports(50)), gzip(&sample("pickle/reduce-os-system-p4.pkl"))].concat();
    let all = scan("models.gz", &members);
    let few = limited(&[("findings", 10)], "models.gz", &members);
    assert!(all.findings.len() > 50 && few.findings.len() < 20, "{} of {}", few.findings.len(), all.findings.len());
    assert_eq!(few.verdict, Verdict::Malicious);
    assert_eq!(few.findings[0].evidence, all.findings[0].evidence);
}

#[test]
fn the_ratio_counts_above_the_floor_only() {
    let bytes = gzip(&[0; 1 << 20]);
    let ratio = |floor, ratio| {
        let report = limited(&[("inflate-floor", floor), ("inflate-ratio", ratio)], "zeros.gz", &bytes);
        report.gaps.iter().any(|gap| names(gap, "inflate-ratio"))
    };
    assert!(ratio(1 << 10, 200), "a thousand to one passes a bound of 200");
    assert!(!ratio(2 << 20, 200), "a megabyte is judged below a floor of two");
    assert!(!ratio(1 << 10, 2_000), "a thousand to one is stopped by a bound of 2,000");
}

#[test]
fn what_does_not_fit_memory_is_examined_all_the_same() {
    let bytes = gzip(&sample("pickle/reduce-os-system-p4.pkl"));
    let held = scan("model.pkl.gz", &bytes);
    let spilled = limited(&[("memory-bytes", 8)], "model.pkl.gz", &bytes);
    assert_eq!(held.verdict, Verdict::Malicious);
    assert_eq!(spilled.verdict, held.verdict);
    assert_eq!(spilled.findings, held.findings);
    assert!(spilled.gaps.is_empty(), "{:?}", spilled.gaps);
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(content).expect("memory");
    encoder.finish().expect("memory")
}

/// A pickle that decodes `n` bytes from hexadecimal, and keeps them.
fn folding(n: usize) -> Vec<u8> {
    let mut bytes = b"\x80\x03cbinascii\nunhexlify\nX".to_vec();
    bytes.extend_from_slice(&u32::try_from(n * 2).expect("short").to_le_bytes());
    bytes.extend(b"61".repeat(n));
    bytes.extend_from_slice(b"\x85R.");
    bytes
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
fn every_limit_can_be_set_and_tells_why() {
    let mut limits = Limits::default();
    for (name, value, unit, why) in Limits::default().list() {
        limits.set(&name, value / 2).expect("a listed limit can be set");
        assert!(!unit.is_empty() && why.len() > 40, "{name} does not tell why");
    }
    assert!(limits.set("no-such-limit", 1).is_err());
}

/// Stored members that memory does not hold are summed as the sweep reads them.
#[test]
fn checksums_of_large_members_are_compared() {
    let mut limits = Limits::default();
    limits.set("memory-bytes", 16).expect("the limit exists");
    let scanner = Scanner::new(rules()).with_limits(limits);
    let findings = |sample: &str| {
        let report = scanner.scan(&[corpus().join(sample)], &());
        let findings: Vec<String> = report.files[0].findings.iter().map(|finding| finding.rule.clone()).collect();
        findings
    };
    assert!(findings("zip/tampered-honest-crc.zip").contains(&"ARC005".to_owned()));
    assert!(!findings("zip/honest.zip").contains(&"ARC005".to_owned()));
}

#[test]
fn words_of_a_vocabulary_make_no_document_of_another_kind() {
    let words = |from: u32| (from..from + 9_000).map(|word| format!("\"word{word}\": {word}, ")).collect::<String>();
    let document = |value: &str| {
        let middle = format!("\"class_name\": {value}, \"config\": {value}, ");
        format!("{{{}{middle}{}\"end\": 1}}", words(0), words(10_000)).into_bytes()
    };
    let vocabulary = limited(&[("nodes", 100)], "vocab.json", &document("7"));
    assert_eq!(vocabulary.verdict, Verdict::Clean, "{:?}", vocabulary.gaps);
    // The same words over objects are what a layer of Keras has, and are read as one.
    assert_eq!(limited(&[("nodes", 100)], "vocab.json", &document("{}")).verdict, Verdict::Incomplete);
}
