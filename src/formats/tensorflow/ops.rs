//! Which operators TensorFlow has, which packages bring more, and which ones
//! take a path or an address. Facts only.

use std::sync::LazyLock;

/// Every operator that `tensorflow-cpu` 2.15.1 registers, sorted.
const REGISTERED: &str = include_str!("ops.txt");

/// Operators, or how their names begin, of packages that Google and others
/// publish: TensorFlow Text, Addons, IO, Decision Forests, TensorRT, Horovod.
const PACKAGES: &str = include_str!("packages.txt");

/// Where an operator comes from: `core`, `package` or `unknown`.
pub(in crate::formats) fn origin(op: &str) -> &'static str {
    static SORTED: LazyLock<Vec<&str>> = LazyLock::new(|| REGISTERED.lines().collect());
    if SORTED.binary_search(&op).is_ok() {
        "core"
    } else if PACKAGES.lines().any(|known| op.starts_with(known)) {
        "package"
    } else {
        "unknown"
    }
}

/// Whether strings that an operator is given are paths, patterns, addresses
/// or the like, so that they are worth following.
pub(super) fn takes_place(op: &str) -> bool {
    const PARTS: [&str; 26] = [
        "Remap",
        "File",
        "Save",
        "Restore",
        "Dataset",
        "Rpc",
        "Debug",
        "Print",
        "Summary",
        "Reader",
        "ImmutableConst",
        "TextFile",
        "Checkpoint",
        "Library",
        "Lookup",
        "LMDB",
        "Sql",
        "Asset",
        "Register",
        "Import",
        "Export",
        "Snapshot",
        "Server",
        "Client",
        "Worker",
        "Coordination",
    ];
    PARTS.iter().any(|part| op.contains(part))
}
