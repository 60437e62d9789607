//! HTTP on connections of any kind: the loop that accepts them, and each one's life.
mod accept;
mod activity;
mod addresses;
mod body;
mod connection;
mod linger;

pub(crate) use accept::{Opened, Protocol, Welcome, run};
pub use addresses::client;
pub(crate) use linger::Socket;
