//! What reports say of triage: findings that somebody has accepted, entries
//! that can go, and severities that the policy has changed.

use crate::policy::{EntryRecord, EntryState, TriageRecord};
use crate::report::text::plural;
use crate::report::{Finding, Report, sanitise};

/// Why a finding does not count; nothing when it does.
pub(super) fn reason(finding: &Finding) -> Option<String> {
    let suppressed = finding.suppressed.as_ref()?;
    Some(format!("suppressed by {}: {}", suppressed.by.name(), sanitise(&suppressed.reason)))
}

/// What the rule said before the policy did; nothing when that is the same.
pub(super) fn changed(finding: &Finding) -> Option<String> {
    Some(format!("{} by policy, {} by rule", finding.severity.name(), finding.rule_severity?.name()))
}

/// Both of a finding, for one line behind it.
pub(super) fn notes(finding: &Finding) -> String {
    let notes: Vec<String> = reason(finding).into_iter().chain(changed(finding)).collect();
    if notes.is_empty() { String::new() } else { format!(" [{}]", notes.join("; ")) }
}

/// How many findings have another severity than their rule; nothing when none
/// has.
pub(super) fn changes(report: &Report) -> Option<String> {
    let findings = report.files.iter().flat_map(|file| &file.findings);
    let changed = findings.filter(|finding| finding.rule_severity.is_some()).count();
    (changed > 0).then(|| format!("{} with a severity by policy, not by rule", plural(changed, "finding")))
}

/// All findings that do not count.
pub(super) fn suppressed(report: &Report) -> Vec<&Finding> {
    let findings = report.files.iter().flat_map(|file| &file.findings);
    findings.filter(|finding| finding.suppressed.is_some()).collect()
}

/// `2 findings suppressed; 1 entry expired, 3 unused`.
pub(super) fn counts(triage: &TriageRecord) -> String {
    format!(
        "{} suppressed; {} expired, {} unused",
        plural(triage.suppressed, "finding"),
        plural(triage.expired, "entry"),
        triage.unused
    )
}

/// The entries of the policy that do nothing any more, a line each.
pub(super) fn idle(triage: &TriageRecord) -> impl Iterator<Item = (&EntryRecord, String)> {
    triage.entries.iter().filter(|entry| entry.state != EntryState::Used).map(|entry| (entry, line(entry)))
}

fn line(entry: &EntryRecord) -> String {
    let state = match (&entry.state, &entry.expires) {
        (EntryState::Expired, Some(day)) => format!("expired on {day}"),
        (state, _) => state.name().to_owned(),
    };
    let files = entry.path.as_deref().or(entry.sha256.as_deref()).unwrap_or_default();
    format!(
        "{state}: line {}, {} in {} ({})",
        entry.line,
        sanitise(&entry.rule),
        sanitise(files),
        sanitise(&entry.reason)
    )
}
