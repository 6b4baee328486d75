//! Rules: what evidence means. Declarations live in `rules/`, embedded at
//! build; `--rules DIR` adds to them.

mod check;
mod declaration;
mod directory;
mod merge;
mod policy;
pub mod ssdf;
mod when;
mod yara;

use std::collections::BTreeMap;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::artifact::Artifact;
use crate::evidence::{CARRIED, Evidence, Kind};
use crate::limits::Limits;
use crate::names;
use crate::policy::{Allowed, Policy, PolicyError};
use crate::position::Position;
use crate::report::Finding;

pub use check::{Problem, check};
pub use declaration::{Confidence, Examples, OneOrMany, Rule, Severity, When};
pub use policy::CLASSES;
pub(crate) use yara::{Subject, YaraFound, YaraHit, YaraScanner, YaraSet};

use when::Matcher;

/// A rule set could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
    /// A declaration is not what it should be.
    #[error("{file}:{} {message}", position.map(|position| format!("{position}:")).unwrap_or_default())]
    Declaration {
        /// The file, as it was given.
        file: String,
        /// Where in it, when it is at a place.
        position: Option<Position>,
        /// What is wrong.
        message: String,
    },
    /// Compiled YARA rules don't fit this build.
    #[error("embedded YARA rules: {message}")]
    Embedded {
        /// What yara-x says.
        message: String,
    },
}

/// The rules that a scan applies, checked and indexed.
#[derive(Debug)]
pub struct RuleSet {
    rules: Vec<Loaded>,
    by_id: BTreeMap<String, usize>,
    by_kind: BTreeMap<Kind, Vec<usize>>,
    /// By namespace and identifier.
    by_yara: BTreeMap<(String, String), usize>,
    yara: Vec<YaraSet>,
    digest: String,
    /// SHA-256 over the YARA rules, in hex.
    yara_digest: String,
    strict: bool,
    allowed: Allowed,
}

#[derive(Debug)]
struct Loaded {
    rule: Rule,
    /// Its own severity, where the policy has changed it.
    declared_severity: Option<Severity>,
    matcher: Option<Matcher>,
}

const EMBEDDED_RULES: &str = include_str!(concat!(env!("OUT_DIR"), "/rules.json"));
const EMBEDDED_NAMES: &str = include_str!(concat!(env!("OUT_DIR"), "/names.rs"));
const EMBEDDED_YARA: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/rules.yarc"));

/// How the declaration of a YARA rule is had.
type DeclaredBy = fn(&yara_x::Rule<'_, '_>) -> Result<Rule, String>;

/// What is wrong with a declaration, in words, and the key that it is about.
#[derive(Debug, Default)]
struct Wrong {
    key: Vec<String>,
    message: String,
}

impl Wrong {
    fn at(key: &[&str], message: impl Into<String>) -> Self {
        Self { key: key.iter().map(|part| (*part).to_owned()).collect(), message: message.into() }
    }
}

impl RuleSet {
    /// The rules that are built in.
    ///
    /// # Errors
    /// [`RuleError`] when the build embedded something that it can't load
    /// itself, which the tests of weighin rule out.
    pub fn embedded() -> Result<Self, RuleError> {
        let rules: Vec<Rule> = serde_json::from_str(EMBEDDED_RULES).map_err(|error| embedded(error.to_string()))?;
        let yara = yara::embedded(EMBEDDED_YARA).map_err(|message| RuleError::Embedded { message })?;
        let mut set = Self {
            rules: Vec::new(),
            by_id: BTreeMap::new(),
            by_kind: BTreeMap::new(),
            by_yara: BTreeMap::new(),
            yara: Vec::new(),
            digest: String::new(),
            yara_digest: hex(&Sha256::digest(EMBEDDED_YARA)),
            strict: false,
            allowed: Allowed::default(),
        };
        for rule in rules {
            set.add(rule).map_err(|wrong| embedded(wrong.message))?;
        }
        if let Some((rule, message)) = set.add_yara(&yara, yara::declaration).into_iter().next() {
            return Err(embedded(format!("{rule}: {message}")));
        }
        set.yara.push(yara);
        let mut hasher = Sha256::new();
        hasher.update(EMBEDDED_RULES);
        hasher.update(EMBEDDED_NAMES);
        for rule in &set.rules {
            hasher.update(format!("{:?}", rule.rule));
        }
        set.digest = hex(&hasher.finalize());
        Ok(set)
    }

