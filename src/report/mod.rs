//! The report: what was scanned, what was found, what was not examined.
//!
//! Renderers are pure functions from [`Report`]; none of them looks at a file
//! or at a clock.

mod accepted;
mod cyclonedx;
mod escape;
mod excerpt;
mod explain;
mod finding;
mod html;
mod in_toto;
mod index;
mod inspect;
mod json;
mod jsonl;
mod junit;
mod lines;
mod markdown;
mod model_card;
mod sanitise;
mod sarif;
mod ssdf;
mod swept;
mod text;
mod text_file;
mod verdict;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::artifact::{Artifact, Gap};
use crate::policy::{PolicyRecord, Triage, TriageRecord};
use crate::rules::{RuleSet, Severity, hex};
use crate::shelter::Sandbox;
use crate::source::HubFile;

pub use cyclonedx::cyclonedx;
pub use excerpt::{Excerpt, Line, Marked, View};
pub use explain::explain;
pub use finding::{FactRecord, Finding, Location};
pub use html::html;
#[cfg(feature = "gate")]
pub(crate) use html::html_hashes;
#[cfg(feature = "gate")]
pub(crate) use in_toto::timestamp;
pub use in_toto::{Predicate, in_toto};
pub use index::{format_table, index};
pub use inspect::{inspect, inspect_imports, inspect_json, inspect_schema};
pub use json::{json, schema};
pub use jsonl::{jsonl, jsonl_line};
pub use junit::junit;
pub use markdown::markdown;
pub use model_card::ModelCard;
pub(crate) use sanitise::is_hidden;
pub use sanitise::sanitise;
pub use sarif::{SarifOptions, sarif};
pub use ssdf::{Concern, FileRecord, RuleResult, Ssdf, TaskEvidence};
pub use swept::{Fetched, NewFinding, Swept};
pub use text::{Style, text};
pub use verdict::{ExitCode, Verdict};

/// Version of the JSON report's shape; grows when a field changes meaning.
pub const SCHEMA_VERSION: u32 = 1;

/// The result of a scan, ready to be rendered.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Report {
    /// Version of this shape.
    pub schema_version: u32,
    /// What scanned.
    pub tool: Tool,
    /// What judged.
    pub ruleset: RuleSetRecord,
    /// What confined the process while it scanned; absent when a library
    /// scanned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<Sandbox>,
    /// The policy that was in force; absent when there was no file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyRecord>,
    /// What was accepted; absent when nothing could be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub triage: Option<TriageRecord>,
    /// What a sweep did; absent for a scan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep: Option<Swept>,
    /// Counts over all files.
    pub summary: Summary,
    /// One entry per file, sorted by path. After a sweep, those with findings
    /// and some of those that were not fully examined.
    pub files: Vec<FileReport>,
}

/// The program that scanned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Tool {
    /// `weighin`.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// The rules that judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RuleSetRecord {
    /// SHA-256 over all rules and name sets, in hex.
    pub digest: String,
    /// How many rules there are.
    pub rules: usize,
}

/// Counts over all files.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Summary {
    /// Files of any verdict.
    pub files: usize,
    /// Bytes in them; those of a file with several names count once.
    pub bytes: u64,
    /// Files per verdict.
    pub clean: usize,
    /// Files with a medium finding and none worse.
    pub suspicious: usize,
    /// Files with a high or critical finding.
    pub malicious: usize,
    /// Files that were not fully examined, and have no finding of medium or
    /// above.
    pub incomplete: usize,
    /// Files with any gap, whatever their verdict.
    pub with_gaps: usize,
    /// Files that the policy leaves out; they are not among the others.
    #[serde(default)]
    pub excluded: usize,
    /// Findings per severity, all files together, suppressed ones aside.
    pub findings: FindingCounts,
    /// The worst verdict of all files; absent when there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
}

/// Findings per severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct FindingCounts {
    /// Of severity low.
    pub low: usize,
    /// Of severity medium.
    pub medium: usize,
    /// Of severity high.
    pub high: usize,
    /// Of severity critical.
    pub critical: usize,
}

/// What is known of one file.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct FileReport {
    /// Path as it was found; for a file in a Hugging Face cache, its name on
    /// the Hub, as `organisation/name@revision:path`. Hostile.
    pub path: String,
    /// Where its bytes are, when `path` does not say. Hostile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored_at: Option<String>,
    /// Which file on the Hugging Face Hub it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hub: Option<HubFile>,
    /// Where a sweep read it from, and what that cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetched: Option<Fetched>,
    /// Length in bytes.
    pub size: u64,
    /// SHA-256 in hex, when every byte was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Format that read it with most certainty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// The verdict.
    pub verdict: Verdict,
    /// What was not examined, here or in any member.
    pub gaps: Vec<Gap>,
    /// What was found, here or in any member, worst first.
    pub findings: Vec<Finding>,
    /// What was examined inside it.
    pub members: Vec<MemberReport>,
}

/// One artifact inside a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct MemberReport {
    /// The chain of names from the file to it. Hostile.
    pub path: Vec<String>,
    /// Length in bytes.
    pub size: u64,
    /// Format that read it with most certainty; absent for raw data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
}

impl FileReport {
    /// Folds an artifact and everything inside it into one entry.
    pub fn new(path: impl Into<String>, artifact: Artifact) -> Self {
        let path = path.into();
        let mut report = Self {
            size: artifact.size,
            sha256: artifact.sha256.map(|digest| hex(&digest)),
            format: artifact.format().map(str::to_owned),
            verdict: Verdict::Clean,
            gaps: Vec::new(),
            findings: Vec::new(),
            members: Vec::new(),
            stored_at: None,
            hub: None,
            fetched: None,
            path,
        };
        report.fold(artifact, &[]);
        report.gaps.sort();
        report.gaps.dedup();
        report.judge();
        report
    }

