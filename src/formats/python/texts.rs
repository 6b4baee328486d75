//! Text that is run: handed to `exec`, to a template engine, to doctest. It is
//! examined as what it is, in turn.

use std::collections::BTreeSet;

use crate::input::Input;
use crate::stop::Stop;

use super::effects::Made;
use super::statements::Machine;
use super::templates::{self, Engine};
use super::value::{GAP, PARTIAL, Val, What};

/// Names of the module around it that a text is told.
const TOLD: usize = 64;

impl<'a> Machine<'a, '_, '_, '_> {
    /// Text that is run is source like any other.
    pub(super) fn run_text(&mut self, made: &Made<'_, 'a>) -> Result<(), Stop> {
        // `timeit` runs its second text first.
        let setup = made.keywords.iter().find(|(name, _)| name == "setup").map(|(_, setup)| setup);
        let setup = made.arguments.get(1).or(setup).and_then(Val::as_text).unwrap_or_default();
        let named = made.keywords.iter().filter(|(name, _)| matches!(name.as_str(), "stmt" | "setup" | "source"));
        for code in made.arguments.first().into_iter().chain(named.map(|(_, value)| value)) {
            let whole = code.marks & PARTIAL == 0;
            let on_import = self.current.is_none() && !self.main;
            let Some(code) = code.as_text().filter(|_| self.quiet == 0 && (whole || on_import)) else { continue };
            // An expression without a call gives no more than a value.
            if code.contains('(') || code.contains("import") {
                // pandas marks names of the program around it.
                let code = code.strip_prefix('@').unwrap_or(&code);
                let code = if setup.is_empty() { code.to_owned() } else { format!("{setup}\n{code}") };
                let child = format!("source given to {}, byte {}", made.name, made.range.start().to_u32());
                self.source_within(&child, &format!("{}{code}", self.told(&code)))?;
            }
        }
        Ok(())
    }

    /// The imports of this source whose names `code` uses: it sees them too.
    fn told(&self, code: &str) -> String {
        let words: BTreeSet<&str> =
            code.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty()).collect();
        let is_path = |path: &str| {
            path.split('.').all(|part| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '_'))
        };
        let mut told = String::new();
        for word in words.into_iter().take(TOLD * 4) {
            let Some(Val { what: What::Name(path), .. }) = self.lookup(word) else { continue };
            if !is_path(&path) || path.starts_with("__") || path.as_ref() == format!("builtins.{word}") {
                continue;
            }
            told.push_str(&match path.rsplit_once('.') {
                Some((module, name)) => format!("from {module} import {name} as {word}; "),
                None => format!("import {path} as {word}; "),
            });
        }
        if told.is_empty() { told } else { told + "\n" }
    }

    fn source_within(&mut self, child: &str, code: &str) -> Result<(), Stop> {
        self.cx.child_as("python", child, Input::from(code.replace(GAP, "_").as_bytes()))
    }

    /// Text that a call takes apart and runs in another way.
    pub(super) fn text_within(&mut self, made: &Made<'_, 'a>) -> Result<(), Stop> {
        let first = made.arguments.first().or_else(|| made.keywords.first().map(|(_, value)| value));
        let text = first.and_then(Val::as_text).filter(|_| self.quiet == 0);
        let child = format!("source given to {}, byte {}", made.name, made.range.start().to_u32());
        match (made.name, text) {
            (name, Some(text)) if templates::engine(name).is_some() => match templates::engine(name) {
                Some(Engine::Jinja) if text.contains('{') => {
                    self.cx.child_as("jinja", &child, Input::from(text.as_bytes()))
                }
                Some(engine) => {
                    let code = engine.code(&text);
                    if code.is_empty() { Ok(()) } else { self.source_within(&child, &code) }
                }
                None => Ok(()),
            },
            ("jsonpickle.decode" | "jsonpickle.loads", Some(text)) if text.contains("py/") => {
                self.cx.child_as("json", &child, Input::from(text.as_bytes()))
            }
            ("yaml.load" | "yaml.unsafe_load" | "yaml.full_load" | "yaml.load_all", Some(text))
                if text.contains("!!python/") =>
            {
                self.cx.child_as("yaml", &child, Input::from(text.as_bytes()))
            }
            (
                "doctest.testmod"
                | "doctest.run_docstring_examples"
                | "doctest.debug_script"
                | "doctest.debug_src"
                | "doctest.debug"
                | "doctest.DocTestRunner.run",
                text,
            ) if self.quiet == 0 && self.current.is_none() && !self.main => {
                let tests = match self.lookup("__test__").map(|value| value.what) {
                    Some(What::Dict(pairs)) => pairs.iter().filter_map(|(_, test)| test.as_text()).collect(),
                    _ => Vec::new(),
                };
                let source = std::iter::once(self.source.to_owned()).chain(text).chain(tests);
                let code: String = source.map(|text| examples(&text)).collect();
                if code.is_empty() { Ok(()) } else { self.source_within(&child, &code) }
            }
            _ => Ok(()),
        }
    }
}

/// What a text has behind the prompts of an interactive session.
fn examples(text: &str) -> String {
    let lines = text.lines().filter_map(|line| {
        let line = line.trim_start();
        line.strip_prefix(">>> ").or_else(|| line.strip_prefix("... "))
    });
    lines.flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::examples;

    #[test]
    fn only_code_is_taken_of_a_text() {
        assert_eq!(examples("Adds.\n\n    >>> def f():\n    ...     return 1\n    1\n"), "def f():\n    return 1\n");
    }
}