    /// The same under the allow-list policy: whatever is not reviewed is high.
    #[must_use]
    pub fn strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// The same as a policy wants it: severities, names and operators that are
    /// allowed, and whether it is an allow-list.
    ///
    /// # Errors
    /// [`PolicyError`] when the policy names a rule that is not there.
    pub fn with_policy(mut self, policy: &Policy) -> Result<Self, PolicyError> {
        let mut hasher = Sha256::new();
        hasher.update(&self.digest);
        for (id, severity) in &policy.severity {
            let Some(loaded) = self.rules.iter_mut().find(|loaded| loaded.rule.id == *id) else {
                return Err(policy.wrong(severity.origin, format!("there is no rule {id}")));
            };
            let declared = *loaded.declared_severity.get_or_insert(loaded.rule.severity);
            loaded.declared_severity = (declared != severity.value).then_some(declared);
            loaded.rule.severity = severity.value;
            hasher.update(format!("{id} {}\n", severity.value.name()));
        }
        if let Some(unknown) = policy.suppress.iter().find(|suppress| self.rule(&suppress.rule).is_none()) {
            return Err(policy.wrong(unknown.origin, format!("there is no rule {}", unknown.rule)));
        }
        self.allowed = Allowed::new(policy);
        hasher.update(format!("{:?}", self.allowed));
        if !policy.severity.is_empty() || !self.allowed.is_empty() {
            self.digest = hex(&hasher.finalize());
        }
        Ok(self.strict(policy.strict.value))
    }

    /// The same with the rules of a directory added: evidence rules in
    /// `*.toml`, YARA rules in `*.yar` and `*.yara`.
    ///
    /// # Errors
    /// [`RuleError`] for the first file that can't be read or is wrong.
    pub fn with_directory(mut self, directory: &Path, limits: &Limits) -> Result<Self, RuleError> {
        match self.extend(directory, limits).into_iter().next() {
            Some(error) => Err(error),
            None => Ok(self),
        }
    }

    /// Adds what is right in a directory, and tells all that is wrong.
    fn extend(&mut self, directory: &Path, limits: &Limits) -> Vec<RuleError> {
        let files = match directory::files(directory, limits) {
            Ok(files) => files,
            Err(error) => return vec![error],
        };
        let mut errors = Vec::new();
        let mut left = limits.header_bytes;
        let mut hasher = Sha256::new();
        hasher.update(&self.digest);
        let mut sources: Vec<yara::Source> = Vec::new();
        for path in files {
            let text = match directory::read(&path, limits, &mut left) {
                Ok(text) => text,
                Err(error) => {
                    errors.push(error);
                    continue;
                }
            };
            hasher.update(&text);
            if path.extension().is_some_and(|extension| extension == "toml") {
                errors.extend(self.add_text(&text, &path.display().to_string()).err());
            } else {
                sources.push(yara::Source { file: path, text });
            }
        }
        if !sources.is_empty() {
            let mut yara = Sha256::new();
            yara.update(&self.yara_digest);
            sources.iter().for_each(|source| yara.update(&source.text));
            self.yara_digest = hex(&yara.finalize());
            // The embedded rules are the first.
            let mut compiled = yara::compile(sources, &format!("rules-{}", self.yara.len()), limits);
            errors.append(&mut compiled.errors);
            let wrong = self.add_yara(&compiled.set, yara::of_user);
            errors.extend(wrong.into_iter().map(|(rule, message)| compiled.wrong(&rule, message)));
            self.yara.push(compiled.set);
        }
        self.digest = hex(&hasher.finalize());
        errors
    }

    fn add_text(&mut self, text: &str, file: &str) -> Result<(), RuleError> {
        let wrong = |position, message| RuleError::Declaration { file: file.to_owned(), position, message };
        let rule: Rule = toml::from_str(text)
            .map_err(|error| wrong(Position::of_error(text, &error), error.message().to_owned()))?;
        self.add(rule).map_err(|error| {
            let key: Vec<&str> = error.key.iter().map(String::as_str).collect();
            wrong(Position::of_key(text, &key), error.message)
        })
    }

    fn add(&mut self, rule: Rule) -> Result<(), Wrong> {
        if self.rule(&rule.id).is_some() {
            return Err(Wrong::at(&["id"], format!("the id {} is used twice", rule.id)));
        }
        let matcher = rule.when.as_ref().map(Matcher::new).transpose()?;
        let index = self.rules.len();
        self.by_id.insert(rule.id.clone(), index);
        if let Some(matcher) = &matcher {
            for kind in &matcher.kinds {
                self.by_kind.entry(*kind).or_default().push(index);
            }
        }
        self.rules.push(Loaded { rule, declared_severity: None, matcher });
        Ok(())
    }

    /// Adds compiled rules; what is wrong comes with the rule's identifier.
    fn add_yara(&mut self, compiled: &YaraSet, declared: DeclaredBy) -> Vec<(String, String)> {
        let mut errors = Vec::new();
        // A private rule is a part of others, and never matches by itself.
        for rule in compiled.rules().filter(|rule| !rule.is_private()) {
            let added = declared(&rule).and_then(|declared| self.add(declared).map_err(|wrong| wrong.message));
            match added {
                Ok(()) => {
                    let name = (rule.namespace().to_owned(), rule.identifier().to_owned());
                    self.by_yara.insert(name, self.rules.len() - 1);
                }
                Err(message) => errors.push((rule.identifier().to_owned(), message)),
            }
        }
        errors
    }

