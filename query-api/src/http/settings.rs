//! Limits and intervals of the API.
use std::time::Duration;

/// Limits and intervals; [`Default`] holds what the contract and `security.md` ask for.
#[derive(Clone, Debug)]
pub struct ApiSettings {
    /// Requests a key may make per second; as many may come at once. At least 1.
    pub requests_per_second: u32,
    /// Live streams a workspace may have open on this process.
    pub streams_per_workspace: usize,
    /// How long `min_position` waits.
    pub reach: Duration,
    /// How often a live stream looks whether its key still holds. With the registry's own interval, which comes
    /// before it, it has to stay under a second.
    pub key_check: Duration,
    /// How often a silent stream says that it lives.
    pub keep_alive: Duration,
    /// Most events whose changes a stream makes up for; beyond that a client reloads faster than it replays.
    pub replay: usize,
}

impl Default for ApiSettings {
    fn default() -> Self {
        Self {
            requests_per_second: 2_000,
            streams_per_workspace: 100,
            reach: Duration::from_secs(2),
            key_check: Duration::from_millis(400),
            keep_alive: Duration::from_secs(15),
            replay: 1_000,
        }
    }
}
