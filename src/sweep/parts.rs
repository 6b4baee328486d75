//! Parquet for lakehouses: the rows of one sweep as files that are only ever
//! added, `objects/date=YYYY-MM-DD/part-….parquet` and `findings/…`.
//!
//! They are written from the state, at the end. What a sweep recorded before it
//! was killed is in the files of the next.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use super::SweepError;
use super::state::{Lasting, State, Value};
use crate::policy::Date;

/// Rows of a row group.
const GROUP: usize = 5_000;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    Text,
    Int,
    Bool,
    /// Seconds in the database, milliseconds in the file.
    Time,
}

struct Table {
    name: &'static str,
    /// What to ask for; `objects` is called `o`.
    from: &'static str,
    columns: &'static [(&'static str, &'static str, Holds)],
}

const TABLES: [Table; 2] = [
    Table {
        name: "objects",
        from: "objects o",
        columns: &[
            ("uri", "o.uri", Holds::Text),
            ("version_id", "o.version_id", Holds::Text),
            ("etag", "o.etag", Holds::Text),
            ("size", "o.size", Holds::Int),
            ("last_modified", "o.last_modified", Holds::Time),
            ("sha256", "o.sha256", Holds::Text),
            ("format", "o.format", Holds::Text),
            ("verdict", "o.verdict", Holds::Text),
            ("complete", "o.complete", Holds::Bool),
            ("depth", "o.depth", Holds::Text),
            ("bytes_read", "o.bytes_read", Holds::Int),
            ("requests", "o.requests", Holds::Int),
            ("tool_version", "o.tool_version", Holds::Text),
            ("ruleset_id", "o.ruleset_id", Holds::Text),
            ("options_hash", "o.options_hash", Holds::Text),
            ("scanned_at", "o.scanned_at", Holds::Time),
            ("error", "o.error", Holds::Text),
        ],
    },
    Table {
        name: "findings",
        from: "findings f JOIN objects o ON o.uri = f.uri",
        columns: &[
            ("uri", "o.uri", Holds::Text),
            ("etag", "f.etag", Holds::Text),
            ("inner_path", "f.inner_path", Holds::Text),
            ("byte_offset", "f.byte_offset", Holds::Int),
            ("rule_id", "f.rule_id", Holds::Text),
            ("severity", "f.severity", Holds::Text),
            ("confidence", "f.confidence", Holds::Text),
            ("evidence", "f.evidence", Holds::Text),
            ("message", "f.message", Holds::Text),
            ("fingerprint", "f.fingerprint", Holds::Text),
            ("scanned_at", "o.scanned_at", Holds::Time),
        ],
    },
];

/// Which sweeps the files are to hold: those after `after`, up to `run`, of one
/// scope and of the part of the objects that `is_ours` tells.
pub(super) struct Parts<'p> {
    pub directory: &'p Path,
    pub targets: &'p [String],
    pub shard: Option<&'p str>,
    pub after: i64,
    pub run: &'p Lasting,
    pub now: i64,
}

fn wrong(error: impl std::fmt::Display) -> SweepError {
    SweepError::Parts(error.to_string())
}

/// Writes the files; none where there are no rows.
pub(super) fn write(
    parts: &Parts<'_>,
    state: &mut State,
    is_ours: &dyn Fn(&str) -> bool,
) -> Result<Vec<PathBuf>, SweepError> {
    let date = Date::from_unix(u64::try_from(parts.now).unwrap_or(0));
    let mut written = Vec::new();
    for table in &TABLES {
        let folder = parts.directory.join(table.name).join(format!("date={date}"));
        // By the first sweep that it holds: written again after a crash, it
        // replaces itself.
        let shard = parts.shard.unwrap_or("all").replace('/', "-of-");
        let name = format!("part-{:010}-{shard}.parquet", parts.after.saturating_add(1));
        fs::create_dir_all(&folder).map_err(wrong)?;
        let mut unfinished = tempfile::Builder::new().prefix(".part-").tempfile_in(&folder).map_err(wrong)?;
        let rows = write_table(table, parts, state, is_ours, unfinished.as_file_mut())?;
        if rows > 0 {
            let path = folder.join(name);
            readable(unfinished.as_file()).map_err(wrong)?;
            unfinished.persist(&path).map_err(wrong)?;
            written.push(path);
        }
    }
    Ok(written)
}

