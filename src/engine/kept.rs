//! How many findings of one file are kept: a file can hold as many evil members
//! as it likes, and each costs more memory to tell of than to write.

use std::collections::BTreeMap;

use crate::artifact::Artifact;
use crate::input::to_u64;
use crate::limits::Limits;
use crate::rules::Severity;
use crate::stop::Stop;

/// The findings of a file so far.
#[derive(Debug, Default)]
pub(super) struct Kept {
    findings: u64,
    /// The worst that each rule was told with.
    worst: BTreeMap<String, Severity>,
    full: bool,
}

impl Kept {
    /// Counts the findings of an artifact that has just been judged. Beyond the
    /// limit, those go that are no worse than others of their rule.
    pub(super) fn bound(&mut self, artifact: &mut Artifact, limits: &Limits) {
        let left = limits.findings.saturating_sub(self.findings);
        self.findings = self.findings.saturating_add(to_u64(artifact.findings.len()));
        let mut index = 0_u64;
        let mut dropped = false;
        artifact.findings.retain(|finding| {
            index = index.saturating_add(1);
            let worse = self.worst.get(&finding.rule).is_none_or(|worst| *worst < finding.severity);
            if worse {
                self.worst.insert(finding.rule.clone(), finding.severity);
            }
            dropped |= index > left && !worse;
            index <= left || worse
        });
        // An empty list of a member can be larger than the member.
        artifact.findings.shrink_to_fit();
        if dropped && !self.full {
            self.full = true;
            artifact.gaps.push((&Stop::Limit { offset: 0, limit: "findings" }).into());
        }
    }
}
