//! The state of a sweep: what is known of every object, kept in SQLite or
//! PostgreSQL, from one night to the next. The tables are meant to be read by
//! others too; `docs/sweep.md` describes them.

mod postgres;
mod schema;
mod sqlite;
mod tls;

use std::collections::BTreeMap;
use std::path::Path;

use super::facts;
use super::offers::Offer;
use super::{Settings, SweepError, depth_name};
use crate::input::to_u64;
use crate::report::FileReport;

/// The state can't be read or written.
#[derive(Debug, thiserror::Error)]
#[error("state: {0}")]
pub struct StateError(pub(super) String);

/// A value of a column.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

impl Value {
    pub(super) fn int(&self) -> i64 {
        if let Self::Int(value) = self { *value } else { 0 }
    }

    pub(super) fn text(self) -> String {
        if let Self::Text(value) = self { value } else { String::new() }
    }

    fn bytes(self) -> Option<Vec<u8>> {
        if let Self::Bytes(value) = self { Some(value) } else { None }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        // PostgreSQL has no NUL in text.
        Self::Text(text.replace('\0', "\u{fffd}"))
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

/// What both databases are asked, in SQL that both understand: parameters are
/// `$1`, `$2` ... in the order in which they are met.
pub(super) trait Database {
    fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, StateError>;
    fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Vec<Value>>, StateError>;
    /// The type of a column of bytes.
    fn bytes(&self) -> &'static str;
}

/// What is known of all objects.
pub struct State {
    database: Box<dyn Database>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").finish_non_exhaustive()
    }
}

/// What is known of an object, as far as it decides what to do about it.
#[derive(Debug)]
pub(super) struct Known {
    pub mark: String,
    pub size: u64,
    pub depth: String,
    pub version: String,
    pub options_hash: String,
    pub ruleset_id: String,
    /// Something kept it from being examined that may have passed.
    pub retry: bool,
    pub has_facts: bool,
    /// Clean, and nothing to tell.
    pub is_blank: bool,
}

/// A sweep that has begun.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lasting {
    /// Grows from sweep to sweep.
    pub id: i64,
    /// The last one of the same scope that came to its end.
    last: Option<i64>,
    /// When that was.
    pub since: Option<i64>,
}

/// An object that has been examined, to be recorded.
pub(super) struct Row {
    pub target: String,
    pub offer: Offer,
    pub file: FileReport,
    pub facts: Option<Vec<u8>>,
    pub retry: bool,
}

/// Objects that are asked for at once.
const ASKED: usize = 200;

impl State {
    /// Opens the database: a `postgres://` URL, or else an SQLite file, which is
    /// made when there is none.
    ///
    /// # Errors
    /// When it can't be opened, or is none of weighin's.
    pub fn open(place: &str) -> Result<Self, StateError> {
        let mut database: Box<dyn Database> = if place.starts_with("postgres://") || place.starts_with("postgresql://")
        {
            Box::new(postgres::Postgres::open(place)?)
        } else {
            Box::new(sqlite::Sqlite::open(Path::new(place))?)
        };
        schema::make(&mut *database)?;
        Ok(Self { database })
    }

    /// A state that is forgotten in the end.
    ///
    /// # Errors
    /// When SQLite does not let it.
    pub fn in_memory() -> Result<Self, StateError> {
        let mut database = sqlite::Sqlite::in_memory()?;
        schema::make(&mut database)?;
        Ok(Self { database: Box::new(database) })
    }

    pub(super) fn database(&mut self) -> &mut dyn Database {
        &mut *self.database
    }

    /// Begins a sweep of `scope`: its targets and its part of them.
    pub(super) fn begin(&mut self, scope: &str, now: i64) -> Result<Lasting, StateError> {
        let last = self.database.query(
            "SELECT id, finished_at FROM sweeps WHERE scope = $1 AND finished_at IS NOT NULL ORDER BY id DESC LIMIT 1",
            &[scope.into()],
        )?;
        let (last, since) = match last.first().map(Vec::as_slice) {
            Some([id, at]) => (Some(id.int()), Some(at.int())),
            _ => (None, None),
        };
        // Several processes may begin at once; the number is taken by inserting it.
        for _ in 0..100 {
            let most = self.database.query("SELECT COALESCE(MAX(id), 0) FROM sweeps", &[])?;
            let id = most.first().and_then(|row| row.first()).map_or(0, Value::int).saturating_add(1);
            let made = self.database.execute(
                "INSERT INTO sweeps (id, scope, tool_version, started_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
                &[id.into(), scope.into(), env!("CARGO_PKG_VERSION").into(), now.into()],
            )?;
            if made == 1 {
                return Ok(Lasting { id, last, since });
            }
        }
        Err(StateError("no number for this sweep can be had".to_owned()))
    }

