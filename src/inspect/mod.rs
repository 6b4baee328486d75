//! What an artifact contains, for `weighin inspect`: its header, its tables
//! and, of a pickle, what each stream does. Formats say it while they read,
//! and only when they are asked to: a scan keeps none of it.

use serde::Serialize;
use serde_json::Value;

/// Columns of a table of tensors.
pub(crate) const TENSORS: &[&str] = &["name", "dtype", "shape", "offset", "bytes"];

/// Columns of a table of what a graph takes or gives.
pub(crate) const INTERFACE: &[&str] = &["name", "dtype", "shape"];

/// Columns of a table of an archive's members: how long each is unpacked and
/// stored, and where its data begin.
pub(crate) const MEMBERS: &[&str] = &["name", "method", "size", "stored", "offset"];

/// What the formats say of one artifact beyond its evidence.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Contents {
    /// Header fields, in the order of the format.
    pub header: Vec<Field>,
    /// Tables: tensors, members, layers.
    pub tables: Vec<Table>,
    /// What the pickles do, in the order of the file.
    pub streams: Vec<Stream>,
}

/// A header field.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Field {
    /// Its name in the specification.
    pub name: &'static str,
    /// What it says: a string, a number, or an array of them. Hostile.
    pub value: Value,
}

/// A table of things of one kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// What its rows are, such as `tensors`.
    pub name: &'static str,
    /// What its columns are.
    pub columns: Vec<&'static str>,
    /// The rows, each with a cell per column; null where the file does not
    /// say. Hostile.
    pub rows: Vec<Vec<Value>>,
    /// How many rows more there are than the limit `listed-lines` keeps.
    pub more: u64,
}

/// One pickle.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Stream {
    /// Where it begins in the artifact, in bytes.
    pub offset: u64,
    /// Its length in bytes, as far as it could be decoded.
    pub length: u64,
    /// What it does, in order.
    pub statements: Vec<Statement>,
    /// How many effects more there are than the limit `listed-lines` keeps.
    pub more: u64,
}

/// One thing that a pickle does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Statement {
    /// Where in the artifact the opcode stands that does it, in bytes.
    pub offset: u64,
    /// The same as Python, sanitised; empty when there is only a note.
    pub code: String,
    /// What names and folded values amount to, and what goes wrong; sanitised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Contents {
    /// The table called `name`, begun when there is none.
    pub(crate) fn table(&mut self, name: &'static str, columns: &[&'static str]) -> Option<&mut Table> {
        let at = match self.tables.iter().position(|table| table.name == name) {
            Some(at) => at,
            None => {
                self.tables.push(Table { name, columns: columns.to_vec(), rows: Vec::new(), more: 0 });
                self.tables.len() - 1
            }
        };
        self.tables.get_mut(at)
    }
}
