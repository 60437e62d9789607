//! Object stores for tests: the same test on the local disk, in memory and on S3; a store that counts what it is asked
//! for; a store that fails on purpose.
#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot be set up has failed")]
mod counting;
mod faulty;
mod place;

pub use counting::{Counting, Requests};
pub use faulty::{Fate, Faulty};
pub use place::{Place, S3, say};
