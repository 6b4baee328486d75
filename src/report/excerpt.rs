//! What stands around a finding, as reports carry it: rows of bytes, lines of
//! a text, or what a pickle does there as Python.

use serde::{Deserialize, Serialize};

use crate::report::sanitise;

/// The content around a finding. Credentials in it are hidden.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Excerpt {
    /// How the content is shown.
    pub view: View,
    /// The lines, in the order of the content.
    pub lines: Vec<Line>,
}

/// How content is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum View {
    /// Rows of sixteen bytes: two hexadecimal digits each, `**` where a
    /// credential is hidden.
    Bytes,
    /// Lines of a text.
    Source,
    /// What a pickle does, as Python.
    Program,
}

/// One line of an excerpt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Line {
    /// Number of the line in the text, from 1; of the other views the offset
    /// in the artifact, in bytes.
    pub at: u64,
    /// The line, shortened with `…` where it is long. Hostile.
    pub text: String,
    /// What of it the finding is about; absent in the lines around.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marked: Option<Marked>,
}

/// A part of a line, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Marked {
    /// The first, from 0.
    pub from: usize,
    /// The one behind the last.
    pub to: usize,
}

/// Bytes of a row, and the columns of their digits.
const BYTES: usize = 16;
const HEX: usize = BYTES * 3 - 1;

/// A line made harmless: what is before the mark, in it and behind it.
pub(super) struct Pieces {
    pub before: String,
    pub marked: String,
    pub after: String,
}

impl Excerpt {
    /// What the lines are, for a heading.
    pub(super) fn title(&self) -> &'static str {
        match self.view {
            View::Bytes => "the bytes there",
            View::Source => "the lines there",
            View::Program => "what the pickle does there, as Python",
        }
    }

    /// The numbers before the lines, all as wide as the widest. One that says
    /// what the line before has said is left out.
    pub(super) fn margins(&self) -> Vec<String> {
        let last = self.lines.iter().map(|line| line.at).max().unwrap_or(0);
        let mut before = None;
        let number = |at: u64| match self.view {
            View::Source => format!("{at:>width$}", width = last.to_string().len()),
            View::Bytes | View::Program => format!("{at:#0width$x}", width = format!("{last:#x}").len().max(6)),
        };
        let margin = |line: &Line| {
            let shown = number(line.at);
            let again = before.replace(line.at) == Some(line.at);
            if again { " ".repeat(shown.len()) } else { shown }
        };
        self.lines.iter().map(margin).collect()
    }

    /// All lines with their numbers, as plain text that fills at most `room`
    /// columns where it can; `>` marks those that the finding is about.
    pub(super) fn plain(&self, room: usize) -> Vec<String> {
        let margins = self.margins();
        let margin = margins.iter().map(String::len).max().unwrap_or(0) + 4;
        let shows_characters = self.view == View::Bytes && margin + HEX + 2 + BYTES <= room;
        let line = |(number, line): (String, &Line)| {
            let Pieces { before, marked, after } = line.pieces();
            let sign = if line.marked.is_some() { '>' } else { ' ' };
            let text = format!("{sign} {number}  {before}{marked}{after}");
            let beside = if shows_characters { characters(&line.text) } else { String::new() };
            let padding = " ".repeat(if beside.is_empty() { 0 } else { HEX.saturating_sub(line.text.len()) + 2 });
            format!("{text}{padding}{beside}").trim_end().to_owned()
        };
        margins.into_iter().zip(&self.lines).map(line).collect()
    }
}

impl Line {
    /// The line around its mark.
    pub(super) fn pieces(&self) -> Pieces {
        let Marked { from, to } = self.marked.unwrap_or(Marked { from: 0, to: 0 });
        let part = |skip: usize, take: usize| {
            let part: String = self.text.chars().skip(skip).take(take).collect();
            sanitise(&part.replace('\t', "    "))
        };
        Pieces {
            before: part(0, from),
            marked: part(from, to.saturating_sub(from)),
            after: part(to.max(from), usize::MAX),
        }
    }
}

/// The bytes that hexadecimal digits stand for, as characters: a point for
/// what has none.
pub(super) fn characters(digits: &str) -> String {
    let character = |byte: &str| match u8::from_str_radix(byte, 16) {
        Ok(byte @ 0x20..=0x7e) => char::from(byte),
        Ok(_) => '.',
        Err(_) => '*',
    };
    digits.split(' ').map(character).collect()
}