/// Temporary files are nobody else's; tables are everybody's.
#[cfg(unix)]
fn readable(file: &File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable(_file: &File) -> std::io::Result<()> {
    Ok(())
}

fn write_table(
    table: &Table,
    parts: &Parts<'_>,
    state: &mut State,
    is_ours: &dyn Fn(&str) -> bool,
    file: &mut File,
) -> Result<usize, SweepError> {
    let schema = Arc::new(parse_message_type(&schema(table)).map_err(wrong)?);
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties)).map_err(wrong)?;
    let mut all = 0;
    for target in parts.targets {
        let mut last = String::new();
        loop {
            let uris = uris(state, target, parts, &last)?;
            let Some(end) = uris.last().cloned() else { break };
            let mut rows = rows(state, table, target, parts, (&last, &end))?;
            rows.retain(|row| matches!(row.first(), Some(Value::Text(uri)) if is_ours(uri)));
            all += rows.len();
            if !rows.is_empty() {
                write_group(table, &rows, &mut writer).map_err(wrong)?;
            }
            last = end;
        }
    }
    writer.close().map_err(wrong)?;
    Ok(all)
}

/// The objects of the next row group.
fn uris(state: &mut State, target: &str, parts: &Parts<'_>, after: &str) -> Result<Vec<String>, SweepError> {
    let sql = format!(
        "SELECT uri FROM objects WHERE target = $1 AND scanned_sweep > $2 AND scanned_sweep <= $3 AND uri > $4 \
         ORDER BY uri LIMIT {GROUP}"
    );
    let values = [target.into(), parts.after.into(), parts.run.id.into(), after.into()];
    let rows = state.database().query(&sql, &values)?;
    Ok(rows.into_iter().filter_map(|row| row.into_iter().next()).map(Value::text).collect())
}

fn rows(
    state: &mut State,
    table: &Table,
    target: &str,
    parts: &Parts<'_>,
    (after, end): (&str, &str),
) -> Result<Vec<Vec<Value>>, SweepError> {
    let columns: Vec<&str> = table.columns.iter().map(|(_, column, _)| *column).collect();
    let sql = format!(
        "SELECT {} FROM {} WHERE o.target = $1 AND o.scanned_sweep > $2 AND o.scanned_sweep <= $3 AND o.uri > $4 \
         AND o.uri <= $5 ORDER BY o.uri{}",
        columns.join(", "),
        table.from,
        if table.name == "findings" { ", f.position" } else { "" }
    );
    let values = [target.into(), parts.after.into(), parts.run.id.into(), after.into(), end.into()];
    Ok(state.database().query(&sql, &values)?)
}

fn schema(table: &Table) -> String {
    let columns = table.columns.iter().map(|(name, _, holds)| match holds {
        Holds::Text => format!("OPTIONAL BYTE_ARRAY {name} (UTF8);"),
        Holds::Int => format!("OPTIONAL INT64 {name};"),
        Holds::Bool => format!("OPTIONAL BOOLEAN {name};"),
        Holds::Time => format!("OPTIONAL INT64 {name} (TIMESTAMP(MILLIS,true));"),
    });
    format!("message {} {{ {} }}", table.name, columns.collect::<Vec<_>>().join(" "))
}

fn write_group(
    table: &Table,
    rows: &[Vec<Value>],
    writer: &mut SerializedFileWriter<&mut File>,
) -> Result<(), ParquetError> {
    let mut group = writer.next_row_group()?;
    for (at, (_, _, holds)) in table.columns.iter().enumerate() {
        let Some(mut column) = group.next_column()? else { break };
        let values = rows.iter().map(|row| row.get(at).unwrap_or(&Value::Null));
        let levels: Vec<i16> = values.clone().map(|value| i16::from(*value != Value::Null)).collect();
        let there = values.filter(|value| **value != Value::Null);
        match holds {
            Holds::Text => {
                let texts: Vec<ByteArray> = there.map(|value| ByteArray::from(value.clone().text().as_str())).collect();
                column.typed::<ByteArrayType>().write_batch(&texts, Some(&levels), None)?;
            }
            Holds::Int => {
                let numbers: Vec<i64> = there.map(Value::int).collect();
                column.typed::<Int64Type>().write_batch(&numbers, Some(&levels), None)?;
            }
            Holds::Time => {
                let times: Vec<i64> = there.map(|value| value.int().saturating_mul(1000)).collect();
                column.typed::<Int64Type>().write_batch(&times, Some(&levels), None)?;
            }
            Holds::Bool => {
                let truths: Vec<bool> = there.map(|value| value.int() != 0).collect();
                column.typed::<parquet::data_type::BoolType>().write_batch(&truths, Some(&levels), None)?;
            }
        }
        column.close()?;
    }
    group.close()?;
    Ok(())
}
