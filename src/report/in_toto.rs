//! in-toto Statements v1 over the digests of the files that were scanned, not
//! signed: `cosign attest-blob` and the like do that.

use serde_json::{Value, json};

use crate::policy::Date;
use crate::report::{FileReport, Finding, Report};
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
        "metadata": metadata(report, time),
    })
}

/// When, and under which policy: the predicate has no place for what was
/// found and does not count, and a reader must be able to tell.
fn metadata(report: &Report, time: &str) -> Value {
    let mut metadata = json!({ "scanStartedOn": time, "scanFinishedOn": time });
    if let Some(members) = metadata.as_object_mut() {
        members.extend(report.policy.as_ref().map(|policy| ("policy".to_owned(), json!(policy))));
        members.extend(report.triage.as_ref().map(|triage| {
            let suppressed: Vec<Value> = report.files.iter().flat_map(suppressed).collect();
            let counts = json!({
                "suppressed": triage.suppressed, "expired": triage.expired, "unused": triage.unused,
                "result": suppressed,
            });
            ("triage".to_owned(), counts)
        }));
    }
    metadata
}

/// What stands against a file. An empty list means that all is well, so a gap
/// is a result too, and what is accepted is none.
fn results(file: &FileReport) -> Vec<Value> {
    let gaps = file.gaps.iter().map(|gap| {
        let place = json!({
            "path": file.path, "sha256": file.sha256, "members": gap.members, "message": gap.detail,
        });
        entry(&format!("not-examined-{}", gap.reason.name()), "incomplete", &place)
    });
    file.counted().map(|finding| result(file, finding)).chain(gaps).collect()
}

/// What was found in a file and is accepted.
fn suppressed(file: &FileReport) -> Vec<Value> {
    file.findings.iter().filter(|finding| finding.suppressed.is_some()).map(|finding| result(file, finding)).collect()
}

fn result(file: &FileReport, finding: &Finding) -> Value {
    let mut place = json!({
        "path": file.path, "sha256": file.sha256, "members": finding.location.members,
        "offset": finding.location.offset, "message": finding.message,
    });
    if let Some(members) = place.as_object_mut() {
        members.extend(finding.rule_severity.map(|own| ("ruleSeverity".to_owned(), json!(own.name()))));
        members.extend(finding.suppressed.as_ref().map(|suppressed| ("suppressed".to_owned(), json!(suppressed))));
    }
    entry(&finding.rule, finding.severity.name(), &place)
}

fn entry(id: &str, score: &str, annotations: &Value) -> Value {
    json!({ "id": id, "severity": [{ "method": "weighin", "score": score }], "annotations": [annotations] })
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
        if report.triage.as_ref().is_none_or(|triage| triage.suppressed == 0) {
            properties.push("WEIGHIN_NOTHING_SUPPRESSED");
        }
    }
    let mut policies = vec![json!({ "name": "weighin-rules", "digest": { "sha256": report.ruleset.digest } })];
    let file = report.policy.as_ref();
    policies.extend(file.map(|policy| json!({ "name": policy.file, "digest": { "sha256": policy.sha256 } })));
    json!({
        "verifier": { "id": scanner_uri(report), "policies": policies },
        "timeCreated": time,
        "properties": properties,
    })
}

/// RFC 3339 in UTC.
pub(crate) fn timestamp(seconds: u64) -> String {
    let second = seconds % 86_400;
    format!("{}T{:02}:{:02}:{:02}Z", Date::from_unix(seconds), second / 3600, second / 60 % 60, second % 60)
}
