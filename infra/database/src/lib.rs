//! Where a SQL database is, how it is connected to, and what its errors mean. Catalog, key store and vault share this
//! and nothing else: each has a database of its own.
//!
//! A PostgreSQL connection is encrypted with TLS 1.3, its certificate is verified, host name included, and it leads to a
//! server that takes writes; anything else is refused before the first statement.
mod address;
mod damage;
mod session;

pub use address::{Address, AddressError, Postgres, TlsClient};
pub use damage::is_damage;
pub use session::{Access, connect_options, is_reusable, set_up};

/// The path or user info as part of a URL: a path may hold any character, a URL not.
pub fn percent_encoded(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => out.push(byte as char),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
