//! The engine over a real log, catalog and store.
#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

mod amendments;
mod build;
mod faults;
mod land;
mod lists;
mod live;
mod paging;
mod retention;
mod snapshots;
mod world;
