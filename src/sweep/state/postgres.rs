//! The state in a database server.

use postgres::config::SslMode;
use postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use postgres::{Client, Config, NoTls, Row, Statement};
use std::collections::BTreeMap;

use super::{Database, StateError, Value, tls};

pub(super) struct Postgres {
    client: Client,
    prepared: BTreeMap<String, Statement>,
}

impl From<postgres::Error> for StateError {
    fn from(error: postgres::Error) -> Self {
        // The server's own words are in the source; the URL is in neither.
        let source = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
        Self(format!("PostgreSQL: {error}{source}"))
    }
}

impl Postgres {
    pub(super) fn open(url: &str) -> Result<Self, StateError> {
        let tls::Asked { url, tls } = tls::asked(url)?;
        let mut config: Config = url.parse()?;
        let client = match tls {
            None => config.ssl_mode(SslMode::Disable).connect(NoTls)?,
            Some(tls) => config.ssl_mode(SslMode::Require).connect(tls)?,
        };
        Ok(Self { client, prepared: BTreeMap::new() })
    }

    fn prepare(&mut self, sql: &str) -> Result<Statement, StateError> {
        if let Some(statement) = self.prepared.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql)?;
        self.prepared.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }
}

impl ToSql for Value {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut bytes::BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Int(value) => value.to_sql(kind, out),
            Self::Text(value) => value.to_sql(kind, out),
            Self::Bytes(value) => value.to_sql(kind, out),
        }
    }

    fn accepts(kind: &Type) -> bool {
        matches!(*kind, Type::INT8 | Type::TEXT | Type::BYTEA)
    }

    to_sql_checked!();
}

fn value(row: &Row, at: usize) -> Result<Value, StateError> {
    let kind = row.columns().get(at).map(|column| column.type_().clone());
    Ok(match kind {
        Some(Type::INT8) => row.try_get::<_, Option<i64>>(at)?.map_or(Value::Null, Value::Int),
        Some(Type::BOOL) => row.try_get::<_, Option<bool>>(at)?.map_or(Value::Null, |is| Value::Int(is.into())),
        Some(Type::BYTEA) => row.try_get::<_, Option<Vec<u8>>>(at)?.map_or(Value::Null, Value::Bytes),
        Some(Type::TEXT) => row.try_get::<_, Option<String>>(at)?.map_or(Value::Null, Value::Text),
        _ => return Err(StateError("a column is of a type that it was not made with".to_owned())),
    })
}

fn parameters(values: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    values.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

impl Database for Postgres {
    fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, StateError> {
        if values.is_empty() {
            self.client.batch_execute(sql)?;
            return Ok(0);
        }
        let statement = self.prepare(sql)?;
        Ok(self.client.execute(&statement, &parameters(values))?)
    }

    fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Vec<Value>>, StateError> {
        let statement = self.prepare(sql)?;
        let rows = self.client.query(&statement, &parameters(values))?;
        rows.iter().map(|row| (0..row.len()).map(|at| value(row, at)).collect()).collect()
    }

    fn bytes(&self) -> &'static str {
        "BYTEA"
    }
}
