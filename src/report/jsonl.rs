//! JSON Lines: a line per file, each saying by itself what judged it, so that
//! lines of many scans can be put together.

use serde::Serialize;

use crate::policy::PolicyRecord;
use crate::report::{FileReport, Report, SCHEMA_VERSION};

#[derive(Serialize)]
struct Line<'a> {
    schema_version: u32,
    version: &'static str,
    ruleset: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<&'a PolicyRecord>,
    #[serde(flatten)]
    file: &'a FileReport,
}

/// The line of one file, with its newline; what a long scan writes as files
/// are finished. `ruleset` is the digest of the rules, `policy` the file that
/// was in force.
///
/// # Errors
/// Only when serialisation itself fails.
pub fn jsonl_line(file: &FileReport, ruleset: &str, policy: Option<&PolicyRecord>) -> serde_json::Result<String> {
    let line = Line { schema_version: SCHEMA_VERSION, version: env!("CARGO_PKG_VERSION"), ruleset, policy, file };
    serde_json::to_string(&line).map(|text| text + "\n")
}

/// The lines of all files, sorted by path.
///
/// # Errors
/// Only when serialisation itself fails.
pub fn jsonl(report: &Report) -> serde_json::Result<String> {
    report.files.iter().map(|file| jsonl_line(file, &report.ruleset.digest, report.policy.as_ref())).collect()
}
