//! Rules: what evidence means. Declarations live in `rules/`, embedded at
//! build; `--rules DIR` adds to them.

mod declaration;
mod directory;
mod policy;
mod when;
mod yara;

use std::collections::BTreeMap;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::artifact::Artifact;
use crate::evidence::{Evidence, Kind};
use crate::limits::Limits;
use crate::report::Finding;

pub use declaration::{Confidence, Examples, OneOrMany, Rule, Severity, When};
pub use policy::CLASSES;
pub(crate) use yara::{YaraHit, YaraScanner};

use when::Matcher;

/// A rule set could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
    /// A declaration is not what it should be.
    #[error("{file}: {message}")]
    Declaration {
        /// The file, as it was given.
        file: String,
        /// What is wrong, with line and column where there is one.
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
    by_kind: BTreeMap<Kind, Vec<usize>>,
    by_yara: BTreeMap<String, usize>,
    yara: Vec<yara_x::Rules>,
    digest: String,
    strict: bool,
}

#[derive(Debug)]
struct Loaded {
    rule: Rule,
    matcher: Option<Matcher>,
}

const EMBEDDED_RULES: &str = include_str!(concat!(env!("OUT_DIR"), "/rules.json"));
const EMBEDDED_NAMES: &str = include_str!(concat!(env!("OUT_DIR"), "/names.rs"));
const EMBEDDED_YARA: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/rules.yarc"));

/// How the declaration of a YARA rule is had.
type DeclaredBy = fn(&yara_x::Rule<'_, '_>) -> Result<Rule, String>;

impl RuleSet {
    /// The rules that are built in.
    ///
    /// # Errors
    /// [`RuleError`] when the build embedded something that it can't load
    /// itself, which the tests of weighin rule out.
    pub fn embedded() -> Result<Self, RuleError> {
        let rules: Vec<Rule> = serde_json::from_str(EMBEDDED_RULES)
            .map_err(|error| RuleError::Declaration { file: "embedded".to_owned(), message: error.to_string() })?;
        let yara = yara_x::Rules::deserialize(EMBEDDED_YARA)
            .map_err(|error| RuleError::Embedded { message: error.to_string() })?;
        let mut set = Self {
            rules: Vec::new(),
            by_kind: BTreeMap::new(),
            by_yara: BTreeMap::new(),
            yara: Vec::new(),
            digest: String::new(),
            strict: false,
        };
        for rule in rules {
            set.add(rule, "embedded")?;
        }
        set.add_yara(yara, yara::declaration)?;
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

    /// The same with the rules of a directory added: evidence rules in
    /// `*.toml`, YARA rules in `*.yar` and `*.yara`.
    ///
    /// # Errors
    /// [`RuleError`] for the first file that can't be read or is wrong.
    pub fn with_directory(mut self, directory: &Path, limits: &Limits) -> Result<Self, RuleError> {
        let mut hasher = Sha256::new();
        hasher.update(&self.digest);
        let mut compiler = yara_x::Compiler::new();
        let mut has_yara = false;
        for path in directory::files(directory, limits)? {
            let shown = path.display().to_string();
            let text = directory::read(&path, limits)?;
            hasher.update(&text);
            let wrong = |message: String| RuleError::Declaration { file: shown.clone(), message };
            if path.extension().is_some_and(|extension| extension == "toml") {
                let rule: Rule = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
                self.add(rule, &shown)?;
            } else {
                let source = yara_x::SourceCode::from(text.as_str()).with_origin(&shown);
                compiler.add_source(source).map_err(|error| wrong(error.to_string()))?;
                has_yara = true;
            }
        }
        if has_yara {
            self.add_yara(compiler.build(), yara::of_user)?;
        }
        self.digest = hex(&hasher.finalize());
        Ok(self)
    }

    fn add(&mut self, rule: Rule, file: &str) -> Result<(), RuleError> {
        let wrong = |message: String| RuleError::Declaration {
            file: file.to_owned(),
            message: format!("{}: {message}", rule.id),
        };
        if self.rule(&rule.id).is_some() {
            return Err(wrong("the id is used twice".to_owned()));
        }
        let matcher = rule.when.as_ref().map(Matcher::new).transpose().map_err(wrong)?;
        let index = self.rules.len();
        if let Some(matcher) = &matcher {
            for kind in &matcher.kinds {
                self.by_kind.entry(*kind).or_default().push(index);
            }
        }
        self.rules.push(Loaded { rule, matcher });
        Ok(())
    }

    fn add_yara(&mut self, compiled: yara_x::Rules, declared: DeclaredBy) -> Result<(), RuleError> {
        for rule in compiled.iter() {
            let declared = declared(&rule)
                .map_err(|message| RuleError::Declaration { file: rule.identifier().to_owned(), message })?;
            let id = declared.id.clone();
            self.add(declared, rule.identifier())?;
            let index = self.rules.len() - 1;
            self.by_yara.insert(rule.identifier().to_owned(), index);
            debug_assert_eq!(self.rules[index].rule.id, id, "the rule that was just added");
        }
        self.yara.push(compiled);
        Ok(())
    }

    /// All rules, in the order of their ids.
    pub fn rules(&self) -> Vec<&Rule> {
        let mut rules: Vec<&Rule> = self.rules.iter().map(|loaded| &loaded.rule).collect();
        rules.sort_by(|a, b| a.id.cmp(&b.id));
        rules
    }

    /// The rule with this id.
    pub fn rule(&self, id: &str) -> Option<&Rule> {
        self.rules.iter().map(|loaded| &loaded.rule).find(|rule| rule.id == id)
    }

    /// SHA-256 over everything that decides verdicts, in hex: two reports with
    /// the same digest were judged alike.
    pub fn digest(&self) -> &str {
        &self.digest
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
                if let Some(index) = self.by_yara.get(&evidence.value)
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
                    && loaded.matcher.as_ref().is_some_and(|matcher| matcher.fits(evidence, &mut class))
                {
                    self.report(*index, evidence, &mut findings);
                }
            }
        }
        artifact.findings = findings.into_values().collect();
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
        findings
            .entry(key)
            .and_modify(|finding| finding.occurrences += 1)
            .or_insert_with(|| Finding::new(&loaded.rule, evidence));
    }
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
