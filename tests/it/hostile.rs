//! Every sample cut at every byte, and with single bytes flipped: no panic, no
//! hang, nothing beyond the limits, and a cut payload is never called clean.

use rayon::prelude::*;
use weighin::artifact::GapReason;
use weighin::report::{FileReport, Verdict};
use weighin::{Limits, Scanner};

use crate::check::{Sample, files_of, rules, samples};

/// Bytes above which cuts are sampled instead of tried one by one: as many as
/// this, evenly spaced.
const EVERY_BYTE_BELOW: usize = 64 << 10;

/// Cuts that one worker tries before it takes the next piece of any sample.
const CUTS_AT_A_TIME: usize = 1 << 10;

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

/// What a scan of a damaged sample came to.
struct Outcome {
    at: usize,
    report: FileReport,
}

impl Outcome {
    fn panicked(&self) -> bool {
        self.report.gaps.iter().any(|gap| gap.reason == GapReason::Panic)
    }
}

/// Scans the variant of each place, in order. Samples differ in size, so the
/// pieces of one are spread over the threads.
fn outcomes<V: AsRef<[u8]>>(name: &str, places: &[usize], variant: impl Fn(usize) -> V + Sync) -> Vec<Outcome> {
    let scan_piece = |piece: &[usize]| {
        let scanner = Scanner::new(rules()).with_limits(limits());
        let mut worker = scanner.worker();
        let scan = |at: &usize| Outcome { at: *at, report: worker.scan_bytes(name, variant(*at).as_ref()) };
        piece.iter().map(scan).collect::<Vec<_>>()
    };
    places.par_chunks(CUTS_AT_A_TIME).flat_map_iter(scan_piece).collect()
}

/// Runs `check` over every file of every sample; fails with what it returns.
fn for_every_file(check: impl Fn(&Sample, &str, &[u8]) -> Vec<String> + Sync) {
    let wrong: Vec<String> = samples()
        .par_iter()
        .flat_map_iter(|sample| files_of(sample).into_iter().map(move |file| (sample, file)))
        .flat_map_iter(|(sample, file)| {
            let bytes = std::fs::read(&file).expect("readable");
            let name = file.file_name().expect("a file").to_string_lossy().into_owned();
            check(sample, &name, &bytes)
        })
        .collect();
    assert!(wrong.is_empty(), "{} times:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
}

#[test]
fn a_cut_sample_neither_panics_nor_passes() {
    for_every_file(|sample, name, bytes| {
        let family = sample.path.split('/').next().unwrap_or_default();
        let honest_first = HONEST_FIRST.iter().any(|part| sample.path.contains(part));
        let must_not_pass = !honest_first && sample.verdict == "malicious" && ANNOUNCE_THEIR_END.contains(&family);
        let places: Vec<usize> = cuts(bytes.len()).collect();
        let mut wrong = Vec::new();
        // A pickle that ends in STOP is whole, whatever its file once held
        // behind it; no loader reads what a cut leaves of the rest.
        let mut whole = false;
        for outcome in outcomes(name, &places, |cut| &bytes[..cut]) {
            let Outcome { at, report } = &outcome;
            if outcome.panicked() {
                wrong.push(format!("{} cut at {at}: {:?}", sample.path, report.gaps));
            }
            let clean = report.verdict == Verdict::Clean;
            whole |= clean && bytes[..*at].ends_with(b".");
            // What a cut leaves of a textual header is text, whatever the name says.
            let text = matches!(report.format.as_deref(), Some("text" | "yaml" | "json" | "python" | "empty"));
            if must_not_pass && clean && !whole && !text {
                let format = &report.format;
                wrong.push(format!("{} cut at {at} of {} is called clean ({format:?})", sample.path, bytes.len()));
            }
        }
        wrong
    });
}

#[test]
fn a_flipped_byte_does_not_panic() {
    for_every_file(|sample, name, bytes| {
        // Headers byte by byte, the rest in steps; the bit that is flipped
        // changes with the place.
        let places: Vec<usize> = (0..bytes.len().min(512)).chain((512..bytes.len()).step_by(31)).collect();
        let flipped = |at: usize| {
            let mut bytes = bytes.to_vec();
            bytes[at] ^= 1 << (at % 8);
            bytes
        };
        let panics = outcomes(name, &places, flipped).into_iter().filter(Outcome::panicked);
        panics.map(|one| format!("{} with byte {} flipped: {:?}", sample.path, one.at, one.report.gaps)).collect()
    });
}
