//! The baseline: findings that were there when a team began to look.
//!
//! An entry is a fingerprint over rule, content of the file, member and
//! evidence. It covers the same bytes wherever they lie, and never a file that
//! has changed.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::policy::PolicyError;
use crate::report::{Finding, Report};
use crate::rules::hex;

/// Version of the baseline's shape.
const VERSION: u32 = 1;

/// Findings that were there before.
#[derive(Debug, Clone, Default)]
pub struct Baseline {
    entries: BTreeMap<String, Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    baseline_version: u32,
    findings: Vec<Entry>,
}

/// One finding; only the fingerprint is compared, the rest is for the reader.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    fingerprint: String,
    rule: String,
    path: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    members: Vec<String>,
    value: String,
}

impl Baseline {
    /// The baseline of a report: every finding that its policy does not accept
    /// anyway, in files that were read whole.
    pub fn of(report: &Report) -> Self {
        let mut entries = BTreeMap::new();
        for file in &report.files {
            let Some(sha256) = &file.sha256 else { continue };
            for finding in &file.findings {
                let by = finding.suppressed.as_ref().map(|suppressed| suppressed.by);
                if by.is_some_and(|by| by != super::SuppressedBy::Baseline) {
                    continue;
                }
                for finding in std::iter::once(finding).chain(&finding.absorbed) {
                    let fingerprint = finding.fingerprint(sha256);
                    entries.entry(fingerprint.clone()).or_insert_with(|| Entry::of(finding, fingerprint));
                }
            }
        }
        Self { entries }
    }

    /// Reads a baseline that [`to_json`](Self::to_json) wrote.
    ///
    /// # Errors
    /// [`PolicyError`] when it can't be read or is none.
    pub fn load(file: &Path) -> Result<Self, PolicyError> {
        let text = super::find::read(file)?;
        let read: File = serde_json::from_str(&text).map_err(|error| PolicyError::of(file, error))?;
        if read.baseline_version != VERSION {
            return Err(PolicyError::of(file, format!("baseline version {} is unknown", read.baseline_version)));
        }
        Ok(Self { entries: read.findings.into_iter().map(|entry| (entry.fingerprint.clone(), entry)).collect() })
    }

    /// The baseline as JSON, sorted, to be kept under version control.
    ///
    /// # Errors
    /// Only when serialisation itself fails.
    pub fn to_json(&self) -> serde_json::Result<String> {
        let mut findings: Vec<Entry> = self.entries.values().cloned().collect();
        findings.sort_by(|a, b| (&a.path, &a.rule, &a.fingerprint).cmp(&(&b.path, &b.rule, &b.fingerprint)));
        serde_json::to_string_pretty(&File { baseline_version: VERSION, findings }).map(|text| text + "\n")
    }

    /// How many findings it has.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn has(&self, fingerprint: &str) -> bool {
        self.entries.contains_key(fingerprint)
    }
}

impl Entry {
    fn of(finding: &Finding, fingerprint: String) -> Self {
        Self {
            fingerprint,
            rule: finding.rule.clone(),
            path: finding.location.path.clone(),
            members: finding.location.members.clone(),
            value: finding.evidence.value.clone(),
        }
    }
}

impl Finding {
    /// What makes this finding the same in another scan: rule, digest of the
    /// file, member and evidence, as SHA-256 in hex. Paths are not part of it,
    /// nor is anything that a later version may describe better.
    pub fn fingerprint(&self, file_sha256: &str) -> String {
        let mut hasher = Sha256::new();
        let mut part = |text: &str| {
            hasher.update(text.len().to_le_bytes());
            hasher.update(text);
        };
        let distinct = self.evidence.attributes.get("call").or_else(|| self.evidence.attributes.get("name"));
        for text in [&self.rule, file_sha256, &self.evidence.kind, &self.evidence.value] {
            part(text);
        }
        part(distinct.map_or("", String::as_str));
        for member in &self.location.members {
            part(member);
        }
        hex(&hasher.finalize())
    }
}
