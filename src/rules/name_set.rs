//! What a name-set file may say. Only `build.rs` reads this: sets are embedded
//! as sorted tables.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A set of Python names that share one meaning.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NameSet {
    /// Its name: the class that rules ask for when it is a dangerous set.
    pub name: String,
    /// What membership means.
    pub kind: SetKind,
    /// What its names have in common.
    pub about: String,
    /// Names without further reasons. A trailing `.*` means everything at or
    /// below.
    #[serde(default)]
    pub names: Vec<String>,
    /// Names with reasons.
    #[serde(default)]
    pub group: Vec<NameGroup>,
}

/// What membership in a [`NameSet`] means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SetKind {
    /// Calling, and mostly even importing, these is an attack.
    Dangerous,
    /// Safe to call with any arguments; exact names only.
    Reviewed,
    /// Safe or not by its arguments.
    Conditional,
}

/// Names of a set that share a reason.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NameGroup {
    /// `class` or `function`.
    #[serde(default)]
    pub nature: Option<String>,
    /// Where they were seen.
    pub seen: String,
    /// Why they are safe to call.
    pub why: String,
    /// They call what they are handed, so that is judged by itself.
    #[serde(default)]
    pub calls: bool,
    /// Rendered arguments, by index, that make a conditional name safe.
    #[serde(default)]
    pub args: BTreeMap<String, Vec<String>>,
    /// The names.
    pub names: Vec<String>,
}
