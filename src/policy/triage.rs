//! Triage: which findings somebody has looked at and accepted.
//!
//! A suppressed finding stays in the report with the reason, and counts
//! neither for the verdict nor for the exit code. Gaps can't be suppressed.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::evidence::Kind;
use crate::policy::{Baseline, Date, Globs, Origin, Policy, PolicyError};
use crate::report::{FileReport, Finding};

/// An entry of the policy: findings of a rule in some files are accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Suppression {
    /// Where it is written.
    pub origin: Origin,
    /// The rule's id.
    pub rule: String,
    /// A glob that the file's path must match.
    pub path: Option<String>,
    /// The digest that the file must have, in hex.
    pub sha256: Option<String>,
    /// Why the findings are accepted.
    pub reason: String,
    /// The last day on which they are.
    pub expires: Option<Date>,
}

/// Why a finding does not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Suppressed {
    /// What suppresses it.
    pub by: SuppressedBy,
    /// Why, in the words of whoever accepted it.
    pub reason: String,
}

/// What suppresses a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SuppressedBy {
    /// An entry of the policy.
    Policy,
    /// The baseline has it.
    Baseline,
    /// The file is on a known-good list, and the policy trusts those.
    KnownGood,
}

impl SuppressedBy {
    /// The name that reports use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Baseline => "baseline",
            Self::KnownGood => "known-good list",
        }
    }
}

/// What the triage of a report did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TriageRecord {
    /// Findings that are suppressed.
    pub suppressed: usize,
    /// Entries that have expired and suppress nothing any more.
    pub expired: usize,
    /// Entries, those of the baseline included, that fit no finding.
    pub unused: usize,
    /// The entries of the policy, in its order.
    pub entries: Vec<EntryRecord>,
    /// Entries of the baseline; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<usize>,
}

/// What an entry of the policy did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct EntryRecord {
    /// Line of the policy file.
    pub line: usize,
    /// The rule's id.
    pub rule: String,
    /// The glob of paths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The file's digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Why.
    pub reason: String,
    /// The last day on which it holds, as YYYY-MM-DD.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// Whether it still does anything.
    pub state: EntryState,
    /// Findings that it suppresses.
    pub findings: usize,
}

/// Whether an entry still does anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EntryState {
    /// It suppresses findings.
    Used,
    /// It fits no finding of this scan.
    Unused,
    /// Its last day is over.
    Expired,
}

impl EntryState {
    /// The name that reports use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Used => "used",
            Self::Unused => "unused",
            Self::Expired => "expired",
        }
    }
}

/// The policy that a report was made under.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PolicyRecord {
    /// Name of its file.
    pub file: String,
    /// SHA-256 of that file, in hex.
    pub sha256: String,
}

/// What is accepted: the policy's entries and a baseline.
#[derive(Debug, Clone)]
pub struct Triage {
    policy: Option<PolicyRecord>,
    entries: Vec<(Suppression, Globs)>,
    baseline: Option<Baseline>,
    trust_known_good: bool,
    today: Date,
}

impl Triage {
    /// What `policy` and `baseline` accept on the day `today`.
    ///
    /// # Errors
    /// [`PolicyError`] when a path of the policy is not a glob.
    pub fn new(policy: &Policy, baseline: Option<Baseline>, today: Date) -> Result<Self, PolicyError> {
        let mut entries = Vec::new();
        for entry in &policy.suppress {
            let globs = Globs::new(&policy.base, entry.path.as_deref().map(|path| (path, entry.origin)));
            let globs = globs.map_err(|(origin, message)| policy.wrong(origin, message))?;
            entries.push((entry.clone(), globs));
        }
        let record = policy.file.as_ref().zip(policy.sha256.clone()).map(|(file, sha256)| PolicyRecord {
            file: file.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            sha256,
        });
        Ok(Self { policy: record, entries, baseline, trust_known_good: policy.trust_known_good.value, today })
    }

    /// The policy's file.
    pub fn policy(&self) -> Option<&PolicyRecord> {
        self.policy.as_ref()
    }

    /// One file as [`Report::triaged`](crate::Report::triaged) has it in the
    /// end, for those who write files as they are finished.
    pub fn mark(&self, mut file: FileReport) -> FileReport {
        if let Some(mut record) = self.nothing_yet() {
            self.file(&mut file, &mut record, &mut BTreeSet::new());
        }
        file
    }

    /// The record of a triage before the first file; none when nothing can be
    /// accepted.
    fn nothing_yet(&self) -> Option<TriageRecord> {
        if self.entries.is_empty() && self.baseline.is_none() && !self.trust_known_good {
            return None;
        }
        Some(TriageRecord {
            entries: self.entries.iter().map(|(entry, _)| self.record(entry)).collect(),
            baseline: self.baseline.as_ref().map(Baseline::len),
            ..TriageRecord::default()
        })
    }

