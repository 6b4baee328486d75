//! Contents and evidence for a person: headings, aligned tables, statements.

use std::fmt::Write as _;

use serde_json::Value;

use crate::artifact::Artifact;
use crate::evidence::{Evidence, Kind};
use crate::inspect::{Contents, Statement, Stream, Table};
use crate::limits::Limits;
use crate::report::sanitise;
use crate::report::text::size;

/// Columns up to which a note stands behind its statement.
const COLUMNS: usize = 110;

/// Columns of the offset before a statement.
const MARGIN: usize = 14;

/// Evidence that the statements of a pickle show better.
const IN_STATEMENTS: &[Kind] = &[
    Kind::PickleImport,
    Kind::PickleCall,
    Kind::PickleCallback,
    Kind::PickleUnknownCall,
    Kind::PickleComputed,
    Kind::PickleWrite,
    Kind::PickleNested,
    Kind::PickleExtension,
    Kind::PicklePersistent,
];

/// Evidence that a table of that name shows better.
const IN_TABLES: &[(Kind, &str)] = &[(Kind::MetadataValue, "metadata"), (Kind::LayerUse, "layers")];

pub(super) fn text(artifact: &Artifact, limits: &Limits) -> String {
    let bound = |limit: u64| usize::try_from(limit).unwrap_or(usize::MAX);
    let mut writer = Writer {
        out: String::new(),
        lines: bound(limits.listed_lines),
        width: bound(limits.listed_width),
        artifacts: 0,
        left_out: 0,
    };
    writer.artifact(artifact, &sanitise(&artifact.name), true);
    if writer.left_out > 0 {
        let _ = writeln!(writer.out, "\n… {} more members", writer.left_out);
    }
    writer.out
}

struct Writer {
    out: String,
    lines: usize,
    width: usize,
    artifacts: usize,
    left_out: usize,
}

impl Writer {
    fn artifact(&mut self, artifact: &Artifact, path: &str, is_listed_nowhere: bool) {
        let bare = artifact.contents.is_none() && artifact.evidence.is_empty() && artifact.gaps.is_empty();
        if !(bare && artifact.members.is_empty()) || is_listed_nowhere {
            self.artifacts += 1;
            if self.artifacts > self.lines {
                self.left_out += 1;
                return;
            }
            if !self.out.is_empty() {
                self.out.push('\n');
            }
            let formats =
                if artifact.formats.is_empty() { "unrecognised".to_owned() } else { artifact.formats.join(", ") };
            let _ = writeln!(self.out, "{path}  ({formats}, {})", size(artifact.size));
            self.contents(artifact);
        }
        let tables = artifact.contents.iter().flat_map(|contents| &contents.tables);
        let listed = tables.into_iter().any(|table| table.name == "members");
        for member in &artifact.members {
            self.artifact(member, &format!("{path}!{}", sanitise(&member.name)), !listed);
        }
    }

    fn contents(&mut self, artifact: &Artifact) {
        let nothing = Contents::default();
        let contents = artifact.contents.as_deref().unwrap_or(&nothing);
        if !contents.header.is_empty() {
            let rows = contents.header.iter().map(|field| vec![Value::from(field.name), field.value.clone()]).collect();
            self.table("header", &[], rows, 0);
        }
        for Table { name, columns, rows, more } in &contents.tables {
            self.table(name, columns, rows.clone(), *more);
        }
        let mut streams: Vec<&Stream> = contents.streams.iter().collect();
        streams.sort_by_key(|stream| stream.offset);
        for stream in streams {
            self.stream(stream);
        }
        let shown = |fact: &&Evidence| {
            let in_statements = !contents.streams.is_empty() && IN_STATEMENTS.contains(&fact.kind);
            let in_table = |table: &Table| IN_TABLES.contains(&(fact.kind, table.name));
            !in_statements && !contents.tables.iter().any(in_table)
        };
        let facts: Vec<&Evidence> = artifact.evidence.iter().filter(shown).collect();
        let mut kinds: Vec<Kind> = Vec::new();
        for fact in &facts {
            if !kinds.contains(&fact.kind) {
                kinds.push(fact.kind);
            }
        }
        for kind in kinds {
            self.facts(kind, &facts);
        }
        if !artifact.gaps.is_empty() {
            self.heading("not examined");
            for gap in &artifact.gaps {
                let _ = writeln!(self.out, "  {}: {}", gap.reason.name(), self.shown(&gap.detail));
            }
        }
    }

    fn heading(&mut self, heading: &str) {
        let _ = writeln!(self.out, "\n  {heading}");
    }

