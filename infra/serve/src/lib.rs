//! The sockets of the platform: TLS 1.3 listeners for webhooks and for the query API, the certificates they show, and
//! the plain operations listener, which exists on loopback only.
//!
//! A listener is bound first and served later, so that a process can write down all its addresses before the first
//! request is answered.
mod error;
mod http;
mod limits;
mod listener;
mod metrics;
pub mod operations;
pub mod tls;

pub use error::ServeError;
pub use http::client;
pub use limits::{Limits, Linger};
pub use listener::TlsListener;
pub use metrics::ListenerMetrics;
