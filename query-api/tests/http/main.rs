//! The HTTP layer against a fake engine, with real keys and a real registry.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "tests")]

mod cursors;
mod errors;
mod fake;
mod items;
mod keys_and_scopes;
mod limits;
mod lists;
mod log;
mod logged;
mod openapi;
mod read;
mod sse;
mod stream;
mod world;