    /// The sweep has come to its end.
    pub(super) fn finish(&mut self, run: &Lasting, now: i64) -> Result<(), StateError> {
        self.database.execute("UPDATE sweeps SET finished_at = $1 WHERE id = $2", &[now.into(), run.id.into()])?;
        Ok(())
    }

    /// The last sweep of `scope` that is in Parquet files.
    pub(super) fn exported(&mut self, scope: &str) -> Result<i64, StateError> {
        let sql = "SELECT COALESCE(MAX(id), 0) FROM sweeps WHERE scope = $1 AND exported_at IS NOT NULL";
        let rows = self.database.query(sql, &[scope.into()])?;
        Ok(rows.first().and_then(|row| row.first()).map_or(0, Value::int))
    }

    /// All that was recorded up to this sweep is in Parquet files.
    pub(super) fn note_export(&mut self, run: &Lasting, now: i64) -> Result<(), StateError> {
        self.database.execute("UPDATE sweeps SET exported_at = $1 WHERE id = $2", &[now.into(), run.id.into()])?;
        Ok(())
    }

    /// What is known of some objects, by URL.
    pub(super) fn known(&mut self, uris: &[&str]) -> Result<BTreeMap<String, Known>, StateError> {
        let mut known = BTreeMap::new();
        for some in uris.chunks(ASKED) {
            let wanted: Vec<Value> = some.iter().map(|uri| (*uri).into()).collect();
            let sql = format!(
                "SELECT uri, mark, size, depth, tool_version, options_hash, ruleset_id, retry, facts IS NOT NULL, \
                 report IS NULL FROM objects WHERE gone_at IS NULL AND uri IN ({})",
                holes(1, some.len())
            );
            for row in self.database.query(&sql, &wanted)? {
                let Ok([uri, mark, size, depth, version, options, ruleset, retry, facts, blank]) =
                    <[Value; 10]>::try_from(row)
                else {
                    continue;
                };
                let one = Known {
                    mark: mark.text(),
                    size: u64::try_from(size.int()).unwrap_or(0),
                    depth: depth.text(),
                    version: version.text(),
                    options_hash: options.text(),
                    ruleset_id: ruleset.text(),
                    retry: retry.int() != 0,
                    has_facts: facts.int() != 0,
                    is_blank: blank.int() != 0,
                };
                known.insert(uri.text(), one);
            }
        }
        Ok(known)
    }

    /// The facts that were kept of an object.
    pub(super) fn facts(&mut self, uri: &str) -> Result<Option<Vec<u8>>, StateError> {
        let rows = self.database.query("SELECT facts FROM objects WHERE uri = $1", &[uri.into()])?;
        Ok(rows.into_iter().next().and_then(|row| row.into_iter().next()).and_then(Value::bytes))
    }

    /// What was told of an object, and which of its findings came after the last
    /// sweep that ended.
    pub(super) fn report(&mut self, uri: &str, run: &Lasting) -> Result<Option<(FileReport, Vec<usize>)>, StateError> {
        let rows = self.database.query("SELECT report FROM objects WHERE uri = $1", &[uri.into()])?;
        let packed = rows.into_iter().next().and_then(|row| row.into_iter().next()).and_then(Value::bytes);
        let Some(file) = packed.and_then(|packed| facts::unpacked::<FileReport>(&packed)) else { return Ok(None) };
        let firsts = self.database.query(
            "SELECT position FROM findings WHERE uri = $1 AND first_sweep > $2",
            &[uri.into(), run.last.unwrap_or(0).into()],
        )?;
        let new = firsts.iter().filter_map(|row| usize::try_from(row.first()?.int()).ok()).collect();
        Ok(Some((file, new)))
    }

    /// Notes that objects are still there.
    pub(super) fn meet(&mut self, uris: &[String], run: i64) -> Result<(), StateError> {
        for some in uris.chunks(ASKED) {
            let mut values = vec![run.into()];
            values.extend(some.iter().map(|uri| uri.as_str().into()));
            let sql = format!("UPDATE objects SET seen_sweep = $1 WHERE uri IN ({})", holes(2, some.len()));
            self.database.execute(&sql, &values)?;
        }
        Ok(())
    }

    /// Records objects in one transaction; of each, the indices of the findings
    /// that are new since the last sweep that ended.
    pub(super) fn record(
        &mut self,
        rows: &[Row],
        settings: &Settings,
        run: &Lasting,
        now: i64,
    ) -> Result<Vec<Vec<usize>>, StateError> {
        self.database.execute("BEGIN", &[])?;
        let recorded: Result<Vec<_>, _> = rows.iter().map(|row| self.record_one(row, settings, run, now)).collect();
        match recorded {
            Ok(news) => self.database.execute("COMMIT", &[]).map(|_| news),
            Err(error) => {
                // The first failure is the one to tell.
                let _ = self.database.execute("ROLLBACK", &[]);
                Err(error)
            }
        }
    }

