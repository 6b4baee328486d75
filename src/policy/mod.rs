//! The policy: what a team decides about findings, written down once.
//!
//! A policy says what fails, what is allowed, what is left out and what has
//! been triaged. It comes from `weighin.toml` or from `[tool.weighin]` in
//! `pyproject.toml`, and [`RuleSet`],
//! [`Scanner`](crate::Scanner) and [`Report`](crate::Report) apply it. Every
//! value remembers where it came from.

mod allow;
mod baseline;
mod date;
mod digests;
mod file;
mod find;
mod paths;
mod show;
mod triage;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::limits::Limits;
use crate::position::Position;
use crate::rules::{RuleError, RuleSet, Severity, hex};

pub(crate) use allow::Allowed;
pub use baseline::Baseline;
pub use date::Date;
pub use digests::DigestLists;
pub use find::{Search, Trees, find};
pub use paths::Globs;
pub(crate) use paths::plain;
pub use triage::{EntryRecord, EntryState, PolicyRecord, Suppressed, SuppressedBy, Suppression, Triage, TriageRecord};

/// A policy, or something that it names, is not what it should be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// Something is wrong in a file.
    #[error("{file}:{} {message}", position.map(|position| format!("{position}:")).unwrap_or_default())]
    Wrong {
        /// The file.
        file: String,
        /// Where in it, when it is at a place.
        position: Option<Position>,
        /// What is wrong.
        message: String,
    },
    /// The rules could not be loaded.
    #[error(transparent)]
    Rules(#[from] RuleError),
}

impl PolicyError {
    /// Something is wrong with a file as a whole.
    pub(crate) fn of(file: &Path, message: impl ToString) -> Self {
        Self::Wrong { file: file.display().to_string(), position: None, message: message.to_string() }
    }
}

/// Where a value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// The policy file, at this place.
    File(Position),
    /// A flag of the command line.
    CommandLine,
}

/// A value, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Where it came from.
    pub origin: Origin,
}

impl<T> Setting<T> {
    /// A value that nobody set.
    pub fn default_of(value: T) -> Self {
        Self { value, origin: Origin::Default }
    }

    /// A value from the command line, which wins over all others.
    pub fn flag(value: T) -> Self {
        Self { value, origin: Origin::CommandLine }
    }
}

/// A policy with every value in force.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Policy {
    /// The file that it came from.
    pub file: Option<PathBuf>,
    /// SHA-256 of that file, in hex.
    pub sha256: Option<String>,
    /// What globs are relative to: the folder of the file, or where the
    /// program runs.
    pub base: PathBuf,
    /// Lowest severity that fails.
    pub fail_on: Setting<Severity>,
    /// Gaps don't fail.
    pub allow_incomplete: Setting<bool>,
    /// Whatever is not reviewed is high.
    pub strict: Setting<bool>,
    /// Findings in files on a known-good list are suppressed.
    pub trust_known_good: Setting<bool>,
    /// Severities by rule id, instead of the rules' own.
    pub severity: BTreeMap<String, Setting<Severity>>,
    /// Python names that count as reviewed: exact, or all below `prefix.*`.
    pub allow_imports: Vec<Setting<String>>,
    /// Operator domains of graphs that count as known.
    pub allow_operator_domains: Vec<Setting<String>>,
    /// Globs of paths that are not scanned.
    pub exclude: Vec<Setting<String>>,
    /// Limits by name.
    pub limits: BTreeMap<String, Setting<u64>>,
    /// Directories of further rules.
    pub rules: Vec<Setting<PathBuf>>,
    /// Lists of digests of files that must never be loaded.
    pub known_bad: Vec<Setting<PathBuf>>,
    /// Lists of digests of files that have been approved.
    pub known_good: Vec<Setting<PathBuf>>,
    /// Findings that have been triaged.
    pub suppress: Vec<Suppression>,
}

impl Policy {
    /// The policy that is in force when there is no other, with globs relative
    /// to `base`.
    pub fn none(base: &Path) -> Self {
        Self {
            file: None,
            sha256: None,
            base: base.to_owned(),
            fail_on: Setting::default_of(Severity::Medium),
            allow_incomplete: Setting::default_of(false),
            strict: Setting::default_of(false),
            trust_known_good: Setting::default_of(false),
            severity: BTreeMap::new(),
            allow_imports: Vec::new(),
            allow_operator_domains: Vec::new(),
            exclude: Vec::new(),
            limits: BTreeMap::new(),
            rules: Vec::new(),
            known_bad: Vec::new(),
            known_good: Vec::new(),
            suppress: Vec::new(),
        }
    }

    /// The policy in `file`.
    ///
    /// # Errors
    /// [`PolicyError`] when it can't be read or is wrong, with the place.
    pub fn load(file: &Path) -> Result<Self, PolicyError> {
        let text = find::read(file)?;
        let mut policy = file::parse(file, &text)?;
        policy.sha256 = Some(hex(&Sha256::digest(text.as_bytes())));
        Ok(policy)
    }

    /// The limits in force.
    pub fn limits(&self) -> Limits {
        let mut limits = Limits::default();
        for (name, setting) in &self.limits {
            // Names were checked when the policy was read.
            let _ = limits.set(name, setting.value);
        }
        limits
    }

    /// The embedded rules and those of the policy's directories, as it wants
    /// them.
    ///
    /// # Errors
    /// [`PolicyError`] when a directory's rules are wrong, or the policy names
    /// a rule that is not there.
    pub fn rule_set(&self) -> Result<RuleSet, PolicyError> {
        let limits = self.limits();
        let mut rules = RuleSet::embedded()?;
        for directory in &self.rules {
            rules = rules.with_directory(&directory.value, &limits)?;
        }
        rules.with_policy(self)
    }

    /// Which paths are not scanned.
    ///
    /// # Errors
    /// [`PolicyError`] when a pattern is not a glob.
    pub fn excluded(&self) -> Result<Globs, PolicyError> {
        let globs = self.exclude.iter().map(|glob| (glob.value.as_str(), glob.origin));
        Globs::new(&self.base, globs).map_err(|(origin, message)| self.wrong(origin, message))
    }

    /// The lists of digests.
    ///
    /// # Errors
    /// [`PolicyError`] when a list can't be read or is wrong.
    pub fn digest_lists(&self) -> Result<DigestLists, PolicyError> {
        DigestLists::load(
            self.known_bad.iter().map(|list| list.value.as_path()),
            self.known_good.iter().map(|list| list.value.as_path()),
        )
    }

    /// All files and directories that the policy makes use of, itself
    /// included.
    pub fn sources(&self) -> impl Iterator<Item = &Path> {
        let settings = [&self.rules, &self.known_bad, &self.known_good].into_iter().flatten();
        self.file.as_deref().into_iter().chain(settings.map(|setting| setting.value.as_path()))
    }

    /// Something is wrong with a value that came from `origin`.
    pub(crate) fn wrong(&self, origin: Origin, message: impl Into<String>) -> PolicyError {
        let (file, position) = match (origin, &self.file) {
            (Origin::File(position), Some(file)) => (file.display().to_string(), Some(position)),
            (Origin::CommandLine, _) => ("command line".to_owned(), None),
            _ => ("policy".to_owned(), None),
        };
        PolicyError::Wrong { file, position, message: message.into() }
    }
}
