//! Certificates, TLS configurations, and what can be learned from a client that gets no connection.
mod config;
mod development;
mod files;
pub(crate) mod handshake;
pub(crate) mod hello;
mod identity;
mod tap;

pub use config::{client_config, public_client_config, server_config, server_config_with_tls12};
pub use development::{DevIdentity, development_identity};
pub use identity::{Identity, load_identity};
