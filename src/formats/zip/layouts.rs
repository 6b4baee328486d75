//! What the members of an archive make it, by their names alone: which of them
//! are raw tensors, which are pickles whatever they begin with, and which are
//! TorchScript rather than Python.

use std::collections::BTreeMap;

/// What Keras 3 builds a model from (`keras/src/saving/saving_lib.py`).
const KERAS_CONFIG: &str = "config.json";

/// Endings of what a machine or a shell runs.
const PROGRAMS: &[&str] = &[".so", ".dll", ".dylib", ".pyd", ".exe", ".sh", ".bat", ".cmd", ".ps1", ".vbs", ".scr"];

/// How a member is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// By its content; what nothing recognises has not been examined.
    Content,
    /// By its content; what nothing recognises is raw data.
    Data,
    /// By this format, whatever it looks like.
    As(&'static str),
    /// By its content when that is JSON, else by this format.
    Json(&'static str),
}

/// PyTorch's records below one folder.
#[derive(Debug, Default, Clone, Copy)]
struct Root {
    pickle: bool,
    constants: bool,
    package: bool,
    export: bool,
}

impl Root {
    fn layout(self) -> Option<&'static str> {
        if self.package {
            Some("torch-package")
        } else if self.export {
            Some("torch-export")
        } else if self.pickle && self.constants {
            Some("torchscript")
        } else if self.pickle {
            Some("torch")
        } else {
            None
        }
    }
}

/// The layouts found in one archive.
#[derive(Debug, Default)]
pub(super) struct Layouts {
    roots: BTreeMap<String, Root>,
    /// A Core ML package keeps its weights in one raw file.
    core_ml: bool,
    keras: bool,
    /// Byte strings of a skops file are files beside its schema.
    skops: bool,
}

impl Layouts {
    /// Looks at the names of all members of an archive called `archive`.
    pub(super) fn of<'n>(names: impl Iterator<Item = &'n [u8]>, archive: &str) -> Self {
        let mut layouts = Self { keras: archive.to_lowercase().ends_with(".keras"), ..Self::default() };
        for name in names {
            let name = String::from_utf8_lossy(name);
            // A reader that cuts names at NUL sees another one.
            let name = name.split('\0').next().unwrap_or_default();
            layouts.core_ml |= name.ends_with(".mlmodel");
            layouts.keras |= name == "model.weights.h5";
            layouts.skops |= name == "schema.json";
            let mut mark = |ending: &str, set: fn(&mut Root)| {
                if let Some(root) = name.strip_suffix(ending)
                    && (root.is_empty() || root.ends_with('/'))
                {
                    set(layouts.roots.entry(root.to_owned()).or_default());
                }
            };
            mark("data.pkl", |root| root.pickle = true);
            mark("constants.pkl", |root| root.constants = true);
            mark("bytecode.pkl", |root| root.constants = true);
            mark(".data/extern_modules", |root| root.package = true);
            mark(".data/python_version", |root| root.package = true);
            mark("archive_format", |root| root.export = true);
        }
        layouts.roots.retain(|_, root| root.layout().is_some());
        layouts
    }

    /// The layouts, each with the folder that it is in.
    pub(super) fn list(&self) -> impl Iterator<Item = (&str, &'static str)> {
        self.roots.iter().filter_map(|(root, found)| Some((root.as_str(), found.layout()?)))
    }

    /// The member that a loader reads first and that is not there.
    pub(super) fn missing<'n>(&self, mut names: impl Iterator<Item = &'n [u8]>) -> Option<&'static str> {
        (self.keras && !names.any(|name| name == KERAS_CONFIG.as_bytes())).then_some(KERAS_CONFIG)
    }

    /// Whether the archive holds tensors and what describes them, and nothing
    /// that is run from files.
    fn holds_tensors(&self) -> bool {
        let torch = self.roots.values().any(|root| !root.package && !root.export && root.pickle);
        self.keras || self.skops || torch
    }

    /// Whether the member called `name` is a program by its name, where no
    /// loader has a use for one.
    pub(super) fn is_misplaced(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        self.holds_tensors() && PROGRAMS.iter().any(|ending| name.ends_with(ending))
    }

    /// How the member called `name` is to be read.
    pub(super) fn reading(&self, name: &str) -> Reading {
        if self.core_ml && name.ends_with("/weight.bin") || self.skops && name.ends_with(".bin") && !name.contains('/')
        {
            return Reading::Data;
        }
        if self.keras && name == KERAS_CONFIG {
            return Reading::Json("keras-config");
        }
        self.place(name).map_or(Reading::Content, |(root, record)| torch(root, record))
    }

    /// Which loader runs the member called `name` as code.
    pub(super) fn code(&self, name: &str) -> Option<&'static str> {
        self.place(name).and_then(|(root, record)| runs(root, record))
    }

    fn place<'n>(&self, name: &'n str) -> Option<(Root, &'n str)> {
        let name = name.split('\0').next().unwrap_or_default();
        // The longest folder that has a layout decides: models nest.
        let mut folders = name.match_indices('/').map(|(at, _)| at.saturating_add(1)).rev().chain([0]);
        folders.find_map(|at| {
            let (folder, record) = name.split_at_checked(at)?;
            self.roots.get(folder).map(|root| (*root, record))
        })
    }
}

/// Whether it is TorchScript within a package (`torch/package/_package_pickler.py`).
fn is_compiled(record: &str) -> bool {
    record.starts_with(".data/ts_code/")
}

/// By whom the record is run as code, when it is.
fn runs(root: Root, record: &str) -> Option<&'static str> {
    let native = [".so", ".dll", ".dylib", ".pyd"];
    if root.package && record.ends_with(".py") && !is_compiled(record) {
        Some("torch.package")
    } else if root.export && native.iter().any(|ending| record.ends_with(ending)) {
        Some("aotinductor")
    } else {
        None
    }
}

/// How PyTorch reads a record.
fn torch(root: Root, record: &str) -> Reading {
    if record.ends_with(".pkl") || record.ends_with(".debug_pkl") {
        return Reading::As("pickle");
    }
    if (record.starts_with("code/") && !root.package || is_compiled(record)) && record.ends_with(".py") {
        return Reading::As("torchscript");
    }
    let is_key = |key: &str| !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_digit());
    let raw = match record.split_once('/') {
        Some(("data" | "constants" | "tensors" | "bytecode", key)) if is_key(key) => true,
        Some(("data", key)) if root.export => key.starts_with("weights/") || key.starts_with("constants/"),
        // Storages of a package, and one-line records such as its version.
        Some((".data", _)) => true,
        Some(_) => false,
        None => {
            record.starts_with('.') || matches!(record, "version" | "byteorder" | "archive_format" | "archive_version")
        }
    };
    if raw { Reading::Data } else { Reading::Content }
}
