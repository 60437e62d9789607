//! The catalog on SQLite: the suite for every catalog, and what is SQLite's own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
mod suite;

use schemas::{clock::ManualClock, time::Millis};
use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};
use suite::{Backend, build::*};
use warehouse::catalog::{Catalog, CatalogError, DataFile, SqlCatalog, SqlCatalogOptions};

struct Sqlite(tempfile::TempDir);

impl Sqlite {
    fn path(&self) -> PathBuf {
        // A path with all that a URL would take for something else.
        self.0.path().join("a dir ü%20?#&").join("catalog.db")
    }
}

impl Backend for Sqlite {
    async fn fresh() -> Self {
        let backend = Self(tempfile::tempdir().expect("a directory"));
        std::fs::create_dir(backend.path().parent().expect("a parent")).expect("a directory");
        backend
    }

    async fn open(&self) -> Arc<dyn Catalog> {
        open(&self.path()).await.expect("opened")
    }
}

async fn open(path: &Path) -> Result<Arc<SqlCatalog>, CatalogError> {
    let clock = ManualClock::at(Millis(1_795_335_330_000));
    SqlCatalog::open(SqlCatalogOptions { database: path.to_path_buf().into(), clock }).await
}

catalog_suite!(Sqlite);

#[tokio::test]
async fn files_are_the_owners_alone() {
    let backend = Sqlite::fresh().await;
    let catalog = backend.open().await;
    bound(&catalog).await;
    let mut names = Vec::new();
    for entry in std::fs::read_dir(backend.path().parent().expect("a parent")).expect("listed") {
        let entry = entry.expect("an entry");
        assert_eq!(entry.metadata().expect("metadata").permissions().mode() & 0o777, 0o600, "{:?}", entry.file_name());
        names.push(entry.file_name().into_string().expect("UTF-8"));
    }
    names.sort();
    assert_eq!(names, ["catalog.db", "catalog.db-shm", "catalog.db-wal"]);
    // A file that somebody made readable is closed again.
    drop(catalog);
    std::fs::set_permissions(backend.path(), std::fs::Permissions::from_mode(0o644)).expect("changed");
    backend.open().await;
    assert_eq!(std::fs::metadata(backend.path()).expect("metadata").permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_newer_format_is_refused() {
    let backend = Sqlite::fresh().await;
    drop(backend.open().await);
    let pool = raw(&backend.path()).await;
    sqlx::query("UPDATE format_version SET version = version + 1").execute(&pool).await.expect("changed");
    pool.close().await;
    match open(&backend.path()).await {
        Err(CatalogError::Damaged(why)) => assert!(why.contains("format version"), "{why}"),
        other => panic!("{:?}", other.map(|_| ())),
    }
}

/// What makes a catalog one of format 3 again.
const BACK_TO_3: [&str; 3] = [
    "DROP INDEX files_by_workspace",
    "CREATE INDEX files_by_workspace ON files (workspace)",
    "UPDATE format_version SET version = 3",
];

#[tokio::test]
async fn one_of_format_3_is_brought_up_to_date() {
    let backend = Sqlite::fresh().await;
    drop(backend.open().await);
    let pool = raw(&backend.path()).await;
    for change in BACK_TO_3 {
        sqlx::query(change).execute(&pool).await.expect("changed");
    }
    bound(&backend.open().await).await;
    let (columns,): (i64,) = sqlx::query_as("SELECT count(*) FROM pragma_index_info('files_by_workspace')")
        .fetch_one(&pool)
        .await
        .expect("the index");
    assert_eq!(columns, 3);
}

#[tokio::test]
async fn what_is_no_database_is_damaged_and_what_is_not_there_is_unavailable() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("catalog.db");
    std::fs::write(&path, vec![b'x'; 8_192]).expect("written");
    let damaged = open(&path).await.map(|_| ());
    assert!(matches!(damaged, Err(CatalogError::Damaged(_))), "{damaged:?}");
    let nowhere = directory.path().join("no").join("catalog.db");
    assert!(matches!(open(&nowhere).await, Err(CatalogError::Unavailable(_))));
}

#[tokio::test]
async fn reads_go_on_while_another_process_writes() {
    let backend = Sqlite::fresh().await;
    let catalog = backend.open().await;
    let generation = bound(&catalog).await;
    let other = raw(&backend.path()).await;
    let lock = other.begin_with("BEGIN IMMEDIATE").await.expect("locked");
    assert_eq!(catalog.snapshot(SLOT).await.expect("reads go on").next.0, 0);
    lock.rollback().await.expect("unlocked");
    catalog.commit_land(land(generation, 0, 1, Vec::new())).await.expect("and then writes");
}

/// Not timed in a test: run it by hand with `--ignored --nocapture`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn measure_commits_of_10_000_files() {
    let backend = Sqlite::fresh().await;
    let catalog = backend.open().await;
    let generation = bound(&catalog).await;
    for round in 0..40u64 {
        let files: Vec<DataFile> = (0..10_000).map(|n| scattered(round, n)).collect();
        let mut commit = land(generation, round, round + 1, files);
        commit.totals = (0..10_000).map(|n| (workspace(n), warehouse::catalog::Outcome::Committed, 1)).collect();
        let began = std::time::Instant::now();
        let snapshot = catalog.commit_land(commit).await.expect("committed");
        let committed = began.elapsed();
        let began = std::time::Instant::now();
        let files = catalog.files(workspace(77), snapshot).await.expect("files").len();
        println!("round {round}: commit {committed:?}, {files} files of one workspace in {:?}", began.elapsed());
    }
    let began = std::time::Instant::now();
    let live = catalog.live_files(SLOT).await.expect("live").len();
    println!("{live} live files in {:?}", began.elapsed());
}

/// A file with an id as random as real ones.
fn scattered(round: u64, n: u64) -> DataFile {
    use sha2::{Digest, Sha256};
    let mut file = DataFile { workspace: workspace(n), ..file(n) };
    let digest: [u8; 32] = Sha256::digest((round * 1_000_000 + n).to_be_bytes()).into();
    file.id.0.copy_from_slice(&digest[..16]);
    file.sha256 = digest;
    file
}

async fn raw(path: &Path) -> sqlx::SqlitePool {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    sqlx::SqlitePool::connect_with(options).await.expect("opened")
}
