//! The name policy: what class of thing a Python callable is, most specific
//! first. Dangerous and reviewed names come from `rules/sets/`; what is on
//! neither list is judged by where it comes from and by what it looks like.

use crate::evidence::{Evidence, Kind};
use crate::names::{self, BELOW, CONDITIONAL, EXACT};
use crate::policy::Allowed;

/// Classes that are not the name of a dangerous set, for the rule index.
pub const CLASSES: &[(&str, &str)] = &[
    ("reviewed", "on a reviewed list: safe to call with any arguments"),
    ("reviewed-calls", "reviewed, but it calls what it is handed"),
    ("reviewed-attribute", "an attribute, such as a method, of a reviewed class"),
    ("unsettled", "harmless only under conditions that are not met here"),
    ("namespace", "reaches into an object's internals by a special attribute"),
    ("stdlib", "of the standard library, and on no list"),
    ("stdlib-private", "of a private module of the standard library, and on no list"),
    ("foreign-class", "a class of another package, and on no list"),
    ("foreign-function", "a function of another package, and on no list"),
    ("operator", "an operator of a graph whose domain is not allowed by the user's policy"),
    ("operator-allowed", "an operator of a graph whose domain the user's policy allows"),
];

/// The class of what `evidence` names by its value, once the user has said
/// what is allowed: a name that is written out in full always, one below a
/// prefix only when nothing worse is known of it than that nobody reviewed it.
pub(crate) fn classify(evidence: &Evidence, allowed: &Allowed) -> &'static str {
    if evidence.kind == Kind::OperatorUse {
        return if allowed.has_operator(&evidence.value) { "operator-allowed" } else { "operator" };
    }
    if allowed.has_name(&evidence.value) {
        return "reviewed";
    }
    let class = built_in(evidence);
    let unreviewed = matches!(class, "stdlib" | "stdlib-private" | "foreign-class" | "foreign-function");
    if unreviewed && allowed.has_prefix_of(&evidence.value) { "reviewed" } else { class }
}

/// The class of the callable that `evidence` names by its value.
fn built_in(evidence: &Evidence) -> &'static str {
    let name = evidence.value.as_str();
    let conditional = conditions(name);
    if conditional.is_some_and(|conditions| is_met(conditions, evidence)) {
        return "reviewed";
    }
    if conditional.is_some() && exact(name).or_else(|| below(name)).is_none() {
        return "unsettled";
    }
    let class = classify_name(name);
    // Only `__new__` of a class can run without its `__init__`.
    if class == "foreign-function" && evidence.attribute("runs") == Some("new") {
        return "foreign-class";
    }
    class
}

/// Whether a conditional name is harmless here: by its arguments where the set
/// lists them; else when the machine has settled what the call amounts to, or
/// when none of the callable's own code runs.
fn is_met(conditions: &[(&str, &[&str])], evidence: &Evidence) -> bool {
    if evidence.kind != Kind::PickleCall {
        // Named or handed over, it is as dangerous as the sets say.
        return exact(&evidence.value).or_else(|| below(&evidence.value)).is_none();
    }
    if conditions.is_empty() {
        return evidence.attribute("settled") == Some("true") || evidence.attribute("runs") == Some("new");
    }
    conditions
        .iter()
        .all(|(attribute, allowed)| evidence.attribute(attribute).is_some_and(|value| allowed.contains(&value)))
}

fn conditions(name: &str) -> Option<&'static [(&'static str, &'static [&'static str])]> {
    CONDITIONAL.iter().find(|(conditional, _)| *conditional == name).map(|(_, conditions)| *conditions)
}

fn exact(name: &str) -> Option<&'static str> {
    EXACT
        .binary_search_by(|(entry, _, _)| (*entry).cmp(name))
        .ok()
        .and_then(|at| EXACT.get(at))
        .map(|(_, class, _)| *class)
}

fn below(name: &str) -> Option<&'static str> {
    BELOW.binary_search_by(|(entry, _)| (*entry).cmp(name)).ok().and_then(|at| BELOW.get(at)).map(|(_, class)| *class)
}

/// Every proper prefix of `name` that ends at a dot, longest first.
fn prefixes(name: &str) -> impl Iterator<Item = (&str, &str)> {
    name.rmatch_indices('.').map(|(at, _)| (name.get(..at).unwrap_or_default(), name.get(at..).unwrap_or_default()))
}

/// The class of a canonical dotted name.
pub(crate) fn classify_name(name: &str) -> &'static str {
    if let Some(class) = exact(name) {
        return class;
    }
    let special = name.split('.').skip(1).any(is_special);
    for (prefix, _) in prefixes(name) {
        match exact(prefix) {
            Some("reviewed" | "reviewed-calls") if special => return "namespace",
            Some("reviewed" | "reviewed-calls") => return "reviewed-attribute",
            Some(dangerous) => return dangerous,
            None => {}
        }
    }
    if special {
        return "namespace";
    }
    if let Some(class) = std::iter::once(name).chain(prefixes(name).map(|(prefix, _)| prefix)).find_map(below) {
        return class;
    }
    if names::is_stdlib(name) {
        return if name.starts_with('_') && !name.starts_with("__") { "stdlib-private" } else { "stdlib" };
    }
    if let Some(class) = through_module(name) {
        return class;
    }
    let last = name.rsplit('.').next().unwrap_or(name);
    let capital = last.trim_start_matches('_').chars().next().is_some_and(char::is_uppercase);
    if capital { "foreign-class" } else { "foreign-function" }
}

/// Modules of the standard library that nearly every package has as attributes
/// of its own, because it imports them, and that none has a module named like.
const IMPORTED: &[&str] = &[
    "builtins",
    "ctypes",
    "importlib",
    "marshal",
    "nt",
    "os",
    "pickle",
    "posix",
    "pty",
    "runpy",
    "shutil",
    "socket",
    "subprocess",
    "sys",
];

/// The class of the dangerous callable that a loader reaches when it walks
/// `name` by its attributes: `torch.os.system` is `os.system`.
fn through_module(name: &str) -> Option<&'static str> {
    name.match_indices('.').find_map(|(at, _)| {
        let tail = name.get(at.saturating_add(1)..)?;
        let (module, rest) = tail.split_once('.')?;
        if !IMPORTED.contains(&module) {
            return None;
        }
        let canonical = names::resolve(module, rest).canonical;
        let class = exact(&canonical).or_else(|| below(names::canonical_module(module)))?;
        (!matches!(class, "reviewed" | "reviewed-calls")).then_some(class)
    })
}

/// Whether an attribute is one of Python's special names, through which any
/// object leads to any other.
fn is_special(component: &str) -> bool {
    // The namespace of TorchScript classes is none of Python's.
    (component.len() > 4 && component.starts_with("__") && component.ends_with("__") && component != "__torch__")
        || matches!(
            component,
            "f_globals" | "f_builtins" | "f_locals" | "f_back" | "gi_frame" | "cr_frame" | "tb_frame"
        )
}
