//! What every catalog must do, whatever database is behind it.
//!
//! A backend says how to open a catalog on an empty database, and how to open the same database once more, as another
//! process would. [`catalog_suite`] makes a test of each rule for it.
pub mod build;
mod concurrency;
mod jobs;
mod land;
mod model;
mod model_test;
mod snapshots;
mod tables;

pub use concurrency::*;
pub use jobs::*;
pub use land::*;
pub use model_test::*;
pub use snapshots::*;
pub use tables::*;

use std::{future::Future, sync::Arc};
use warehouse::catalog::Catalog;

/// One empty database; dropped, it is gone.
pub trait Backend: Sized + Send + Sync {
    /// Makes an empty database.
    fn fresh() -> impl Future<Output = Self>;

    /// Opens it; each call as if from another process.
    fn open(&self) -> impl Future<Output = Arc<dyn Catalog>> + Send;
}

/// The suite for a backend; attributes, such as `#[ignore]`, go to each test.
#[macro_export]
macro_rules! catalog_suite {
    (@each $attributes:tt $backend:ty; $($test:ident),+ $(,)?) => {
        $($crate::catalog_suite!(@one $attributes $backend, $test);)+
    };
    (@one ($(#[$attribute:meta])*) $backend:ty, $test:ident) => {
        $(#[$attribute])*
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            let backend = <$backend as $crate::suite::Backend>::fresh().await;
            $crate::suite::$test(&backend).await;
        }
    };
    ($(#[$attribute:meta])* $backend:ty) => {
        $crate::catalog_suite!(@each ($(#[$attribute])*) $backend;
            binding_is_for_one_log,
            a_commit_moves_the_slot_and_shows_its_files,
            offsets_without_rows_still_advance,
            gaps_overlaps_and_repeats_are_refused_and_change_nothing,
            a_lost_answer_can_be_asked_for,
            a_newer_generation_fences_the_older,
            slots_do_not_mix,
            a_pinned_snapshot_never_changes,
            files_are_listed_in_order,
            files_survive_the_round_trip,
            a_replacement_swaps_files,
            a_replacement_of_what_is_not_live_changes_nothing,
            a_replacement_needs_the_newest_lease,
            leases_are_taken_renewed_and_expire,
            removed_files_are_listed_and_forgotten,
            underived_workspaces_are_found,
            crowded_days_are_found,
            oldest_days_are_found,
            totals_add_up,
            claimed_ids_are_known_until_forgotten,
            one_of_two_committers_wins,
            one_of_many_takers_gets_the_lease,
            readers_do_not_wait_for_writers,
            slots_are_written_side_by_side,
            many_open_a_new_database_at_once,
            what_is_committed_is_there_after_reopening,
        );

        $(#[$attribute])*
        #[test]
        fn random_interleavings_agree_with_the_model() {
            $crate::suite::random_interleavings_agree_with_the_model::<$backend>();
        }
    };
}
