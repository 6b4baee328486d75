//! The state in a file.

use std::path::Path;
use std::time::Duration;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ToSql, params_from_iter};

use super::{Database, StateError, Value};

/// How long to wait for another process that writes.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Sqlite {
    connection: Connection,
}

impl From<rusqlite::Error> for StateError {
    fn from(error: rusqlite::Error) -> Self {
        Self(error.to_string())
    }
}

impl Sqlite {
    pub(super) fn open(path: &Path) -> Result<Self, StateError> {
        let connection = Connection::open(path);
        Self::set_up(connection.map_err(|error| StateError(format!("{}: {error}", path.display())))?)
    }

    pub(super) fn in_memory() -> Result<Self, StateError> {
        Self::set_up(Connection::open_in_memory()?)
    }

    fn set_up(connection: Connection) -> Result<Self, StateError> {
        connection.busy_timeout(PATIENCE)?;
        // Readers see what was there while a sweep writes; a crash of the machine
        // may cost the last transactions, which are then examined again.
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "normal")?;
        Ok(Self { connection })
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(value) => ValueRef::Integer(*value),
            Self::Text(value) => ValueRef::Text(value.as_bytes()),
            Self::Bytes(value) => ValueRef::Blob(value),
        }))
    }
}

impl Database for Sqlite {
    fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, StateError> {
        // Taking the lock for writing later can fail at once, by design.
        let sql = if sql == "BEGIN" { "BEGIN IMMEDIATE" } else { sql };
        let changed = self.connection.prepare(sql)?.execute(params_from_iter(values))?;
        Ok(crate::input::to_u64(changed))
    }

    fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Vec<Value>>, StateError> {
        let mut statement = self.connection.prepare(sql)?;
        let columns = statement.column_count();
        let mut rows = statement.query(params_from_iter(values))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let value = |at| {
                Ok(match row.get_ref(at)? {
                    ValueRef::Integer(value) => Value::Int(value),
                    ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
                    ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
                    ValueRef::Null | ValueRef::Real(_) => Value::Null,
                })
            };
            found.push((0..columns).map(value).collect::<rusqlite::Result<_>>()?);
        }
        Ok(found)
    }

    fn bytes(&self) -> &'static str {
        "BLOB"
    }
}
