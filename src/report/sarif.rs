//! SARIF 2.1.0, as GitHub code scanning reads it
//! (<https://docs.github.com/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning>).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::artifact::{Gap, GapReason};
use crate::report::escape::{cut, uri_path};
use crate::report::{Excerpt, FileReport, Finding, Line, Report, View, accepted, explain, sanitise};
use crate::rules::{Confidence, Rule, RuleSet, Severity};

/// Results that GitHub shows of a run; it takes more, and hides them.
const RESULTS: usize = 5000;
/// Rules that GitHub takes of a run.
const RULES: usize = 25_000;
/// Tags that GitHub takes of a rule.
const TAGS: usize = 20;
/// Longest `shortDescription.text` and `fullDescription.text`, in characters.
const DESCRIPTION: usize = 1024;
/// Longest `name` of a rule, in characters.
const NAME: usize = 255;
/// Artifacts and notifications in a run: GitHub takes 10 MB when compressed,
/// of which a digest is 32 bytes.
const ARTIFACTS: usize = 50_000;
const NOTIFICATIONS: usize = 5000;

/// Columns of rows of bytes and of programs.
const COLUMNS: usize = 100;

/// What a SARIF log needs to know beyond the report.
#[derive(Clone, Copy)]
pub struct SarifOptions<'a> {
    /// Where a file is, seen from the root of the repository, with `/` between
    /// names and symbolic links resolved; an absolute path for a file outside.
    pub place: &'a dyn Fn(&str) -> String,
    /// Tells several uploads of one commit apart; without it, a later one
    /// replaces an earlier one.
    pub category: Option<&'a str>,
}

impl std::fmt::Debug for SarifOptions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SarifOptions").field("category", &self.category).finish_non_exhaustive()
    }
}

/// The report as a SARIF log with one run.
///
/// # Errors
/// Only when serialisation itself fails.
pub fn sarif(report: &Report, rules: &RuleSet, options: &SarifOptions<'_>) -> serde_json::Result<String> {
    let declared = declared(report, rules);
    let rule_index: BTreeMap<&str, usize> =
        declared.iter().enumerate().map(|(index, rule)| (rule.id.as_str(), index)).collect();
    let mut worst_first: Vec<(&FileReport, &Finding)> =
        report.files.iter().flat_map(|file| file.findings.iter().map(move |finding| (file, finding))).collect();
    worst_first.sort_by_key(|(_, finding)| (finding.suppressed.is_some(), std::cmp::Reverse(finding.severity)));
    let found = worst_first.len();
    worst_first.truncate(RESULTS);

    let mut run = Run { options, triaged: report.triage.is_some(), artifacts: Vec::new(), index: BTreeMap::new() };
    let results: Vec<Value> =
        worst_first.iter().map(|(file, finding)| run.result(file, finding, &rule_index)).collect();
    let gaps: Vec<(&FileReport, &Gap)> =
        report.files.iter().flat_map(|file| file.gaps.iter().map(move |gap| (file, gap))).collect();
    let mut notifications: Vec<Value> =
        gaps.iter().take(NOTIFICATIONS).map(|(file, gap)| run.notification(file, gap)).collect();
    for file in &report.files {
        run.artifact(file);
    }
    let left_out = [
        (found.saturating_sub(RESULTS), "results, the suppressed and the least severe"),
        (gaps.len().saturating_sub(NOTIFICATIONS), "notifications of files that were not fully examined"),
        (report.files.len().saturating_sub(run.artifacts.len()), "artifacts"),
        (rules.rules().len().saturating_sub(declared.len()), "rules that did not fire"),
    ];
    for (count, what) in left_out.into_iter().filter(|(count, _)| *count > 0) {
        let text = format!("{count} {what} were left out of this log; the JSON report has everything");
        notifications
            .push(json!({ "level": "warning", "message": { "text": text }, "descriptor": { "id": "left-out" } }));
    }
    let whole = gaps.iter().all(|(_, gap)| gap.reason != GapReason::Panic);
    let mut log = json!({
        "tool": { "driver": {
            "name": report.tool.name,
            "semanticVersion": report.tool.version,
            "rules": declared.iter().map(|rule| descriptor(rule)).collect::<Vec<_>>(),
            "properties": { "ruleset": report.ruleset.digest },
        }},
        "columnKind": "unicodeCodePoints",
        "invocations": [{
            "executionSuccessful": whole,
            "toolExecutionNotifications": notifications,
            "toolConfigurationNotifications": idle(report),
        }],
        "artifacts": run.artifacts,
        "results": results,
        "properties": properties(report),
    });
    if let (Some(category), Some(members)) = (options.category, log.as_object_mut()) {
        members.insert("automationDetails".to_owned(), json!({ "id": format!("{category}/") }));
    }
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [log],
    });
    serde_json::to_string_pretty(&log).map(|text| text + "\n")
}

