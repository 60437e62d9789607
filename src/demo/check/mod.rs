//! Whether what was sent came back: as multisets, and never by the pipeline's own counters.
pub mod digest;
pub mod expect;
pub mod verdict;

pub use digest::{Account, Digest, DigestState};
pub use expect::Expectation;
pub use verdict::Verdict;
