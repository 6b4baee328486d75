//! Which object an entry of a Keras configuration names, the way
//! `keras/src/saving/serialization_lib.py` (and before 3.0
//! `keras/saving/legacy/serialization.py`) looks it up.

use crate::json::{Json, Value};

/// Prefixes under which one Keras is imported, longest first, and the public one.
const ALIASES: &[(&str, &str)] = &[
    ("tensorflow.compat.v2.keras", "keras"),
    ("tensorflow.compat.v1.keras", "keras"),
    ("tensorflow.python.keras", "keras"),
    ("tensorflow.keras", "keras"),
    ("keras.api._v2.keras", "keras"),
    ("keras.api._v1.keras", "keras"),
    ("keras.engine", "keras.models"),
    ("tf_keras.src", "keras"),
    ("keras_core.src", "keras"),
    ("keras_core", "keras"),
    ("tf_keras", "keras"),
    ("keras.src", "keras"),
    ("keras.api", "keras"),
    ("keras_hub.src", "keras_hub"),
    ("keras_nlp.src", "keras_nlp"),
    ("keras_cv.src", "keras_cv"),
];

/// Packages of the Keras project itself, whose layers a loader constructs.
const FRAMEWORK: &[&str] = &["keras", "keras_hub", "keras_nlp", "keras_cv", "builtins"];

/// Functions of Python's `builtins`, which are there whatever Keras exports
/// under the same module name.
const BUILTINS: &[&str] = &[
    "__build_class__",
    "__import__",
    "breakpoint",
    "compile",
    "delattr",
    "dir",
    "eval",
    "exec",
    "exit",
    "filter",
    "format",
    "getattr",
    "globals",
    "hasattr",
    "help",
    "id",
    "input",
    "iter",
    "locals",
    "map",
    "memoryview",
    "next",
    "open",
    "print",
    "quit",
    "setattr",
    "super",
    "type",
    "vars",
];

/// An object that a configuration names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    /// Module as Keras' public name for it; empty when there is none.
    pub module: String,
    /// Class or function.
    pub name: String,
    /// The package of a `package>Name` registration.
    pub package: Option<String>,
    /// It is looked up as a function: `class_name` is `function`.
    pub is_function: bool,
}

impl Named {
    /// What `object`, with this `class_name`, names.
    pub(super) fn of(object: &Json, class_name: &str) -> Self {
        let is_function = class_name == "function";
        let module = object.get("module").and_then(Json::as_str).unwrap_or_default();
        // `config` of a function is its name; some writers nest it.
        let function = object.get("config").and_then(|config| match &config.value {
            Value::String(name) => Some(name.as_str()),
            _ => config.get("name").and_then(Json::as_str),
        });
        let written = if is_function { function.unwrap_or(class_name) } else { class_name };
        let registered = object.get("registered_name").and_then(Json::as_str).unwrap_or_default();
        let (package, name) = match written.split_once('>') {
            Some((package, name)) => (Some(package), name),
            None => (registered.split_once('>').map(|(package, _)| package), written),
        };
        Self { module: public(module), name: name.to_owned(), package: package.map(str::to_owned), is_function }
    }

    /// `module.name`, or the name alone.
    pub(super) fn dotted(&self) -> String {
        if self.module.is_empty() { self.name.clone() } else { format!("{}.{}", self.module, self.name) }
    }

    /// Whether the module is one of the Keras project, or none is given and
    /// Keras looks among its own objects.
    pub(super) fn is_framework(&self) -> bool {
        let top = self.module.split('.').next().unwrap_or_default();
        if top == "builtins" && (self.module != top || BUILTINS.contains(&self.name.as_str())) {
            return false;
        }
        top.is_empty() || FRAMEWORK.contains(&top)
    }

    /// Whether this is Keras' own class called `class`.
    pub(super) fn is_keras(&self, class: &str) -> bool {
        self.name == class && self.is_framework() && self.package.as_deref().is_none_or(|package| package == "keras")
    }
}

/// The public name of a Keras module.
fn public(module: &str) -> String {
    let mut folded = module.to_owned();
    for (alias, name) in ALIASES {
        if let Some(rest) = folded.strip_prefix(alias)
            && (rest.is_empty() || rest.starts_with('.'))
        {
            folded = format!("{name}{rest}");
        }
    }
    folded
}