/// Entries of the policy that can go.
fn idle(report: &Report) -> Vec<Value> {
    let entries = report.triage.iter().flat_map(accepted::idle).take(NOTIFICATIONS);
    let notification = |(entry, line): (&crate::policy::EntryRecord, String)| {
        json!({
            "descriptor": { "id": format!("suppression-{}", entry.state.name()) },
            "level": "note",
            "message": { "text": plain(&line) },
        })
    };
    entries.map(notification).collect()
}

/// What was in force, and what it did in numbers.
fn properties(report: &Report) -> Value {
    let triage = report.triage.as_ref().map(|triage| {
        json!({
            "suppressed": triage.suppressed, "expired": triage.expired, "unused": triage.unused,
            "baseline": triage.baseline,
        })
    });
    json!({ "policy": report.policy, "triage": triage })
}

/// All rules, or those that fired when there are more than GitHub takes.
fn declared<'r>(report: &Report, rules: &'r RuleSet) -> Vec<&'r Rule> {
    let mut declared = rules.rules();
    if declared.len() > RULES {
        let fired: std::collections::BTreeSet<&str> =
            report.files.iter().flat_map(|file| &file.findings).map(|finding| finding.rule.as_str()).collect();
        declared.retain(|rule| fired.contains(rule.id.as_str()));
    }
    declared
}

fn descriptor(rule: &Rule) -> Value {
    let why = rule.why.trim();
    let first = why.split("\n\n").next().unwrap_or(why).replace('\n', " ");
    let first = if first.is_empty() { rule.title.clone() } else { first };
    let mut tags = vec!["security".to_owned(), "machine-learning".to_owned()];
    tags.extend(rule.cwe.iter().map(|cwe| format!("external/cwe/{}", cwe.to_lowercase())));
    tags.extend(rule.atlas.iter().map(|technique| format!("external/mitre-atlas/{}", technique.to_lowercase())));
    tags.extend(rule.cve.iter().chain(&rule.ssdf).cloned());
    tags.truncate(TAGS);
    let mut descriptor = json!({
        "id": rule.id,
        "name": cut(&rule.title, NAME),
        "shortDescription": { "text": cut(&rule.title, DESCRIPTION) },
        "fullDescription": { "text": cut(&first, DESCRIPTION) },
        "help": { "text": format!("{why}\n\nWhat to do: {}", rule.remediation), "markdown": explain(rule) },
        "defaultConfiguration": { "level": level(rule.severity) },
        "properties": {
            "precision": precision(rule.confidence),
            "security-severity": security_severity(rule.severity),
            "tags": tags,
        },
    });
    let page = rule.references.iter().find(|reference| reference.starts_with("https://"));
    if let (Some(page), Some(members)) = (page, descriptor.as_object_mut()) {
        members.insert("helpUri".to_owned(), json!(page));
    }
    descriptor
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low => "note",
    }
}

/// In the middle of the range that GitHub gives each name.
fn security_severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.5",
        Severity::Low => "2.0",
    }
}

fn precision(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::High => "very-high",
        Confidence::Medium => "medium",
        Confidence::Low => "low",
    }
}

/// The artifacts of a run as they are met.
struct Run<'a> {
    options: &'a SarifOptions<'a>,
    /// Whether results say if they are suppressed: all do, or none.
    triaged: bool,
    artifacts: Vec<Value>,
    index: BTreeMap<String, usize>,
}

