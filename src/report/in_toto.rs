//! in-toto Statements v1 over the digests of the files that were scanned, not
//! signed: `cosign attest-blob` and the like do that.

use serde_json::{Value, json};

use crate::report::{FileReport, Report};
use crate::rules::Severity;

/// What a statement says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Predicate {
    /// `vulns/v0.2`: every finding, by file.
    Vulns,
    /// `svr/v0.2`: the properties that hold for all files, for a gate.
    SimpleVerificationResult,
}

const STATEMENT: &str = "https://in-toto.io/Statement/v1";
const VULNS: &str = "https://in-toto.io/attestation/vulns/v0.2";
const SVR: &str = "https://in-toto.io/attestation/svr/v0.2";

/// A statement over the files of `report`. `seconds` since 1970 is when they
/// were scanned, which both predicates require and no report knows.
///
/// # Errors
/// Only when serialisation itself fails.
pub fn in_toto(report: &Report, predicate: Predicate, seconds: u64) -> serde_json::Result<String> {
    let time = timestamp(seconds);
    let (kind, body) = match predicate {
        Predicate::Vulns => (VULNS, vulns(report, &time)),
        Predicate::SimpleVerificationResult => (SVR, svr(report, &time)),
    };
    // A file that was not read whole has no digest, and is no subject.
    let subjects: Vec<Value> = report
        .files
        .iter()
        .filter_map(|file| Some(json!({ "name": file.path, "digest": { "sha256": file.sha256.as_ref()? } })))
        .collect();
    let statement = json!({ "_type": STATEMENT, "subject": subjects, "predicateType": kind, "predicate": body });
    serde_json::to_string_pretty(&statement).map(|text| text + "\n")
}

fn scanner_uri(report: &Report) -> String {
    format!("pkg:cargo/{}@{}", report.tool.name, report.tool.version)
}

/// The rules are the database. When they were last changed is not known, so
/// `lastUpdate` is left out.
fn vulns(report: &Report, time: &str) -> Value {
    let result: Vec<Value> = report.files.iter().flat_map(results).collect();
    json!({
        "scanner": {
            "uri": scanner_uri(report),
            "version": report.tool.version,
            "db": { "uri": format!("{}#rules", scanner_uri(report)), "version": report.ruleset.digest },
            "result": result,
        },
        "metadata": { "scanStartedOn": time, "scanFinishedOn": time },
    })
}

/// What stands against a file. An empty list means that all is well, so a gap
/// is a result too.
fn results(file: &FileReport) -> Vec<Value> {
    let entry = |id: String, score: &str, annotations: Value| json!({ "id": id, "severity": [{ "method": "weighin", "score": score }], "annotations": [annotations] });
    let findings = file.findings.iter().map(|finding| {
        let place = json!({
            "path": file.path, "sha256": file.sha256, "members": finding.location.members,
            "offset": finding.location.offset, "message": finding.message,
        });
        entry(finding.rule.clone(), finding.severity.name(), place)
    });
    let gaps = file.gaps.iter().map(|gap| {
        let place = json!({
            "path": file.path, "sha256": file.sha256, "members": gap.members, "message": gap.detail,
        });
        entry(format!("not-examined-{}", gap.reason.name()), "incomplete", place)
    });
    findings.chain(gaps).collect()
}

/// Properties are promises about every subject, so each is made only when it
/// holds for every file that was scanned.
fn svr(report: &Report, time: &str) -> Value {
    let complete = report.files.iter().all(|file| file.gaps.is_empty() && file.sha256.is_some());
    let worst = report.files.iter().filter_map(FileReport::worst).max();
    let mut properties = Vec::new();
    // What was not looked at may hold anything.
    if complete && !report.files.is_empty() {
        properties.push("WEIGHIN_COMPLETE");
        for (severity, property) in [
            (Severity::Critical, "WEIGHIN_NO_CRITICAL"),
            (Severity::High, "WEIGHIN_NO_HIGH"),
            (Severity::Medium, "WEIGHIN_NO_MEDIUM"),
            (Severity::Low, "WEIGHIN_NO_LOW"),
        ] {
            if worst.is_none_or(|worst| worst < severity) {
                properties.push(property);
            }
        }
        if worst.is_none_or(|worst| worst == Severity::Low) {
            properties.push("WEIGHIN_CLEAN");
        }
    }
    json!({
        "verifier": {
            "id": scanner_uri(report),
            "policies": [{ "name": "weighin-rules", "digest": { "sha256": report.ruleset.digest } }],
        },
        "timeCreated": time,
        "properties": properties,
    })
}

/// RFC 3339 in UTC. The calendar runs from March, so that the leap day is a
/// year's last.
fn timestamp(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let shifted = days.saturating_add(719_468);
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::timestamp;

    #[test]
    fn seconds_become_dates() {
        for (seconds, date) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_210_096, "2024-02-29T12:34:56Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(timestamp(seconds), date);
        }
    }
}
