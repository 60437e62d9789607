//! The tables, as numbered steps. A database remembers how many of them it has seen; opening it runs the others, each
//! with its number in one transaction. A step that was released is never edited: changes are new steps.
use super::{database::statement, dialect::Dialect};
use crate::catalog::CatalogError;
use schemas::time::Millis;
use sqlx::{AnyConnection, Connection, Executor};

/// One step: statements in which `{blob}` is the dialect's byte string.
type Step = &'static [&'static str];

/// Every step, oldest first. The version of a database is how many of them it has.
const STEPS: &[Step] = &[CATALOG_1, REGISTRY_1, CATALOG_2, CATALOG_3];

/// Data files, offsets, totals, leases.
const CATALOG_1: Step = &[
    "CREATE TABLE slots (
        slot BIGINT PRIMARY KEY,
        epoch {blob} NOT NULL,
        next_offset BIGINT NOT NULL,
        snapshot BIGINT NOT NULL,
        generation BIGINT NOT NULL,
        owner TEXT NOT NULL
    )",
    "CREATE TABLE files (
        id {blob} PRIMARY KEY,
        workspace {blob} NOT NULL,
        slot BIGINT NOT NULL REFERENCES slots (slot),
        table_name TEXT NOT NULL,
        day BIGINT NOT NULL,
        class BIGINT NOT NULL,
        row_count BIGINT NOT NULL,
        byte_count BIGINT NOT NULL,
        sha256 {blob} NOT NULL,
        min_at BIGINT NOT NULL,
        max_at BIGINT NOT NULL,
        min_offset BIGINT NOT NULL,
        max_offset BIGINT NOT NULL,
        amendments BIGINT NOT NULL,
        created_at BIGINT NOT NULL,
        created_snapshot BIGINT NOT NULL,
        removed_snapshot BIGINT,
        removed_at BIGINT
    )",
    "CREATE INDEX files_by_workspace ON files (workspace)",
    "CREATE INDEX files_live ON files (slot) WHERE removed_at IS NULL",
    "CREATE INDEX files_removed ON files (removed_at) WHERE removed_at IS NOT NULL",
    "CREATE TABLE claimed_ids (
        workspace {blob} NOT NULL,
        id {blob} NOT NULL,
        event_at BIGINT NOT NULL,
        log_offset BIGINT NOT NULL,
        PRIMARY KEY (workspace, id)
    )",
    "CREATE TABLE totals (
        workspace {blob} NOT NULL,
        outcome TEXT NOT NULL,
        reason TEXT NOT NULL,
        n BIGINT NOT NULL,
        PRIMARY KEY (workspace, outcome, reason)
    )",
    "CREATE TABLE leases (
        job TEXT PRIMARY KEY,
        number BIGINT NOT NULL,
        holder TEXT NOT NULL,
        until_at BIGINT NOT NULL
    )",
    "CREATE TABLE derived (
        workspace {blob} NOT NULL,
        slot BIGINT NOT NULL,
        next_offset BIGINT NOT NULL,
        PRIMARY KEY (slot, workspace)
    )",
];

/// Indexes that answer what jobs look for: which files are new, and how many each day has.
const CATALOG_2: Step = &[
    "CREATE INDEX files_created ON files (slot, created_snapshot)",
    "DROP INDEX files_live",
    "CREATE INDEX files_live ON files (slot, workspace, table_name, day, class, amendments) WHERE removed_at IS NULL",
];

/// All that a snapshot's files are looked up by. With the workspace alone, SQLite takes `files_created` to be the narrower
/// one and goes through all files of the slot for those of each workspace.
const CATALOG_3: Step =
    &["DROP INDEX files_by_workspace", "CREATE INDEX files_by_workspace ON files (workspace, slot, created_snapshot)"];

/// Workspaces, connections, API keys. `version` is the registry's counter at the row's last change. What ends in
/// `_sealed` is ciphertext; what ends in `_hash` is a keyed hash or, for API keys, SHA-256.
const REGISTRY_1: Step = &[
    "CREATE TABLE registry_version (one BIGINT PRIMARY KEY, version BIGINT NOT NULL)",
    "INSERT INTO registry_version (one, version) VALUES (1, 0)",
    "CREATE TABLE workspaces (
        id {blob} PRIMARY KEY,
        version BIGINT NOT NULL,
        name_sealed {blob} NOT NULL,
        time_zone TEXT NOT NULL,
        retention_days BIGINT NOT NULL,
        slot BIGINT NOT NULL,
        active BIGINT NOT NULL,
        created_at BIGINT NOT NULL
    )",
    "CREATE INDEX workspaces_by_version ON workspaces (version)",
    "CREATE TABLE connections (
        id {blob} PRIMARY KEY,
        version BIGINT NOT NULL,
        workspace {blob} NOT NULL REFERENCES workspaces (id),
        platform TEXT NOT NULL,
        name_sealed {blob} NOT NULL,
        external_sealed {blob},
        unique_hash {blob},
        import BIGINT NOT NULL,
        active BIGINT NOT NULL,
        created_at BIGINT NOT NULL
    )",
    "CREATE INDEX connections_by_version ON connections (version)",
    // Rows without a hash do not meet.
    "CREATE UNIQUE INDEX connections_unique ON connections (unique_hash)",
    "CREATE TABLE api_keys (
        id {blob} PRIMARY KEY,
        version BIGINT NOT NULL,
        workspace {blob} NOT NULL REFERENCES workspaces (id),
        key_hash {blob} NOT NULL UNIQUE,
        scopes TEXT NOT NULL,
        active BIGINT NOT NULL,
        created_at BIGINT NOT NULL
    )",
    "CREATE INDEX api_keys_by_version ON api_keys (version)",
];

/// Brings the tables up to date. Safe when several processes do it at once.
pub(super) async fn run(connection: &mut AnyConnection, dialect: Dialect, now: Millis) -> Result<(), CatalogError> {
    let mut write = connection.begin_with(dialect.begin_write()).await?;
    if let Some(lock) = dialect.lock_tables() {
        write.execute(lock).await?;
    }
    sqlx::query(
        "CREATE TABLE IF NOT EXISTS format_version (one BIGINT PRIMARY KEY, version BIGINT NOT NULL, changed_at BIGINT NOT NULL)",
    )
    .execute(&mut *write)
    .await?;
    let found: Option<i64> =
        sqlx::query_scalar("SELECT version FROM format_version WHERE one = 1").fetch_optional(&mut *write).await?;
    let done = usize::try_from(found.unwrap_or(0)).unwrap_or(usize::MAX);
    if done > STEPS.len() {
        return Err(CatalogError::Damaged(format!(
            "the catalog has format version {done}, this program knows versions up to {}; start the newer program",
            STEPS.len()
        )));
    }
    if done == STEPS.len() {
        return Ok(());
    }
    for step in &STEPS[done..] {
        for text in *step {
            sqlx::query(statement(text.replace("{blob}", dialect.blob()))).execute(&mut *write).await?;
        }
    }
    sqlx::query(
        "INSERT INTO format_version (one, version, changed_at) VALUES (1, $1, $2)
         ON CONFLICT (one) DO UPDATE SET version = excluded.version, changed_at = excluded.changed_at",
    )
    .bind(i64::try_from(STEPS.len()).unwrap_or(i64::MAX))
    .bind(now.0)
    .execute(&mut *write)
    .await?;
    Ok(write.commit().await?)
}