impl Run<'_> {
    fn location(&self, path: &str) -> Value {
        let place = (self.options.place)(path);
        if place.starts_with('/') {
            json!({ "uri": format!("file://{}", uri_path(&place)) })
        } else {
            json!({ "uri": uri_path(&place), "uriBaseId": "%SRCROOT%" })
        }
    }

    /// The index of the file's artifact, when there is room for it.
    fn artifact(&mut self, file: &FileReport) -> Option<usize> {
        if let Some(index) = self.index.get(&file.path) {
            return Some(*index);
        }
        if self.artifacts.len() >= ARTIFACTS {
            return None;
        }
        let mut artifact = json!({
            "location": self.location(file.place()),
            "length": file.size,
            "roles": ["analysisTarget"],
            "properties": { "format": file.format, "verdict": file.verdict.name() },
        });
        if let (Some(digest), Some(members)) = (&file.sha256, artifact.as_object_mut()) {
            members.insert("hashes".to_owned(), json!({ "sha-256": digest }));
        }
        self.artifacts.push(artifact);
        let index = self.artifacts.len() - 1;
        self.index.insert(file.path.clone(), index);
        Some(index)
    }

    fn physical(&mut self, file: &FileReport) -> Value {
        let mut location = self.location(file.place());
        if let (Some(index), Some(members)) = (self.artifact(file), location.as_object_mut()) {
            members.insert("index".to_owned(), json!(index));
        }
        location
    }

    fn result(&mut self, file: &FileReport, finding: &Finding, rules: &BTreeMap<&str, usize>) -> Value {
        let own = finding.location.members.is_empty();
        let region = region(finding);
        let mut logical = Vec::new();
        if !own {
            let name = sanitise(&finding.location.members.join("!"));
            logical.push(json!({ "fullyQualifiedName": name, "kind": "member", "properties": {
                "byteOffset": finding.location.offset, "byteLength": finding.location.length,
            }}));
        }
        let mut physical = json!({ "artifactLocation": self.physical(file), "region": region });
        if let (true, Some(around), Some(members)) =
            (own, finding.excerpt.as_ref().and_then(context), physical.as_object_mut())
        {
            members.insert("contextRegion".to_owned(), around);
        }
        let mut location = json!({ "physicalLocation": physical });
        if let (false, Some(members)) = (logical.is_empty(), location.as_object_mut()) {
            members.insert("logicalLocations".to_owned(), json!(logical));
        }
        let text = format!("{} ({}). {}", finding.message, finding.location, finding.remediation);
        let mut result = json!({
            "ruleId": finding.rule,
            "ruleIndex": rules.get(finding.rule.as_str()).and_then(|index| i64::try_from(*index).ok()).unwrap_or(-1),
            "level": level(finding.severity),
            "message": { "text": plain(&text) },
            "locations": [location],
            "occurrenceCount": finding.occurrences.max(1),
            "partialFingerprints": { "primaryLocationLineHash": fingerprint(file, finding) },
            "properties": {
                "evidence": finding.evidence.kind,
                "severity": finding.severity.name(),
                "ruleSeverity": finding.rule_severity.unwrap_or(finding.severity).name(),
                "confidence": finding.confidence.name(),
            },
        });
        if let (true, Some(members)) = (self.triaged, result.as_object_mut()) {
            members.insert("suppressions".to_owned(), suppressions(finding));
        }
        result
    }

    fn notification(&mut self, file: &FileReport, gap: &Gap) -> Value {
        let place: Vec<&str> =
            std::iter::once(file.path.as_str()).chain(gap.members.iter().map(String::as_str)).collect();
        let text = format!("not fully examined: {}: {} ({})", gap.reason.name(), gap.detail, place.join("!"));
        json!({
            "descriptor": { "id": gap.reason.name() },
            "level": if gap.reason == GapReason::Panic { "error" } else { "warning" },
            "message": { "text": plain(&text) },
            "locations": [{ "physicalLocation": { "artifactLocation": self.physical(file) } }],
        })
    }
}

/// Where in the file: of a text the lines. GitHub wants a line, and a model has
/// none; the bytes follow. Those of a member are not the file's, and stand with
/// the member's name.
fn region(finding: &Finding) -> Value {
    let mut region = serde_json::Map::new();
    region.insert("startLine".to_owned(), json!(1));
    let own = finding.location.members.is_empty();
    if own {
        region.insert("byteOffset".to_owned(), json!(finding.location.offset));
        region.insert("byteLength".to_owned(), json!(finding.location.length));
    }
    let Some(excerpt) = &finding.excerpt else { return region.into() };
    let marked: Vec<&Line> = excerpt.lines.iter().filter(|line| line.marked.is_some()).collect();
    let lines = (own && excerpt.view == View::Source).then_some(marked.first().zip(marked.last())).flatten();
    match lines {
        Some((first, last)) => {
            region.insert("startLine".to_owned(), json!(first.at));
            region.insert("endLine".to_owned(), json!(last.at));
            region.insert("snippet".to_owned(), json!({ "text": snippet(marked.iter().copied()) }));
        }
        None => {
            let text = excerpt.plain(COLUMNS).join("\n");
            region.insert("snippet".to_owned(), json!({ "rendered": { "text": text } }));
        }
    }
    region.into()
}

/// The lines around a finding in a text.
fn context(excerpt: &Excerpt) -> Option<Value> {
    let (first, last) = excerpt.lines.first().zip(excerpt.lines.last())?;
    let around = excerpt.view == View::Source && excerpt.lines.iter().any(|line| line.marked.is_none());
    around.then(|| {
        let text = snippet(excerpt.lines.iter());
        json!({ "startLine": first.at, "endLine": last.at, "snippet": { "text": text } })
    })
}

fn snippet<'l>(lines: impl Iterator<Item = &'l Line>) -> String {
    lines.map(|line| sanitise(&line.text.replace('\t', "    "))).collect::<Vec<_>>().join("\n")
}

fn suppressions(finding: &Finding) -> Value {
    let suppression = finding.suppressed.iter().map(|suppressed| {
        json!({
            "kind": "external", "status": "accepted", "justification": sanitise(&suppressed.reason),
            "properties": { "by": suppressed.by },
        })
    });
    suppression.collect()
}

/// A plain text message: viewers make links of `[text](target)`.
fn plain(text: &str) -> String {
    sanitise(text).replace("](", "] (")
}

/// The same wherever the file lies, another when its content is another. A
/// file that could not be read whole is known by its path.
fn fingerprint(file: &FileReport, finding: &Finding) -> String {
    let digest: String = finding.fingerprint(file.sha256.as_deref().unwrap_or(&file.path)).chars().take(32).collect();
    digest + ":1"
}
