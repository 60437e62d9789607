//! The warehouse: the catalog that says which data files exist, the registry of workspaces and connections, the layout
//! of data files, their only writer and only reader, the buckets they may lie in, and the duplicate check.
pub mod catalog;
pub mod duplicates;
pub mod file;
pub mod registry;
pub mod store;
