//! Dotted names: which object of which module an expression leads to.

/// Modules that others import under their own name, so that a walk through
/// any module's attribute of that name ends there.
const CARRIED: &[&str] = &[
    "os",
    "subprocess",
    "builtins",
    "__builtins__",
    "sys",
    "importlib",
    "shutil",
    "socket",
    "pty",
    "posix",
    "nt",
    "ctypes",
    "pickle",
    "marshal",
    "runpy",
];

/// Names of `builtins` that matter here; any other unknown name stays unknown.
const BUILTINS: &[&str] = &[
    "exec",
    "eval",
    "compile",
    "__import__",
    "getattr",
    "setattr",
    "globals",
    "locals",
    "vars",
    "open",
    "chr",
    "ord",
    "bytes",
    "bytearray",
    "str",
    "int",
    "list",
    "tuple",
    "dict",
    "map",
    "reversed",
    "sorted",
    "filter",
    "zip",
    "range",
    "type",
    "print",
    "input",
    "execfile",
    "hex",
    "len",
    "sum",
    "format",
    "repr",
    "next",
    "iter",
    "enumerate",
    "object",
    "super",
    "set",
    "min",
    "max",
    "abs",
    "breakpoint",
    "help",
    "isinstance",
    "delattr",
    "hasattr",
];

/// The object that a free name means when nothing binds it.
pub(super) fn builtin(name: &str) -> Option<String> {
    if name == "__builtins__" || name == "__builtin__" {
        return Some("builtins".to_owned());
    }
    if matches!(name, "__loader__" | "__spec__") {
        return Some(name.to_owned());
    }
    BUILTINS.contains(&name).then(|| format!("builtins.{name}"))
}

/// `path` with aliases and renames folded and walks through other modules cut.
pub(super) fn canonical(path: &str) -> String {
    let mut parts: Vec<&str> = path.split('.').collect();
    // `transformers.utils.os.system` is `os.system`.
    let walk = parts.iter().enumerate().skip(1).rev().find(|(index, part)| {
        let elsewhere = parts.first() != Some(part) || *index > 1;
        CARRIED.contains(part) && elsewhere && index.saturating_add(1) < parts.len()
    });
    if let Some((index, _)) = walk {
        parts = parts.split_off(index);
    }
    let joined = parts.join(".");
    match joined.rsplit_once('.') {
        Some((module, name)) => crate::names::resolve(module, name).canonical,
        None => crate::names::canonical_module(&joined).to_owned(),
    }
}

/// An attribute of the object at `path`.
pub(super) fn attribute(path: &str, name: &str) -> String {
    // `x.__dict__['system']` and `vars(x)['system']` come here with the name.
    if path == "sys.modules"
        && !matches!(name, "get" | "pop" | "setdefault" | "__getitem__" | "items" | "keys" | "values")
    {
        return name.to_owned();
    }
    if name == "__dict__" {
        return path.to_owned();
    }
    format!("{path}.{name}")
}
