//! Lines and columns in the files that people write: policies, rules, lists.

use std::fmt;

/// A place in a text file, as editors count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
}

impl Position {
    /// Where byte `offset` of `text` is.
    pub(crate) fn of(text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        Self { line: before.matches('\n').count() + 1, column }
    }

    /// Where a TOML error is, when it is anywhere.
    pub(crate) fn of_error(text: &str, error: &toml::de::Error) -> Option<Self> {
        error.span().map(|span| Self::of(text, span.start))
    }

    /// Where the value at `path` begins in a TOML document, or the nearest
    /// table around it that is there.
    pub(crate) fn of_key(text: &str, path: &[&str]) -> Option<Self> {
        let document = toml::de::DeTable::parse(text).ok()?;
        let mut offset = None;
        let mut table = Some(document.get_ref());
        for key in path {
            let Some(value) = table.and_then(|table| table.get(*key)) else { break };
            offset = Some(value.span().start);
            table = value.get_ref().as_table();
        }
        Some(Self::of(text, offset?))
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}