    /// Marks what is accepted in `files`; nothing when nothing could be.
    pub(crate) fn apply(&self, files: &mut [FileReport]) -> Option<TriageRecord> {
        let mut record = self.nothing_yet()?;
        let mut met = BTreeSet::new();
        for file in files {
            self.file(file, &mut record, &mut met);
        }
        for entry in &mut record.entries {
            record.expired += usize::from(entry.state == EntryState::Expired);
            record.unused += usize::from(entry.state == EntryState::Unused);
        }
        record.unused += self.baseline.as_ref().map_or(0, |baseline| baseline.len().saturating_sub(met.len()));
        Some(record)
    }

    fn record(&self, entry: &Suppression) -> EntryRecord {
        let expired = entry.expires.is_some_and(|last| last < self.today);
        EntryRecord {
            line: if let Origin::File(position) = entry.origin { position.line } else { 0 },
            rule: entry.rule.clone(),
            path: entry.path.clone(),
            sha256: entry.sha256.clone(),
            reason: entry.reason.clone(),
            expires: entry.expires.map(|day| day.to_string()),
            state: if expired { EntryState::Expired } else { EntryState::Unused },
            findings: 0,
        }
    }

    /// Marks what is accepted in one file; `met` collects the baseline's
    /// entries that were.
    fn file(&self, file: &mut FileReport, record: &mut TriageRecord, met: &mut BTreeSet<String>) {
        let sha256 = file.sha256.clone();
        let known_good = self.trust_known_good && file.findings.iter().any(is_known_good);
        let here: Vec<bool> = self
            .entries
            .iter()
            .map(|(entry, globs)| {
                entry.sha256.as_ref().is_none_or(|wanted| sha256.as_ref() == Some(wanted))
                    && (entry.path.is_none() || fits_file(globs, file))
            })
            .collect();
        let mut accepts = |finding: &Finding, counts: bool| {
            let by_policy = self.by_policy(finding, &here, counts, record);
            let by_baseline = sha256.as_deref().is_some_and(|sha256| self.by_baseline(finding, sha256, met));
            let accepted = by_policy
                .or(by_baseline
                    .then(|| (SuppressedBy::Baseline, "it was there when the baseline was written".to_owned())));
            let accepted = accepted.or((known_good && !is_digest_match(finding))
                .then(|| (SuppressedBy::KnownGood, "the policy trusts the list, and the file is on it".to_owned())));
            accepted.map(|(by, reason)| Suppressed { by, reason })
        };
        // What a finding that is accepted tells of besides counts by itself,
        // unless that is accepted too.
        let (mut released, mut suppressed) = (Vec::new(), 0);
        for finding in &mut file.findings {
            finding.suppressed = accepts(finding, true);
            let is_accepted = finding.suppressed.is_some();
            suppressed += usize::from(is_accepted);
            released.extend(finding.release(|absorbed| accepts(absorbed, is_accepted).is_none() && is_accepted));
        }
        record.suppressed += suppressed;
        file.findings.append(&mut released);
        file.judge();
    }

    /// Why an entry of the policy accepts a finding; `here` says which of them
    /// are about its file. Whether it `counts`: one that another tells of does
    /// not, while that one stands.
    fn by_policy(
        &self,
        finding: &Finding,
        here: &[bool],
        counts: bool,
        record: &mut TriageRecord,
    ) -> Option<(SuppressedBy, String)> {
        let mut accepted = None;
        for (((entry, _), here), record) in self.entries.iter().zip(here).zip(&mut record.entries) {
            if *here && entry.rule == finding.rule && record.state != EntryState::Expired {
                record.state = EntryState::Used;
                record.findings += usize::from(counts);
                accepted.get_or_insert((SuppressedBy::Policy, entry.reason.clone()));
            }
        }
        accepted
    }

    /// Whether the baseline has a finding; `met` collects those that it has.
    fn by_baseline(&self, finding: &Finding, sha256: &str, met: &mut BTreeSet<String>) -> bool {
        let fingerprint = finding.fingerprint(sha256);
        let has = self.baseline.as_ref().is_some_and(|baseline| baseline.has(&fingerprint));
        if has {
            met.insert(fingerprint);
        }
        has
    }
}

/// Whether globs fit a file's path, or its name on the Hub.
fn fits_file(globs: &Globs, file: &FileReport) -> bool {
    globs.fit(Path::new(file.place())) || file.hub.is_some() && globs.fit_name(&file.path)
}

fn is_digest_match(finding: &Finding) -> bool {
    finding.evidence.kind == Kind::DigestMatch.name()
}

fn is_known_good(finding: &Finding) -> bool {
    is_digest_match(finding) && finding.evidence.value == "known-good" && finding.location.members.is_empty()
}
