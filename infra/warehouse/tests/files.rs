//! Data files on every store: the local disk and memory always, S3 when `CHATMAI_TEST_S3_ENDPOINT` names a service
//! (`infra/local/s3`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
mod files_suite;

use test_stores::Place;

/// A test of each rule, for a way to have an empty store; without one it is skipped, and says so.
macro_rules! files_suite {
    ($backend:ident, $place:expr) => {
        mod $backend {
            use super::*;
            files_suite!($place;
                written_files_read_back,
                nothing_is_written_over,
                a_lost_answer_is_no_loss,
                what_is_torn_is_no_file,
                large_files_go_in_parts,
                removing_what_is_gone_is_fine,
                everything_is_listed_and_removed_in_bulk,
                damage_is_found,
                a_store_has_one_owner,
                a_question_lists_nothing_and_asks_little,
            );
        }
    };
    ($place:expr; $($test:ident),+ $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                let directory = tempfile::tempdir().unwrap();
                let place: fn(&std::path::Path, &str) -> Option<Place> = $place;
                if let Some(place) = place(directory.path(), stringify!($test)) {
                    files_suite::$test(files_suite::Bench::new(directory, place).await).await;
                }
            }
        )+
    };
}

files_suite!(local, |root, _| Some(Place::local(&root.join("store"))));
files_suite!(memory, |_, _| Some(Place::memory()));
files_suite!(s3, |_, test| Place::s3(test));
