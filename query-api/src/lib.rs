//! The query API: snapshot ∪ tail as inbox pages, counts, conversations, messages, events and a live stream.
//!
//! [`engine`] answers questions about one workspace; [`http`] is the contract's HTTP around it.
pub mod engine;
pub mod http;
