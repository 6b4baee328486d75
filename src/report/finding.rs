//! A finding: a rule, the fact that it fired on, and where.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::evidence::Evidence;
use crate::policy::Suppressed;
use crate::report::Excerpt;
use crate::rules::{Confidence, Rule, Severity};
use crate::text::secrets::hidden_text;

/// A rule's judgement of one fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Finding {
    /// The rule's id.
    pub rule: String,
    /// How bad it is, as the policy in force has it.
    pub severity: Severity,
    /// The rule's own severity, where the policy has changed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule_severity: Option<Severity>,
    /// The rule's confidence.
    pub confidence: Confidence,
    /// The rule's title.
    pub title: String,
    /// What happened here, in plain words.
    pub message: String,
    /// Where.
    pub location: Location,
    /// The fact.
    pub evidence: FactRecord,
    /// What stands around it; absent where there is nothing to show, or more
    /// findings than the limit `excerpts` allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excerpt: Option<Excerpt>,
    /// How often the same fact was met.
    pub occurrences: u64,
    /// What to do about it.
    pub remediation: String,
    /// SP 800-218A tasks that the check serves.
    pub ssdf: Vec<String>,
    /// CWE numbers.
    pub cwe: Vec<String>,
    /// CVE ids of known instances.
    pub cve: Vec<String>,
    /// Other rules that say no worse of the same call, or of what leads to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
    /// What those rules say: it counts where this finding does not.
    #[serde(skip)]
    pub(crate) absorbed: Vec<Finding>,
    /// Why it does not count; absent when it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suppressed: Option<Suppressed>,
}

/// Where a finding is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Location {
    /// The file. Hostile.
    pub path: String,
    /// The chain of members from the file to the artifact. Hostile.
    pub members: Vec<String>,
    /// First byte in that artifact.
    pub offset: u64,
    /// Number of bytes; 0 when only the place is known.
    pub length: u64,
}

impl std::fmt::Display for Location {
    /// `model.pt!archive/data.pkl @ 0x1f2`, unsanitised.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.path)?;
        for member in &self.members {
            write!(f, "!{member}")?;
        }
        write!(f, " @ {:#x}", self.offset)
    }
}

/// The evidence of a finding, as reports carry it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct FactRecord {
    /// Evidence kind.
    pub kind: String,
    /// Its value. Hostile.
    pub value: String,
    /// Its attributes. Hostile.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
}

/// Longest value of a placeholder in a message, in characters: a message is
/// for reading, and the evidence beside it has the rest.
const SHOWN: usize = 200;

impl Finding {
    /// What `rule` says of `evidence`; path and members are filled in when the
    /// file's report is folded together.
    pub fn new(rule: &Rule, evidence: &Evidence) -> Self {
        Self {
            rule: rule.id.clone(),
            severity: rule.severity,
            rule_severity: None,
            confidence: rule.confidence,
            title: rule.title.clone(),
            message: hidden_text(&(fill(&rule.message, evidence) + &by_way_of(evidence))),
            location: Location { offset: evidence.span.offset, length: evidence.span.length, ..Location::default() },
            evidence: FactRecord {
                kind: evidence.kind.name().to_owned(),
                value: hidden_text(&evidence.value),
                attributes: evidence
                    .attributes
                    .iter()
                    .map(|(name, value)| (name.to_string(), hidden_text(value)))
                    .collect(),
            },
            excerpt: None,
            occurrences: 1,
            remediation: rule.remediation.clone(),
            ssdf: rule.ssdf.clone(),
            cwe: rule.cwe.clone(),
            cve: rule.cve.clone(),
            also: Vec::new(),
            absorbed: Vec::new(),
            suppressed: None,
        }
    }
}

impl Finding {
    /// Its rule, and those that say the same of the same call.
    pub fn rules(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.rule.as_str()).chain(self.also.iter().map(String::as_str))
    }

    /// Takes in one that is about the same call and no more severe.
    pub(crate) fn absorb(&mut self, mut other: Self) {
        let add = |list: &mut Vec<String>, more: Vec<String>| {
            for entry in more {
                if !list.contains(&entry) {
                    list.push(entry);
                }
            }
            list.sort();
        };
        let rules = other.rules().filter(|rule| *rule != self.rule).map(str::to_owned);
        add(&mut self.also, rules.collect());
        add(&mut self.ssdf, other.ssdf.clone());
        add(&mut self.cwe, other.cwe.clone());
        add(&mut self.cve, other.cve.clone());
        self.absorbed.append(&mut other.absorbed);
        self.absorbed.push(other);
    }

    /// Says which file it is in, and by which members; those that it has taken
    /// in are there too.
    pub(crate) fn put(&mut self, path: &str, members: &[String]) {
        let absorbed = self.absorbed.iter_mut().map(|one| &mut one.location);
        for location in std::iter::once(&mut self.location).chain(absorbed) {
            path.clone_into(&mut location.path);
            location.members = members.to_vec();
        }
    }

    /// Takes out what was taken in and `stands` picks: the worst of it, which
    /// then tells of the rest.
    pub(crate) fn release(&mut self, mut stands: impl FnMut(&Self) -> bool) -> Option<Self> {
        let mut standing: Vec<Self> = self.absorbed.extract_if(.., |one| stands(one)).collect();
        standing.sort_by(|a, b| (b.severity, &a.rule).cmp(&(a.severity, &b.rule)));
        let mut standing = standing.into_iter();
        let mut worst = standing.next()?;
        let left: Vec<&str> = self.absorbed.iter().map(|one| one.rule.as_str()).collect();
        self.also.retain(|rule| left.contains(&rule.as_str()));
        standing.for_each(|one| worst.absorb(one));
        if worst.location == self.location {
            worst.excerpt.clone_from(&self.excerpt);
        }
        Some(worst)
    }
}

/// What leads to a call, when that is not plain.
fn by_way_of(evidence: &Evidence) -> String {
    let Some(chain) = evidence.attribute("chain") else { return String::new() };
    let shown: String = chain.chars().take(2 * SHOWN).collect();
    let more = if chain.chars().nth(2 * SHOWN).is_some() { "…" } else { "" };
    format!(" (by way of {shown}{more})")
}

/// Replaces `{value}` and `{attribute}` in one pass, so that a value that
/// looks like a placeholder is left alone.
fn fill(message: &str, evidence: &Evidence) -> String {
    let mut filled = String::with_capacity(message.len());
    let mut rest = message;
    while let Some((before, from)) = rest.split_once('{') {
        filled.push_str(before);
        let Some((name, after)) = from.split_once('}') else {
            filled.push('{');
            rest = from;
            continue;
        };
        let value = if name == "value" { Some(evidence.value.as_str()) } else { evidence.attribute(name) };
        let value = value.unwrap_or("?");
        filled.extend(value.chars().take(SHOWN));
        if value.chars().nth(SHOWN).is_some() {
            filled.push('…');
        }
        rest = after;
    }
    filled.push_str(rest);
    filled
}