    /// Draws the verdict from findings and gaps, and sorts the findings.
    pub(crate) fn judge(&mut self) {
        self.findings.sort_by(|a, b| (b.severity, &a.location, &a.rule).cmp(&(a.severity, &b.location, &b.rule)));
        self.verdict = Verdict::of(self.worst(), !self.gaps.is_empty());
    }

    /// Takes out gaps that turned out to be none.
    pub(crate) fn drop_gaps(&mut self, is_none: impl Fn(&Gap) -> bool) {
        self.gaps.retain(|gap| !is_none(gap));
        self.judge();
    }

    fn fold(&mut self, artifact: Artifact, chain: &[String]) {
        self.gaps.extend(artifact.gaps.into_iter().map(|gap| {
            let members = chain.iter().cloned().chain(gap.members).collect();
            Gap { members, ..gap }
        }));
        self.findings.extend(artifact.findings.into_iter().map(|mut finding| {
            finding.put(&self.path, chain);
            finding
        }));
        for member in artifact.members {
            let mut path = chain.to_vec();
            path.push(member.name.clone());
            self.members.push(MemberReport {
                path: path.clone(),
                size: member.size,
                format: member.format().map(str::to_owned),
            });
            self.fold(member, &path);
        }
    }

    /// The same under a name that it has on the Hub; its bytes are at `place`.
    pub fn named(&self, file: &HubFile, place: &str) -> Self {
        let path = file.to_string();
        let mut named = Self { stored_at: Some(place.to_owned()), hub: Some(file.clone()), ..self.clone() };
        for finding in &mut named.findings {
            let members = std::mem::take(&mut finding.location.members);
            finding.put(&path, &members);
        }
        named.path = path;
        named
    }

    /// The same under another name.
    #[cfg(feature = "gate")]
    pub(crate) fn called(mut self, path: String) -> Self {
        self.findings.iter_mut().for_each(|finding| finding.location.path.clone_from(&path));
        self.path = path;
        self
    }

    /// Where its bytes are.
    pub fn place(&self) -> &str {
        self.stored_at.as_deref().unwrap_or(&self.path)
    }

    /// Its findings that nobody has accepted.
    pub fn counted(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.suppressed.is_none())
    }

    /// The worst severity of the findings that count.
    pub fn worst(&self) -> Option<Severity> {
        self.counted().map(|finding| finding.severity).max()
    }
}

impl Report {
    /// A report over `files`, which it sorts by path.
    pub fn new(rules: &RuleSet, mut files: Vec<FileReport>) -> Self {
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Self {
            schema_version: SCHEMA_VERSION,
            tool: Tool { name: "weighin".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
            ruleset: RuleSetRecord { digest: rules.digest().to_owned(), rules: rules.rules().len() },
            sandbox: None,
            policy: None,
            triage: None,
            sweep: None,
            summary: Summary::of(&files),
            files,
        }
    }

    /// The same with one more file.
    #[must_use]
    pub fn with_file(mut self, file: FileReport) -> Self {
        self.files.push(file);
        self.files.sort_by(|a, b| a.path.cmp(&b.path));
        self.recount();
        self
    }

    /// The same with what `triage` accepts marked, which then does not count.
    #[must_use]
    pub fn triaged(mut self, triage: &Triage) -> Self {
        self.policy = triage.policy().cloned();
        self.triage = triage.apply(&mut self.files);
        self.recount();
        self
    }

    /// The same, saying what confined the scan.
    #[must_use]
    pub fn within(mut self, sandbox: Sandbox) -> Self {
        self.sandbox = Some(sandbox);
        self
    }

    fn recount(&mut self) {
        self.summary = Summary { excluded: self.summary.excluded, ..Summary::of(&self.files) };
    }

    /// The exit code: see [`ExitCode::of`].
    pub fn exit_code(&self, fail_on: Severity, allow_incomplete: bool) -> ExitCode {
        ExitCode::of(&self.files, fail_on, allow_incomplete)
    }
}

impl Summary {
    fn of(files: &[FileReport]) -> Self {
        let mut summary = Self::default();
        let mut counted = BTreeSet::new();
        for file in files {
            summary.add(file);
            // A blob with several names is there once.
            if file.stored_at.as_ref().is_some_and(|place| !counted.insert(place)) {
                summary.bytes = summary.bytes.saturating_sub(file.size);
            }
        }
        summary
    }

    /// Counts one more file.
    pub(crate) fn add(&mut self, file: &FileReport) {
        self.files += 1;
        self.bytes = self.bytes.saturating_add(file.size);
        self.with_gaps += usize::from(!file.gaps.is_empty());
        match file.verdict {
            Verdict::Clean => self.clean += 1,
            Verdict::Suspicious => self.suspicious += 1,
            Verdict::Malicious => self.malicious += 1,
            Verdict::Incomplete => self.incomplete += 1,
        }
        for finding in file.counted() {
            match finding.severity {
                Severity::Low => self.findings.low += 1,
                Severity::Medium => self.findings.medium += 1,
                Severity::High => self.findings.high += 1,
                Severity::Critical => self.findings.critical += 1,
            }
        }
        self.verdict = self.verdict.max(Some(file.verdict));
    }
}
