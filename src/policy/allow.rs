//! What the user allows: Python names, and operator domains of graphs.

use std::collections::BTreeSet;

use crate::names;
use crate::policy::Policy;

/// Names and operators that count as reviewed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Allowed {
    names: BTreeSet<String>,
    prefixes: BTreeSet<String>,
    operators: BTreeSet<String>,
}

impl Allowed {
    /// What `policy` allows. Names are allowed as they are written and as what
    /// they resolve to, since evidence has the latter.
    pub(crate) fn new(policy: &Policy) -> Self {
        let mut allowed = Self::default();
        for name in policy.allow_imports.iter().map(|setting| setting.value.as_str()) {
            if let Some(module) = name.strip_suffix(".*") {
                allowed.prefixes.insert(module.to_owned());
                allowed.prefixes.insert(names::canonical_module(module).to_owned());
            } else {
                let (module, qualname) = name.rsplit_once('.').unwrap_or((name, ""));
                allowed.names.insert(name.to_owned());
                allowed.names.insert(names::resolve(module, qualname).canonical);
            }
        }
        allowed.operators = policy.allow_operator_domains.iter().map(|setting| setting.value.clone()).collect();
        allowed
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.names.is_empty() && self.prefixes.is_empty() && self.operators.is_empty()
    }

    /// Whether `name` is written out in full.
    pub(crate) fn has_name(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// Whether a module around `name` is allowed with all that is in it.
    pub(crate) fn has_prefix_of(&self, name: &str) -> bool {
        !self.prefixes.is_empty() && below(&self.prefixes, name, '.')
    }

    /// Whether an operator, as `domain::name`, is allowed: by itself, by its
    /// domain, or by a domain around that (`com.acme.*`).
    pub(crate) fn has_operator(&self, operator: &str) -> bool {
        if self.operators.is_empty() {
            return false;
        }
        let domain = operator.split_once("::").map_or(operator, |(domain, _)| domain);
        self.operators.contains(operator)
            || self.operators.contains(domain)
            || domain
                .match_indices('.')
                .any(|(at, _)| domain.get(..at).is_some_and(|around| self.operators.contains(&format!("{around}.*"))))
    }
}

fn below(prefixes: &BTreeSet<String>, name: &str, separator: char) -> bool {
    name.match_indices(separator).any(|(at, _)| name.get(..at).is_some_and(|prefix| prefixes.contains(prefix)))
}