    /// One pickle.
    fn stream(&mut self, stream: &Stream) {
        self.heading(&format!("pickle at {:#x}, {} bytes", stream.offset, stream.length));
        for Statement { offset, code, note } in &stream.statements {
            let mut lines = code.lines();
            let first = lines.next().unwrap_or_default();
            let _ = write!(self.out, "  {offset:#010x}  {first}");
            let mut last = first;
            for line in lines {
                let _ = write!(self.out, "\n{:MARGIN$}{line}", "");
                last = line;
            }
            if let Some(note) = note {
                let room = COLUMNS.saturating_sub(MARGIN + last.chars().count() + 4);
                if last.is_empty() {
                    let _ = write!(self.out, "# {note}");
                } else if note.chars().count() <= room {
                    let _ = write!(self.out, "  # {note}");
                } else {
                    let _ = write!(self.out, "\n{:MARGIN$}# {note}", "");
                }
            }
            self.out.push('\n');
        }
        if stream.more > 0 {
            let _ = writeln!(self.out, "{:MARGIN$}… {} more", "", stream.more);
        }
    }

    /// The facts of one kind, as a table: a column per attribute.
    fn facts(&mut self, kind: Kind, facts: &[&Evidence]) {
        let facts: Vec<&&Evidence> = facts.iter().filter(|fact| fact.kind == kind).collect();
        let mut columns = vec!["offset", "value"];
        for (name, _) in facts.iter().flat_map(|fact| &fact.attributes) {
            if !columns.contains(&name.as_ref()) && !name.starts_with("arg") && columns.len() < 12 {
                columns.push(name);
            }
        }
        let row = |fact: &&Evidence| {
            let attributes = columns.iter().skip(2);
            let mut row = vec![Value::from(format!("{:#x}", fact.span.offset)), Value::from(fact.value.as_str())];
            row.extend(attributes.map(|name| fact.attribute(name).map(Value::from).unwrap_or_default()));
            row
        };
        let rows = facts.iter().take(self.lines).map(|fact| row(fact)).collect();
        let more = u64::try_from(facts.len().saturating_sub(self.lines)).unwrap_or(u64::MAX);
        self.table(kind.name(), &columns, rows, more);
    }

    /// An aligned table; numbers to the right.
    fn table(&mut self, name: &str, columns: &[&str], rows: Vec<Vec<Value>>, more: u64) {
        self.heading(name);
        let numeric = |at: usize| {
            let mut cells = rows.iter().filter_map(|row| row.get(at)).filter(|cell| !cell.is_null()).peekable();
            cells.peek().is_some() && cells.all(Value::is_number)
        };
        let count = rows.iter().map(Vec::len).max().unwrap_or(0);
        let right: Vec<bool> = (0..count).map(numeric).collect();
        let mut cells: Vec<Vec<String>> = Vec::new();
        if !columns.is_empty() {
            cells.push(columns.iter().map(|column| (*column).to_owned()).collect());
        }
        cells.extend(rows.iter().map(|row| row.iter().map(|cell| self.cell(cell)).collect()));
        let width =
            |at: usize| cells.iter().filter_map(|row: &Vec<String>| row.get(at)).map(|c| c.chars().count()).max();
        // One long cell must not push all others out of sight.
        let widths: Vec<usize> = (0..count).map(|at| width(at).unwrap_or(0).min(60)).collect();
        for row in &cells {
            let mut line = String::from("   ");
            for ((cell, width), right) in row.iter().zip(&widths).zip(&right) {
                let _ = if *right { write!(line, " {cell:>width$} ") } else { write!(line, " {cell:<width$} ") };
            }
            let _ = writeln!(self.out, "{}", line.trim_end());
        }
        if more > 0 {
            let _ = writeln!(self.out, "    … {more} more");
        }
    }

    fn cell(&self, value: &Value) -> String {
        match value {
            Value::Null => String::new(),
            Value::String(text) => self.shown(text),
            Value::Array(items) => {
                let items: Vec<String> = items.iter().map(|item| self.cell(item)).collect();
                self.shown(&format!("[{}]", items.join(", ")))
            }
            other => other.to_string(),
        }
    }

    /// Hostile text, sanitised and not longer than a cell may be.
    fn shown(&self, text: &str) -> String {
        let more = text.chars().skip(self.width).count();
        // Lines are told apart, and a table keeps its shape.
        let cut = text.chars().take(self.width).collect::<String>().replace('\n', "\\n");
        let mut shown = sanitise(&cut);
        if more > 0 {
            let _ = write!(shown, "… {more} more");
        }
        shown
    }
}