    /// All rules, in the order of their ids.
    pub fn rules(&self) -> Vec<&Rule> {
        let mut rules: Vec<&Rule> = self.rules.iter().map(|loaded| &loaded.rule).collect();
        rules.sort_by(|a, b| a.id.cmp(&b.id));
        rules
    }

    /// The rule with this id.
    pub fn rule(&self, id: &str) -> Option<&Rule> {
        self.by_id.get(id).and_then(|index| self.rules.get(*index)).map(|loaded| &loaded.rule)
    }

    /// SHA-256 over everything that decides verdicts, in hex: two reports with
    /// the same digest were judged alike.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// SHA-256 over the rules that look at bytes and not at facts, in hex: those
    /// which can't be applied without reading again.
    #[cfg(feature = "sweep")]
    pub(crate) fn yara_digest(&self) -> &str {
        &self.yara_digest
    }

    /// Whether only what is reviewed passes.
    #[cfg(feature = "sweep")]
    pub(crate) fn is_strict(&self) -> bool {
        self.strict
    }

    /// Whether somebody has added YARA rules.
    pub(crate) fn has_foreign_yara(&self) -> bool {
        self.yara.iter().any(YaraSet::is_foreign)
    }

    pub(crate) fn yara_scanner(&self) -> YaraScanner<'_> {
        YaraScanner::new(&self.yara)
    }

    /// Turns the evidence of one artifact into findings: one per rule and
    /// distinct fact.
    pub(crate) fn judge(&self, artifact: &mut Artifact) {
        let mut findings: BTreeMap<(usize, String), Finding> = BTreeMap::new();
        for evidence in &artifact.evidence {
            let mut class = None;
            if evidence.kind == Kind::YaraMatch {
                let namespace = evidence.attribute("namespace").unwrap_or_default();
                if let Some(index) = self.by_yara.get(&(namespace.to_owned(), evidence.value.clone()))
                    && self.rules.get(*index).is_some_and(|loaded| self.applies(&loaded.rule, artifact))
                {
                    self.report(*index, evidence, &mut findings);
                }
                continue;
            }
            let Some(candidates) = self.by_kind.get(&evidence.kind) else { continue };
            for index in candidates {
                let Some(loaded) = self.rules.get(*index) else { continue };
                if self.applies(&loaded.rule, artifact)
                    && loaded.matcher.as_ref().is_some_and(|matcher| matcher.fits(evidence, &self.allowed, &mut class))
                {
                    self.report(*index, evidence, &mut findings);
                }
            }
        }
        artifact.findings = merge::merge(findings.into_values().collect(), &artifact.evidence);
        artifact.findings.sort_by(|a, b| {
            (std::cmp::Reverse(a.severity), a.location.offset, &a.rule).cmp(&(
                std::cmp::Reverse(b.severity),
                b.location.offset,
                &b.rule,
            ))
        });
    }

    fn applies(&self, rule: &Rule, artifact: &Artifact) -> bool {
        let in_format = rule.formats.is_empty()
            || artifact.formats.iter().any(|format| rule.formats.iter().any(|wanted| wanted == format));
        let explained = artifact.formats.iter().any(|format| rule.not_formats.iter().any(|other| other == format));
        in_format && !explained && (self.strict || !rule.strict)
    }

    fn report(&self, index: usize, evidence: &Evidence, findings: &mut BTreeMap<(usize, String), Finding>) {
        let Some(loaded) = self.rules.get(index) else { return };
        // The same fact at another place is one finding that counts.
        let distinct = evidence.attribute("call").or_else(|| evidence.attribute("name")).unwrap_or(&evidence.value);
        let key = (index, format!("{}\u{0}{distinct}", evidence.value));
        findings.entry(key).and_modify(|finding| finding.occurrences += 1).or_insert_with(|| {
            let mut finding =
                Finding { rule_severity: loaded.declared_severity, ..Finding::new(&loaded.rule, evidence) };
            if evidence.attribute(CARRIED).is_some() {
                finding.severity = finding.severity.milder();
                finding.message.push_str("; it is carried as data, and loading the file around it does not load it");
            }
            finding
        });
    }
}

fn embedded(message: String) -> RuleError {
    RuleError::Declaration { file: "embedded".to_owned(), position: None, message }
}

/// Whether there is a class or set of this name.
fn is_class(name: &str) -> bool {
    CLASSES.iter().any(|(class, _)| *class == name)
        || names::EXACT.iter().any(|(_, class, _)| *class == name)
        || names::BELOW.iter().any(|(_, class)| *class == name)
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
