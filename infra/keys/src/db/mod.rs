//! The databases of the key store and of the token vault. SQL is portable; what differs is in [`dialect`].
pub(crate) mod bodies;
pub(crate) mod day_rows;
pub(crate) mod dialect;
pub(crate) mod files;
pub(crate) mod master_rows;
pub(crate) mod store;
pub(crate) mod token_rows;
mod wipe;

pub(crate) use store::{Purpose, Store, Tx};
