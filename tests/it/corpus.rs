//! Every sample of the corpus gets the verdict that its manifest promises.

use std::collections::BTreeSet;

use weighin::artifact::Artifact;
use weighin::report::{FileReport, Verdict};
use weighin::{Scanner, formats};

use crate::check::{files_of, rules, samples, worst};

/// `suspicious` in the manifest is a lower bound; the others are exact.
fn is_as_promised(promised: &str, verdict: Verdict) -> bool {
    match promised {
        "suspicious" => matches!(verdict, Verdict::Suspicious | Verdict::Malicious),
        exact => verdict.name() == exact,
    }
}

/// Samples whose verdict is not yet what the manifest promises, and why. A row
/// that is right by now must go.
const OPEN: &[(&str, &str)] = &[];

#[test]
fn every_sample_gets_its_verdict() {
    let scanner = Scanner::new(rules());
    // One after another: a scan has threads of its own, and a thread that waits
    // for them would begin the next sample on top of this one, until its stack ends.
    let wrong: Vec<String> = samples()
        .iter()
        .filter_map(|sample| {
            let reports: Vec<FileReport> = scanner.scan(&files_of(sample), &()).files;
            assert!(!reports.is_empty(), "{} is not there", sample.path);
            let verdict = worst(&reports);
            let why: Vec<String> = reports
                .iter()
                .flat_map(|report| {
                    let findings =
                        report.findings.iter().map(|finding| format!("{} {}", finding.rule, finding.message));
                    findings.chain(report.gaps.iter().map(|gap| format!("{:?} {}", gap.reason, gap.detail)))
                })
                .collect();
            let open = OPEN.iter().any(|(path, _)| *path == sample.path);
            let right = is_as_promised(&sample.verdict, verdict);
            (right == open).then(|| {
                format!("{}: {} ({}) got {}: {why:?}", sample.path, sample.verdict, sample.what, verdict.name())
            })
        })
        .collect();
    assert!(wrong.is_empty(), "{} samples:\n{}", wrong.len(), wrong.join("\n"));
}

/// Formats that are never read whole: their content is elsewhere, or nothing
/// decodes it.
const NEVER_WHOLE: &[&str] = &["dvc", "lfs", "rar"];

/// A format without a sample that it reads to the end is one that nobody tried.
#[test]
fn every_format_reads_a_sample() {
    fn collect(artifact: &Artifact, read: &mut BTreeSet<&'static str>, whole: &mut BTreeSet<&'static str>) {
        read.extend(artifact.formats.iter().copied());
        if artifact.gaps.is_empty() {
            whole.extend(artifact.formats.iter().copied());
        }
        artifact.members.iter().for_each(|member| collect(member, read, whole));
    }
    let scanner = Scanner::new(rules());
    let (mut read, mut whole) = (BTreeSet::new(), BTreeSet::new());
    for file in samples().iter().flat_map(files_of).filter(|file| file.is_file()) {
        let name = file.file_name().expect("a file has a name").to_string_lossy();
        let bytes = std::fs::read(&file).expect("a sample");
        collect(&scanner.examine(&name, bytes.into()), &mut read, &mut whole);
    }
    let all: BTreeSet<&str> = formats::ALL.iter().map(|format| format.name()).collect();
    assert_eq!(read, all, "formats that read no sample, or that are not registered");
    let broken: Vec<&&str> = all.difference(&whole).collect();
    assert_eq!(broken, NEVER_WHOLE.iter().collect::<Vec<_>>(), "formats that read no sample to its end");
}

#[test]
fn the_same_bytes_give_the_same_report() {
    let scanner = Scanner::new(rules());
    let corpus = [crate::check::corpus().join("pickle")];
    let once = weighin::report::json(&scanner.scan(&corpus, &())).expect("a report is JSON");
    let again = weighin::report::json(&scanner.scan(&corpus, &())).expect("a report is JSON");
    assert!(once == again, "two scans of the same files differ");
}