    fn record_one(
        &mut self,
        row: &Row,
        settings: &Settings,
        run: &Lasting,
        now: i64,
    ) -> Result<Vec<usize>, StateError> {
        let uri = row.offer.uri.as_str();
        let before =
            self.database.query("SELECT fingerprint, first_sweep FROM findings WHERE uri = $1", &[uri.into()])?;
        let before: BTreeMap<String, i64> = before
            .into_iter()
            .filter_map(|row| <[Value; 2]>::try_from(row).ok().map(|[print, first]| (print.text(), first.int())))
            .collect();
        self.database.execute(schema::UPSERT, &object_values(row, settings, run, now))?;
        if !before.is_empty() {
            self.database.execute("DELETE FROM findings WHERE uri = $1", &[uri.into()])?;
        }
        let mut new = Vec::new();
        let mut met: BTreeMap<String, usize> = BTreeMap::new();
        for (position, finding) in row.file.findings.iter().enumerate() {
            // The content may differ, and the finding be the same.
            let print = finding.fingerprint("");
            let times = met.entry(print.clone()).and_modify(|times| *times += 1).or_insert(1);
            let print = if *times > 1 { format!("{print}-{times}") } else { print };
            let first = before.get(&print).copied().unwrap_or(run.id);
            if first > run.last.unwrap_or(0) {
                new.push(position);
            }
            self.database.execute(
                schema::INSERT_FINDING,
                &[
                    uri.into(),
                    print.as_str().into(),
                    to_u64(position).into(),
                    row.offer.etag.as_deref().into(),
                    finding.location.members.join("!").as_str().into(),
                    finding.location.offset.into(),
                    finding.rule.as_str().into(),
                    finding.severity.name().into(),
                    finding.confidence.name().into(),
                    finding.evidence.value.chars().take(EVIDENCE).collect::<String>().as_str().into(),
                    finding.message.as_str().into(),
                    first.into(),
                ],
            )?;
        }
        Ok(new)
    }

    /// Notes that what `run` has not met of `targets` is gone, of the part of
    /// the objects that was swept; how many that are.
    pub(super) fn forget(
        &mut self,
        targets: &[String],
        run: &Lasting,
        now: i64,
        is_ours: impl Fn(&str) -> bool,
    ) -> Result<usize, SweepError> {
        let mut gone: Vec<String> = Vec::new();
        for target in targets {
            let rows = self.database.query(
                "SELECT uri FROM objects WHERE target = $1 AND gone_at IS NULL AND seen_sweep < $2",
                &[target.as_str().into(), run.id.into()],
            )?;
            gone.extend(rows.into_iter().filter_map(|row| row.into_iter().next()).map(Value::text));
        }
        gone.retain(|uri| is_ours(uri));
        for some in gone.chunks(ASKED) {
            let mut values = vec![now.into()];
            values.extend(some.iter().map(|uri| uri.as_str().into()));
            let sql = format!("UPDATE objects SET gone_at = $1 WHERE uri IN ({})", holes(2, some.len()));
            self.database.execute(&sql, &values)?;
        }
        Ok(gone.len())
    }
}

/// Longest evidence in a table, in characters; the report has all of it.
const EVIDENCE: usize = 4096;

/// `$first, $first+1, ...`
fn holes(first: usize, count: usize) -> String {
    let holes: Vec<String> = (first..first.saturating_add(count)).map(|at| format!("${at}")).collect();
    holes.join(", ")
}

/// The columns of [`schema::UPSERT`].
fn object_values(row: &Row, settings: &Settings, run: &Lasting, now: i64) -> Vec<Value> {
    let Row { target, offer, file, facts, retry } = row;
    let fetched = file.fetched.as_ref();
    let told = !file.findings.is_empty() || !file.gaps.is_empty();
    let report = told.then(|| facts::packed(file)).flatten();
    let error = file.gaps.first().map(|gap| format!("{}: {}", gap.reason.name(), gap.detail));
    vec![
        offer.uri.as_str().into(),
        target.as_str().into(),
        offer.mark.as_str().into(),
        offer.version_id.as_deref().into(),
        offer.etag.as_deref().into(),
        offer.size.into(),
        offer.last_modified.into(),
        file.sha256.as_deref().into(),
        file.format.as_deref().into(),
        file.verdict.name().into(),
        i64::from(file.gaps.is_empty()).into(),
        i64::from(*retry).into(),
        depth_name(settings.depth).into(),
        fetched.map_or(0, |fetched| fetched.bytes_read).into(),
        fetched.and_then(|fetched| fetched.requests).unwrap_or(0).into(),
        settings.version.as_str().into(),
        settings.ruleset_id.as_str().into(),
        settings.options_hash.as_str().into(),
        now.into(),
        run.id.into(),
        run.id.into(),
        error.map(|error| error.chars().take(EVIDENCE).collect::<String>()).as_deref().into(),
        report.into(),
        facts.clone().into(),
    ]
}
