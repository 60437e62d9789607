//! End to end: the real binary, driven over its listeners and its command line by the contract alone, under ordinary
//! traffic, hostile input and kill -9.
//!
//! One test binary, as linking is slow. `CHATMAI_CRASH_KILLS` (30) and `CHATMAI_CRASH_SEED` steer the crash test,
//! `CHATMAI_LOCKED_SECONDS` (10) how long another process holds the catalog's lock.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "the tests stand outside the program and have only the system's clock")]
#![allow(missing_docs, reason = "nothing here is offered to anybody")]

#[path = "../harness/mod.rs"]
mod harness;

mod amendments;
mod canary;
mod cluster;
mod comparison;
mod crash;
mod crash_expiry;
mod crash_full;
mod crash_import;
mod crash_load;
mod crash_locked;
mod crash_points;
mod dead_letters;
mod demo;
mod duplicates;
mod gap;
mod hostile;
mod hostile_inputs;
mod import;
mod inbox;
mod isolation;
mod kafka;
mod keys;
mod limits;
mod lists;
mod postgres;
mod process;
mod roles;
mod roles_brokers;
mod roles_canary;
mod roles_outage;
mod roles_stale;
mod roles_tls;
mod signatures;
mod store_s3;
mod stream;
mod times;
mod tls;
