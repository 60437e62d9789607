//! The catalog on PostgreSQL: the suite for every catalog, and what is a server's own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#[path = "../../database/tests/support/mod.rs"]
mod server;
mod suite;

use schemas::{clock::ManualClock, time::Millis};
use server::{Fresh, Server, run};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use suite::{Backend, build::*};
use warehouse::catalog::{Catalog, CatalogError, Outcome, SqlCatalog, SqlCatalogOptions};

struct Database(Fresh);

impl Backend for Database {
    async fn fresh() -> Self {
        Self(Server::from_environment().fresh().await)
    }

    async fn open(&self) -> Arc<dyn Catalog> {
        open(self.0.address()).await.expect("opened")
    }
}

async fn open(database: database::Address) -> Result<Arc<SqlCatalog>, CatalogError> {
    let clock = ManualClock::at(Millis(1_795_335_330_000));
    SqlCatalog::open(SqlCatalogOptions { database, clock }).await
}

mod postgres {
    use super::*;

    catalog_suite!(
        #[ignore = "needs CHATMAI_TEST_POSTGRES_URL"]
        Database
    );

    #[tokio::test]
    #[ignore = "needs CHATMAI_TEST_POSTGRES_URL"]
    async fn a_newer_format_is_refused() {
        let backend = Database::fresh().await;
        drop(backend.open().await);
        let change = "UPDATE format_version SET version = version + 1".to_owned();
        run(&mut backend.0.superuser().await, change).await;
        match open(backend.0.address()).await {
            Err(CatalogError::Damaged(why)) => assert!(why.contains("format version"), "{why}"),
            other => panic!("{:?}", other.map(|_| ())),
        }
    }

    #[tokio::test]
    #[ignore = "needs CHATMAI_TEST_POSTGRES_URL"]
    async fn one_of_format_3_is_brought_up_to_date() {
        let backend = Database::fresh().await;
        drop(backend.open().await);
        let before = "DROP INDEX files_by_workspace; CREATE INDEX files_by_workspace ON files (workspace);
                      UPDATE format_version SET version = 3";
        for change in before.split(';') {
            run(&mut backend.0.superuser().await, change.to_owned()).await;
        }
        bound(&backend.open().await).await;
        let check = "DO $$ BEGIN
            ASSERT (SELECT indnatts = 3 FROM pg_index WHERE indexrelid = 'files_by_workspace'::regclass);
            END $$";
        run(&mut backend.0.superuser().await, check.to_owned()).await;
    }

    #[tokio::test]
    #[ignore = "needs CHATMAI_TEST_POSTGRES_URL"]
    async fn what_is_not_there_or_does_not_let_in_is_unavailable_and_does_not_tell_the_password() {
        let backend = Database::fresh().await;
        let server = backend.0.server();
        for address in [
            server.address(backend.0.role(), "hunter2", backend.0.role()),
            server.address(backend.0.role(), "hunter2", "nothing_of_that_name"),
        ] {
            match open(database::Address::Postgres(address)).await {
                Err(CatalogError::Unavailable(why)) => assert!(!why.contains("hunter2"), "{why}"),
                other => panic!("{:?}", other.map(|_| ())),
            }
        }
    }

    #[tokio::test]
    #[ignore = "needs CHATMAI_TEST_POSTGRES_URL"]
    async fn a_lost_table_is_damage_and_a_taken_lock_is_not() {
        let backend = Database::fresh().await;
        let catalog = backend.open().await;
        let generation = bound(&catalog).await;
        let mut other = backend.0.superuser().await;
        run(&mut other, "BEGIN; LOCK TABLE slots".to_owned()).await;
        let waits = catalog.commit_land(land(generation, 0, 1, Vec::new())).await;
        assert!(matches!(waits, Err(CatalogError::Unavailable(_))), "{waits:?}");
        run(&mut other, "ROLLBACK; DROP TABLE totals".to_owned()).await;
        catalog.commit_land(land(generation, 0, 1, Vec::new())).await.expect("the lock is gone");
        let lost = catalog.totals().await;
        assert!(matches!(lost, Err(CatalogError::Damaged(_))), "{lost:?}");
    }

    /// Connections that the server ended are noticed: reads do not see it, a write under way is told and may be sent
    /// again, and nothing is there twice.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "needs CHATMAI_TEST_POSTGRES_URL"]
    async fn ended_connections_are_made_anew() {
        let backend = Database::fresh().await;
        let catalog = backend.open().await;
        let generation = bound(&catalog).await;
        for round in 0..5u64 {
            backend.0.end_connections().await;
            assert_eq!(catalog.snapshot(SLOT).await.expect("a new connection").next.0, round);
            backend.0.end_connections().await;
            let mut commit = land(generation, round, round + 1, vec![file(round)]);
            commit.totals = vec![(workspace(1), Outcome::Committed, 1)];
            catalog.commit_land(commit).await.expect("a new connection");
        }
        // And while they are in use: whatever is answered, in the end each commit is there once.
        let (committer, done) = (catalog.clone(), Arc::new(AtomicU64::new(0)));
        let counted = done.clone();
        let commits = tokio::spawn(async move {
            for round in 5..60u64 {
                let mut commit = land(generation, round, round + 1, vec![file(round)]);
                commit.totals = vec![(workspace(1), Outcome::Committed, 1)];
                while committer.snapshot(SLOT).await.map_or(true, |snapshot| snapshot.next.0 == round) {
                    match committer.commit_land(commit.clone()).await {
                        Ok(_) | Err(CatalogError::Unavailable(_) | CatalogError::Misplaced { .. }) => {}
                        other => panic!("{other:?}"),
                    }
                }
                counted.fetch_add(1, Ordering::SeqCst);
            }
        });
        // Again whenever something has been done, so that all gets done in the end.
        let mut seen = 0;
        while !commits.is_finished() {
            backend.0.end_connections().await;
            while !commits.is_finished() && done.load(Ordering::SeqCst) == seen {
                tokio::task::yield_now().await;
            }
            seen = done.load(Ordering::SeqCst);
        }
        commits.await.expect("all committed");
        assert_eq!(catalog.totals().await.expect("totals"), [(workspace(1), Outcome::Committed, 60)]);
        assert_eq!(catalog.live_files(SLOT).await.expect("live").len(), 60);
    }

    /// Not timed in a test: run it by hand with `--ignored --nocapture`.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "needs CHATMAI_TEST_POSTGRES_URL"]
    async fn commits_of_thousands_of_files_fit_the_protocol() {
        let backend = Database::fresh().await;
        let catalog = backend.open().await;
        let generation = bound(&catalog).await;
        let files: Vec<_> = (0..10_000).map(file).collect();
        let mut commit = land(generation, 0, 1, files);
        commit.totals = (0..10_000).map(|n| (workspace(n), Outcome::Committed, 1)).collect();
        let began = std::time::Instant::now();
        catalog.commit_land(commit).await.expect("committed");
        println!("a commit of 10,000 files and totals: {:?}", began.elapsed());
        assert_eq!(catalog.live_files(SLOT).await.expect("live").len(), 10_000);
        assert_eq!(catalog.totals().await.expect("totals").len(), 10_000);
    }
}
