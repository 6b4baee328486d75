//! What a rule file may say. `build.rs` reads the embedded ones with this
//! module too, so a mistake in them stops the build.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How bad it is when a rule is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing, normal in some honest models.
    Low,
    /// Could be abused, and no reviewed model does it: a human should look.
    Medium,
    /// An exploit primitive or a deliberate disguise, with no honest use known.
    High,
    /// Loading the file runs the attacker's code, or writes or reads where it
    /// may not.
    Critical,
}

impl Severity {
    /// All, least bad first.
    pub const ALL: [Self; 4] = [Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The name that rules and reports use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// The next less bad one; `low` stays.
    #[must_use]
    pub fn milder(self) -> Self {
        match self {
            Self::Low | Self::Medium => Self::Low,
            Self::High => Self::Medium,
            Self::Critical => Self::High,
        }
    }

    /// The severity called `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.name() == name)
    }
}

/// How sure a rule is when it fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// Often wrong; a hint.
    Low,
    /// Sometimes wrong.
    Medium,
    /// Wrong only in constructed cases.
    High,
}

impl Confidence {
    /// The name that rules and reports use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// One rule, complete: the matcher, help, reports, the rule index and the
/// tests all read this and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Family letters and three digits; never reused.
    pub id: String,
    /// Names the bad thing.
    pub title: String,
    /// How bad it is.
    pub severity: Severity,
    /// How sure the rule is.
    pub confidence: Confidence,
    /// SP 800-218A tasks that the check serves.
    pub ssdf: Vec<String>,
    /// CWE numbers, as `CWE-502`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cwe: Vec<String>,
    /// CVE ids of known instances.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cve: Vec<String>,
    /// MITRE ATLAS techniques, as `AML.T0011.000`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub atlas: Vec<String>,
    /// It applies only under the allow-list policy, `--strict`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub strict: bool,
    /// Formats in which it can fire; empty means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub formats: Vec<String>,
    /// Formats that explain what the rule would fire on: an artifact that is
    /// also one of these is left alone.
    #[serde(default, rename = "not-formats", skip_serializing_if = "Vec::is_empty")]
    pub not_formats: Vec<String>,
    /// What happened, with `{value}` and `{attribute}` filled in.
    pub message: String,
    /// What to do.
    pub remediation: String,
    /// Markdown: what happens on load, how it is used in attacks, and which
    /// honest files look alike.
    pub why: String,
    /// Sources.
    pub references: Vec<String>,
    /// What it fires on; absent for a YARA rule, whose condition says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<When>,
    /// Samples that prove it.
    pub examples: Examples,
}

/// What a rule fires on: evidence of a kind for which every given condition
/// holds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct When {
    /// Evidence kinds, by name.
    pub evidence: OneOrMany,
    /// Classes of the name policy, of which the value's must be one.
    #[serde(default, skip_serializing_if = "OneOrMany::is_empty")]
    pub policy: OneOrMany,
    /// Patterns of which the value must match one: globs (`*` and `?`), or
    /// `@set` for the names of a set.
    #[serde(default, skip_serializing_if = "OneOrMany::is_empty")]
    pub any: OneOrMany,
    /// Patterns of which the value must match none.
    #[serde(default, skip_serializing_if = "OneOrMany::is_empty")]
    pub none: OneOrMany,
    /// Attributes that must match: a pattern, several of which one must match,
    /// or a comparison such as `">= 3"`.
    #[serde(default, rename = "where", skip_serializing_if = "BTreeMap::is_empty")]
    pub where_: BTreeMap<String, OneOrMany>,
    /// Attributes of which none may match.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unless: BTreeMap<String, OneOrMany>,
}

/// Samples of the corpus that prove a rule, as paths below `corpus/`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Examples {
    /// On which it fires.
    pub fires: Vec<String>,
    /// Look-alikes on which it stays silent.
    pub quiet: Vec<String>,
}

/// A string, or a list of them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "StringOrList")]
pub struct OneOrMany(pub Vec<String>);

impl OneOrMany {
    /// Whether nothing was given.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum StringOrList {
    String(String),
    List(Vec<String>),
}

impl From<StringOrList> for OneOrMany {
    fn from(value: StringOrList) -> Self {
        match value {
            StringOrList::String(one) => Self(vec![one]),
            StringOrList::List(many) => Self(many),
        }
    }
}
