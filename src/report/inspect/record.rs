//! The shape of the JSON: one record per artifact, members inside.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::artifact::{Artifact, Gap};
use crate::inspect::{Contents, Field, Stream, Table};
use crate::report::FactRecord;

/// What one artifact contains. Every string in it is as hostile as the file.
#[derive(Serialize, schemars::JsonSchema)]
#[schemars(title = "Contents")]
pub(super) struct Record<'a> {
    /// File path, member name, or what the payload was found as.
    name: &'a str,
    /// Length in bytes.
    size: u64,
    /// Names of the formats that read it, most certain first.
    formats: &'a [&'static str],
    /// Header fields, in the order of the format.
    header: &'a [Field],
    /// Tables: tensors, members, layers.
    tables: Vec<TableRecord<'a>>,
    /// What its pickles do, in the order of the file.
    streams: &'a [Stream],
    /// The facts that rules are matched with, in order of discovery.
    evidence: Vec<Fact>,
    /// What could not be examined of it, members aside.
    gaps: &'a [Gap],
    /// What was found inside it.
    members: Vec<Record<'a>>,
}

/// A table of things of one kind.
#[derive(Serialize, schemars::JsonSchema)]
struct TableRecord<'a> {
    /// What its rows are.
    name: &'a str,
    /// The keys of its rows, in the order in which a person wants to see them.
    columns: &'a [&'static str],
    /// The rows: column to cell. What the file does not say is null.
    rows: Vec<BTreeMap<&'a str, &'a Value>>,
    /// How many rows more there are than the limit `listed-lines` keeps.
    more: u64,
}

/// One piece of evidence.
#[derive(Serialize, schemars::JsonSchema)]
struct Fact {
    /// First byte that it is about.
    offset: u64,
    /// Number of bytes; 0 when only the place is known.
    length: u64,
    #[serde(flatten)]
    fact: FactRecord,
}

const NOTHING: &Contents = &Contents { header: Vec::new(), tables: Vec::new(), streams: Vec::new() };

impl<'a> From<&'a Artifact> for Record<'a> {
    fn from(artifact: &'a Artifact) -> Self {
        let contents = artifact.contents.as_deref().unwrap_or(NOTHING);
        let evidence = artifact.evidence.iter().map(|fact| Fact {
            offset: fact.span.offset,
            length: fact.span.length,
            fact: FactRecord {
                kind: fact.kind.name().to_owned(),
                value: fact.value.clone(),
                attributes: fact.attributes.iter().map(|(name, value)| (name.to_string(), value.clone())).collect(),
            },
        });
        Self {
            name: &artifact.name,
            size: artifact.size,
            formats: &artifact.formats,
            header: &contents.header,
            tables: contents.tables.iter().map(TableRecord::from).collect(),
            streams: &contents.streams,
            evidence: evidence.collect(),
            gaps: &artifact.gaps,
            members: artifact.members.iter().map(Record::from).collect(),
        }
    }
}

impl<'a> From<&'a Table> for TableRecord<'a> {
    fn from(table: &'a Table) -> Self {
        let row = |row: &'a Vec<Value>| table.columns.iter().copied().zip(row).collect();
        Self { name: table.name, columns: &table.columns, rows: table.rows.iter().map(row).collect(), more: table.more }
    }
}
