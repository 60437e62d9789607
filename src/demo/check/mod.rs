//! Whether what was sent came back: as multisets, and never by the pipeline's own counters.
pub mod expect;
pub mod verdict;

pub use expect::Expectation;
pub use verdict::{Found, Verdict};
