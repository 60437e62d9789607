//! Limits of the webhooks, and what belongs to the platforms' apps.
use crate::platforms::facebook::AppIds;
use schemas::kind::Platform;
use std::{collections::HashMap, time::Duration};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A secret from a file. It does not print, clone or serialise, and is wiped (`security.md` §1).
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// These bytes, all of them: the newline that ends a secret file is dropped by who reads the file.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes. Do not copy them anywhere that outlives the use.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

/// See the module's documentation.
pub struct IngestSettings {
    /// Longest body; `security.md` §9.1 says 1 MiB.
    pub body_max: usize,
    /// All bodies together that are being read or not yet answered; beyond it posts are answered with 503.
    pub bodies_max: usize,
    /// Longest headers together.
    pub header_max: usize,
    /// How long a body may take to arrive.
    pub read_timeout: Duration,
    /// How long the event log may take to accept a post; then it is answered with 503.
    pub append_timeout: Duration,
    /// How many posts are taken.
    pub rate: RateSettings,
    /// The apps of platforms that sign per app; without one there is no such webhook.
    pub apps: HashMap<Platform, AppSettings>,
    /// Which Facebook app is which, for echoes.
    pub facebook: AppIds,
}

impl Default for IngestSettings {
    fn default() -> Self {
        Self {
            body_max: 1 << 20,
            bodies_max: 64 << 20,
            header_max: 16 << 10,
            read_timeout: Duration::from_secs(10),
            append_timeout: Duration::from_secs(5),
            rate: RateSettings::default(),
            apps: HashMap::new(),
            facebook: AppIds::default(),
        }
    }
}

/// Posts per second, with bursts of as many. 0 is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateSettings {
    /// For each connection.
    pub per_connection: u32,
    /// For each client address (IPv6: each /64).
    pub per_address: u32,
}

impl Default for RateSettings {
    fn default() -> Self {
        // Platforms post from few addresses: both are there against floods, not to shape traffic.
        Self { per_connection: 20_000, per_address: 20_000 }
    }
}

/// What belongs to an app, not to one of its accounts. During a rotation there are two secrets and two tokens.
pub struct AppSettings {
    /// Signs the posts.
    pub secrets: Vec<Secret>,
    /// Shown in the handshake, where the platform has one.
    pub verify_tokens: Vec<Secret>,
}
