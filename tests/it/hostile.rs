//! Every sample cut at every byte, and with single bytes flipped: no panic, no
//! hang, nothing beyond the limits, and a cut payload is never called clean.

use rayon::prelude::*;
use weighin::artifact::GapReason;
use weighin::report::{FileReport, Verdict};
use weighin::{Limits, Scanner};

use crate::check::{files_of, rules, samples};

/// Bytes above which cuts are sampled instead of tried one by one: as many as
/// this, evenly spaced: some samples (bombs, deep nests) cost milliseconds a cut.
const EVERY_BYTE_BELOW: usize = 48;

/// Malicious samples whose payload stands behind a whole honest file: cut
/// there, they are that file, and clean is right.
const HONEST_FIRST: &[&str] = &["trailing", "suffix", "concatenated", "appended", "claims-floats", "-then-", "-after-"];

/// Formats that announce their end, so that a cut can be told from a whole
/// file. Text, and protobuf at a field border, are whole wherever they end.
const ANNOUNCE_THEIR_END: &[&str] =
    &["pickle", "torch", "zip", "numpy", "joblib", "safetensors", "gguf", "keras", "skops"];

/// Tight limits: thousands of variants of a bomb must not inflate it each
/// time.
fn limits() -> Limits {
    let mut limits = Limits::default();
    for (name, value) in [("inflated-bytes", 4 << 20), ("inflate-floor", 1 << 20), ("work", 1 << 24), ("seconds", 20)] {
        limits.set(name, value).expect("the limit exists");
    }
    limits
}

fn cuts(len: usize) -> impl Iterator<Item = usize> {
    (0..len).step_by(len.div_ceil(EVERY_BYTE_BELOW).max(1))
}

fn panicked(report: &FileReport) -> bool {
    report.gaps.iter().any(|gap| gap.reason == GapReason::Panic)
}

#[test]
fn a_cut_sample_neither_panics_nor_passes() {
    let wrong: Vec<String> = samples()
        .par_iter()
        .flat_map_iter(|sample| files_of(sample).into_iter().map(move |file| (sample.clone(), file)))
        .flat_map(|(sample, file)| {
            let bytes = std::fs::read(&file).expect("readable");
            let name = file.file_name().expect("a file").to_string_lossy().into_owned();
            let family = sample.path.split('/').next().unwrap_or_default().to_owned();
            let scanner = Scanner::new(rules()).with_limits(limits());
            let mut worker = scanner.worker();
            let mut wrong = Vec::new();
            // A pickle that ends in STOP is whole, whatever its file once held
            // behind it; no loader reads what a cut leaves of the rest.
            let mut whole = false;
            for cut in cuts(bytes.len()) {
                let part = &bytes[..cut];
                let report = worker.scan_bytes(&name, part);
                if panicked(&report) {
                    wrong.push(format!("{} cut at {cut}: {:?}", sample.path, report.gaps));
                }
                let honest_first = HONEST_FIRST.iter().any(|part| sample.path.contains(part));
                // What a cut leaves of a textual header is text, whatever the name says.
                let text = matches!(report.format.as_deref(), Some("text" | "yaml" | "json" | "python" | "empty"));
                let must_not_pass = !honest_first
                    && !text
                    && sample.verdict == "malicious"
                    && ANNOUNCE_THEIR_END.contains(&family.as_str());
                whole |= report.verdict == Verdict::Clean && part.ends_with(b".");
                if must_not_pass && report.verdict == Verdict::Clean && !whole {
                    wrong.push(format!(
                        "{} cut at {cut} of {} is called clean ({:?})",
                        sample.path,
                        bytes.len(),
                        report.format
                    ));
                }
            }
            wrong
        })
        .collect();
    assert!(wrong.is_empty(), "{} cuts:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
}

#[test]
fn a_flipped_byte_does_not_panic() {
    let wrong: Vec<String> = samples()
        .par_iter()
        .flat_map_iter(|sample| files_of(sample).into_iter().map(move |file| (sample.clone(), file)))
        .flat_map(|(sample, file)| {
            let mut bytes = std::fs::read(&file).expect("readable");
            let name = file.file_name().expect("a file").to_string_lossy().into_owned();
            let scanner = Scanner::new(rules()).with_limits(limits());
            let mut worker = scanner.worker();
            let mut wrong = Vec::new();
            // Headers byte by byte, the rest in steps; the bit that is flipped
            // changes with the place.
            let places = (0..bytes.len().min(32)).chain((32..bytes.len()).step_by(997));
            for at in places.collect::<Vec<_>>() {
                let bit = 1_u8 << (at % 8);
                bytes[at] ^= bit;
                let report = worker.scan_bytes(&name, &bytes);
                if panicked(&report) {
                    wrong.push(format!("{} with byte {at} flipped: {:?}", sample.path, report.gaps));
                }
                bytes[at] ^= bit;
            }
            wrong
        })
        .collect();
    assert!(wrong.is_empty(), "{} flips:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
}
