//! Verdicts per file, and the exit code that repeats them.

use serde::{Deserialize, Serialize};

use crate::report::FileReport;
use crate::rules::Severity;

/// What a scan says of one file, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Recognised, fully examined, and nothing found above severity low.
    Clean,
    /// Not fully examined, and nothing found in what was.
    Incomplete,
    /// A medium finding: a human should look.
    Suspicious,
    /// A high or critical finding.
    Malicious,
}

impl Verdict {
    /// The verdict of a file whose worst finding is `worst`.
    pub fn of(worst: Option<Severity>, has_gaps: bool) -> Self {
        match worst {
            Some(Severity::High | Severity::Critical) => Self::Malicious,
            Some(Severity::Medium) => Self::Suspicious,
            Some(Severity::Low) | None if has_gaps => Self::Incomplete,
            Some(Severity::Low) | None => Self::Clean,
        }
    }

    /// The verdict as reports spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Incomplete => "incomplete",
            Self::Suspicious => "suspicious",
            Self::Malicious => "malicious",
        }
    }
}

/// What the process returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExitCode {
    /// Everything was examined, and nothing reaches the threshold.
    Clean,
    /// A finding at or above the threshold.
    Findings,
    /// Wrong usage, wrong configuration, or an internal error.
    Failure,
    /// Something was not fully examined, or there was nothing to scan.
    Incomplete,
}

impl ExitCode {
    /// The code of a scan: findings outrank gaps, and nothing scanned is
    /// incomplete. `allow_incomplete` makes gaps (not emptiness) pass.
    pub fn of(files: &[FileReport], fail_on: Severity, allow_incomplete: bool) -> Self {
        if files.iter().filter_map(FileReport::worst).any(|worst| worst >= fail_on) {
            Self::Findings
        } else if !allow_incomplete && (files.is_empty() || files.iter().any(|file| !file.gaps.is_empty())) {
            Self::Incomplete
        } else {
            Self::Clean
        }
    }

    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Findings => 1,
            Self::Failure => 2,
            Self::Incomplete => 3,
        }
    }
}
