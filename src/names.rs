//! Python names: which spellings mean the same object.
//!
//! Facts only: aliases of modules, renames between versions, and what the
//! standard library contains, from `rules/sets/aliases.toml` and
//! `rules/sets/stdlib.toml`. What a name *means* for safety is the rules'
//! business.

mod tables {
    include!(concat!(env!("OUT_DIR"), "/names.rs"));
}

pub(crate) use tables::{BELOW, CONDITIONAL, EXACT};

/// A name as a stream or a source spells it, and what it resolves to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PyName {
    /// `module.qualname` as written.
    pub written: String,
    /// The same with aliases and renames folded.
    pub canonical: String,
    /// The dotted name goes through a module that another module imported.
    pub walks: bool,
}

/// Builtin types that hold plain data.
pub(crate) const PLAIN_TYPES: &[&str] =
    &["bool", "bytes", "complex", "dict", "float", "frozenset", "int", "list", "object", "set", "str", "tuple"];

fn lookup(table: &'static [(&'static str, &'static str)], key: &str) -> Option<&'static str> {
    table.binary_search_by(|(name, _)| (*name).cmp(key)).ok().and_then(|at| table.get(at)).map(|(_, to)| *to)
}

/// Whether `module` (its first component) belongs to some CPython 3.8 to 3.14.
pub(crate) fn is_stdlib(module: &str) -> bool {
    let top = module.split('.').next().unwrap_or(module);
    tables::STDLIB.binary_search(&top).is_ok()
}

/// The module that `module` is another name for, or itself.
pub(crate) fn canonical_module(module: &str) -> &str {
    if let Some(to) = lookup(tables::MODULES, module) {
        return to;
    }
    // Any package may carry a copy of six: `x.y.six.moves.builtins`.
    if let Some((before, moved)) = module.split_once("six.moves.")
        && (before.is_empty() || before.ends_with('.'))
    {
        return canonical_module(moved);
    }
    module
}

/// Resolves `qualname` as looked up in `module`, the way `getattr` would walk
/// it: a component that is a module takes the walk into that module.
pub(crate) fn resolve(module: &str, qualname: &str) -> PyName {
    let written = if qualname.is_empty() { module.to_owned() } else { format!("{module}.{qualname}") };
    if let Some(to) = lookup(tables::RENAMES, &written) {
        return PyName { written, canonical: to.to_owned(), walks: false };
    }
    let parts: Vec<&str> = qualname.split('.').collect();
    let last = parts.len().saturating_sub(1);
    for (index, part) in parts.iter().enumerate().take(last).rev() {
        // `datetime.datetime` is the class in the module of the same name.
        if index == 0 && module.rsplit('.').next() == Some(part) {
            continue;
        }
        let target = lookup(tables::ATTRIBUTES, part).or_else(|| is_module_name(part).then_some(*part));
        if let Some(target) = target {
            let tail = parts.get(index.saturating_add(1)..).unwrap_or_default().join(".");
            let inner = resolve(target, &tail);
            return PyName { written, canonical: inner.canonical, walks: true };
        }
    }
    let folded = canonical_module(module);
    let canonical = if qualname.is_empty() { folded.to_owned() } else { format!("{folded}.{qualname}") };
    let canonical = match lookup(tables::RENAMES, &canonical) {
        Some(to) => to.to_owned(),
        None => match split_moved(&canonical) {
            Some(moved) => moved,
            None => canonical,
        },
    };
    PyName { written, canonical, walks: false }
}

/// A name that reaches a vendored six by its attributes instead of by module.
fn split_moved(name: &str) -> Option<String> {
    let (before, moved) = name.split_once("six.moves.")?;
    if !(before.is_empty() || before.ends_with('.')) {
        return None;
    }
    match moved.rsplit_once('.') {
        Some((module, attribute)) => Some(resolve(module, attribute).canonical),
        None => Some(format!("builtins.{moved}")),
    }
}

/// Whether `part`, met as an attribute, is a standard module rather than a
/// class or function: modules are in lower case.
fn is_module_name(part: &str) -> bool {
    tables::STDLIB.binary_search(&part).is_ok() || lookup(tables::MODULES, part).is_some()
}
