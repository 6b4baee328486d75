//! When a function's code runs: as soon as the module is imported, when a
//! loader calls what loaders call, or only when someone asks for it.

use super::loaded;
use super::value::Function;

/// When code runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scope {
    /// When a caller asks for it.
    Function,
    /// When the file is run as a program.
    Main,
    /// When a loader calls what loaders call.
    Loader,
    /// When a notebook's cell is run.
    Cell,
    /// When the module is imported.
    Module,
}

impl Scope {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Main => "main",
            Self::Loader => "loader",
            Self::Cell => "cell",
            Self::Module => "module",
        }
    }
}

/// The scope of every function: `roots` are those called from outside any
/// function, with the scope of that place.
pub(super) fn scopes(functions: &[Function<'_>], roots: &[(usize, Scope)], file: &str) -> Vec<Scope> {
    let mut scopes: Vec<Scope> = functions
        .iter()
        .map(|function| {
            let loaded = loaded::is_loaded(&function.name, function.class.is_some(), file);
            if loaded { Scope::Loader } else { Scope::Function }
        })
        .collect();
    let mut queue: Vec<(usize, Scope)> = roots.to_vec();
    queue.extend(scopes.iter().copied().enumerate().filter(|(_, scope)| *scope > Scope::Function));
    // Each function's scope only rises, so this ends.
    let mut first = vec![true; functions.len()];
    while let Some((index, scope)) = queue.pop() {
        let Some(current) = scopes.get_mut(index) else { continue };
        let fresh = first.get_mut(index).is_some_and(|first| std::mem::replace(first, false));
        if scope <= *current && !fresh {
            continue;
        }
        *current = (*current).max(scope);
        let reached = *current;
        if let Some(function) = functions.get(index) {
            queue.extend(function.calls.iter().map(|called| (*called, reached)));
        }
    }
    scopes
}
