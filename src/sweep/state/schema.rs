//! The tables.

use super::{Database, StateError, Value};

/// Grows when a table changes.
const VERSION: i64 = 1;

const TABLES: [&str; 5] = [
    "CREATE TABLE IF NOT EXISTS weighin_state (version BIGINT NOT NULL PRIMARY KEY)",
    "CREATE TABLE IF NOT EXISTS sweeps (
        id BIGINT NOT NULL PRIMARY KEY,
        scope TEXT NOT NULL,
        tool_version TEXT NOT NULL,
        started_at BIGINT NOT NULL,
        finished_at BIGINT,
        exported_at BIGINT)",
    "CREATE TABLE IF NOT EXISTS objects (
        uri TEXT NOT NULL PRIMARY KEY,
        target TEXT NOT NULL,
        mark TEXT NOT NULL,
        version_id TEXT,
        etag TEXT,
        size BIGINT NOT NULL,
        last_modified BIGINT,
        sha256 TEXT,
        format TEXT,
        verdict TEXT NOT NULL,
        complete BIGINT NOT NULL,
        retry BIGINT NOT NULL,
        depth TEXT NOT NULL,
        bytes_read BIGINT NOT NULL,
        requests BIGINT NOT NULL,
        tool_version TEXT NOT NULL,
        ruleset_id TEXT NOT NULL,
        options_hash TEXT NOT NULL,
        scanned_at BIGINT NOT NULL,
        scanned_sweep BIGINT NOT NULL,
        seen_sweep BIGINT NOT NULL,
        gone_at BIGINT,
        error TEXT,
        report {BYTES},
        facts {BYTES})",
    "CREATE TABLE IF NOT EXISTS findings (
        uri TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        position BIGINT NOT NULL,
        etag TEXT,
        inner_path TEXT NOT NULL,
        byte_offset BIGINT NOT NULL,
        rule_id TEXT NOT NULL,
        severity TEXT NOT NULL,
        confidence TEXT NOT NULL,
        evidence TEXT NOT NULL,
        message TEXT NOT NULL,
        first_sweep BIGINT NOT NULL,
        PRIMARY KEY (uri, fingerprint))",
    "CREATE INDEX IF NOT EXISTS objects_scanned ON objects (scanned_sweep)",
];

pub(super) const UPSERT: &str = "INSERT INTO objects (
        uri, target, mark, version_id, etag, size, last_modified, sha256, format, verdict, complete, retry, depth,
        bytes_read, requests, tool_version, ruleset_id, options_hash, scanned_at, scanned_sweep, seen_sweep, error,
        report, facts)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
        $23, $24)
    ON CONFLICT (uri) DO UPDATE SET target = excluded.target, mark = excluded.mark, version_id = excluded.version_id,
        etag = excluded.etag, size = excluded.size, last_modified = excluded.last_modified,
        sha256 = excluded.sha256, format = excluded.format, verdict = excluded.verdict,
        complete = excluded.complete, retry = excluded.retry, depth = excluded.depth,
        bytes_read = excluded.bytes_read, requests = excluded.requests, tool_version = excluded.tool_version,
        ruleset_id = excluded.ruleset_id, options_hash = excluded.options_hash, scanned_at = excluded.scanned_at,
        scanned_sweep = excluded.scanned_sweep, seen_sweep = excluded.seen_sweep, gone_at = NULL,
        error = excluded.error, report = excluded.report, facts = excluded.facts";

pub(super) const INSERT_FINDING: &str = "INSERT INTO findings (
        uri, fingerprint, position, etag, inner_path, byte_offset, rule_id, severity, confidence, evidence, message,
        first_sweep)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";

/// Makes the tables that are missing.
pub(super) fn make(database: &mut dyn Database) -> Result<(), StateError> {
    for table in TABLES {
        let sql = table.replace("{BYTES}", database.bytes());
        // Processes that begin together may make it at the same time, which
        // PostgreSQL tells all but one of.
        database.execute(&sql, &[]).or_else(|_| database.execute(&sql, &[]))?;
    }
    let rows = database.query("SELECT MAX(version) FROM weighin_state", &[])?;
    match rows.first().and_then(|row| row.first()) {
        Some(Value::Int(VERSION)) => Ok(()),
        Some(Value::Int(other)) => {
            Err(StateError(format!("written by another version of weighin (tables {other}, wanted {VERSION})")))
        }
        _ => {
            let insert = "INSERT INTO weighin_state (version) VALUES ($1) ON CONFLICT DO NOTHING";
            database.execute(insert, &[VERSION.into()]).map(|_| ())
        }
    }
}
