//! Whether a piece of evidence is what a rule asks for.

use std::collections::BTreeMap;

use crate::evidence::{Evidence, Kind};
use crate::names::{BELOW, EXACT};
use crate::policy::Allowed;
use crate::rules::declaration::{OneOrMany, When};
use crate::rules::{Wrong, is_class, policy};

/// A [`When`] with its kinds and patterns checked.
#[derive(Debug, Clone)]
pub(super) struct Matcher {
    pub(super) kinds: Vec<Kind>,
    policy: Vec<String>,
    any: Vec<Pattern>,
    none: Vec<Pattern>,
    required: Vec<(String, Vec<Pattern>)>,
    excluded: Vec<(String, Vec<Pattern>)>,
}

#[derive(Debug, Clone)]
enum Pattern {
    Glob(String),
    Set(String),
    AtLeast(u64),
    AtMost(u64),
}

impl Matcher {
    /// Checks what a rule declares.
    ///
    /// # Errors
    /// When a kind, class or set is unknown or a comparison has no number.
    pub(super) fn new(when: &When) -> Result<Self, Wrong> {
        let kinds = when.evidence.0.iter().map(|name| {
            let unknown = || Wrong::at(&["when", "evidence"], format!("there is no evidence kind `{name}`"));
            Kind::from_name(name).ok_or_else(unknown)
        });
        if let Some(unknown) = when.policy.0.iter().find(|name| !is_class(name)) {
            let message = format!("there is no class or set `{unknown}`; rules/INDEX.md lists the classes");
            return Err(Wrong::at(&["when", "policy"], message));
        }
        Ok(Self {
            kinds: kinds.collect::<Result<_, _>>()?,
            policy: when.policy.0.clone(),
            any: patterns(&when.any, &["when", "any"])?,
            none: patterns(&when.none, &["when", "none"])?,
            required: attributes(&when.where_, "where")?,
            excluded: attributes(&when.unless, "unless")?,
        })
    }

    /// Whether `evidence`, of one of [`kinds`](Self::kinds), fits. `class`
    /// caches the name policy's answer between rules.
    pub(super) fn fits(&self, evidence: &Evidence, allowed: &Allowed, class: &mut Option<&'static str>) -> bool {
        if !self.policy.is_empty() {
            let class = *class.get_or_insert_with(|| policy::classify(evidence, allowed));
            if !self.policy.iter().any(|wanted| wanted == class) {
                return false;
            }
        }
        (self.any.is_empty() || self.any.iter().any(|pattern| pattern.fits(&evidence.value)))
            && !self.none.iter().any(|pattern| pattern.fits(&evidence.value))
            && self.required.iter().all(|(name, patterns)| holds(evidence, name, patterns))
            && !self.excluded.iter().any(|(name, patterns)| holds(evidence, name, patterns))
    }
}

fn holds(evidence: &Evidence, name: &str, patterns: &[Pattern]) -> bool {
    evidence.attribute(name).is_some_and(|value| patterns.iter().any(|pattern| pattern.fits(value)))
}

fn attributes(table: &BTreeMap<String, OneOrMany>, key: &str) -> Result<Vec<(String, Vec<Pattern>)>, Wrong> {
    table.iter().map(|(name, wanted)| Ok((name.clone(), patterns(wanted, &["when", key, name])?))).collect()
}

fn patterns(wanted: &OneOrMany, key: &[&str]) -> Result<Vec<Pattern>, Wrong> {
    wanted.0.iter().map(|text| Pattern::new(text).map_err(|message| Wrong::at(key, message))).collect()
}

impl Pattern {
    fn new(text: &str) -> Result<Self, String> {
        let number = |digits: &str| {
            digits.trim().parse::<u64>().map_err(|_| format!("`{text}` compares with something that is not a number"))
        };
        if let Some(set) = text.strip_prefix('@') {
            if !is_class(set) {
                return Err(format!("there is no set `{set}`"));
            }
            Ok(Self::Set(set.to_owned()))
        } else if let Some(digits) = text.strip_prefix(">=") {
            Ok(Self::AtLeast(number(digits)?))
        } else if let Some(digits) = text.strip_prefix("<=") {
            Ok(Self::AtMost(number(digits)?))
        } else {
            Ok(Self::Glob(text.to_owned()))
        }
    }

    fn fits(&self, value: &str) -> bool {
        match self {
            Self::Glob(glob) => glob_fits(glob.as_bytes(), value.as_bytes()),
            Self::Set(set) => in_set(set, value),
            Self::AtLeast(least) => value.parse::<u64>().is_ok_and(|value| value >= *least),
            Self::AtMost(most) => value.parse::<u64>().is_ok_and(|value| value <= *most),
        }
    }
}

fn in_set(set: &str, name: &str) -> bool {
    EXACT
        .binary_search_by(|(entry, _, _)| (*entry).cmp(name))
        .is_ok_and(|at| EXACT.get(at).is_some_and(|entry| entry.1 == set))
        || BELOW.iter().any(|(prefix, class)| {
            *class == set && name.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
}

/// Whether `value` matches `glob` (`*` any bytes, `?` one), in linear time for
/// one star and never worse than quadratic.
pub(crate) fn glob_fits(glob: &[u8], value: &[u8]) -> bool {
    let (mut g, mut v) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while v < value.len() {
        match glob.get(g) {
            Some(b'*') => {
                star = Some((g, v));
                g += 1;
            }
            Some(byte) if *byte == b'?' || Some(byte) == value.get(v) => {
                g += 1;
                v += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    g = at + 1;
                    v = from + 1;
                    star = Some((at, from + 1));
                }
                None => return false,
            },
        }
    }
    glob.get(g..).unwrap_or_default().iter().all(|byte| *byte == b'*')
}
