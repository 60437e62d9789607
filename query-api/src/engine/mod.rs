//! Questions about one workspace, answered from a pinned snapshot and the tail.
pub mod types;
