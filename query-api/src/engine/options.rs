//! What an engine is made of.
use super::EngineMetrics;
use event_log::SharedLog;
use keys::Keyring;
use schemas::clock::SharedClock;
use std::time::Duration;
use warehouse::{catalog::SharedCatalog, duplicates::Duplicates, file::Files, registry::Registry};

/// What an engine is made of.
pub struct EngineOptions {
    /// The log whose end it follows.
    pub log: SharedLog,
    /// Opens records.
    pub keyring: Keyring,
    /// Says which files there are.
    pub catalog: SharedCatalog,
    /// Reads them.
    pub files: Files,
    /// The check that land makes too.
    pub duplicates: Duplicates,
    /// Which slot a workspace lies in, and how long its rows live.
    pub registry: Registry,
    /// The time.
    pub clock: SharedClock,
    /// Budgets.
    pub settings: EngineSettings,
    /// What it counts.
    pub metrics: EngineMetrics,
}

/// Budgets and rhythms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineSettings {
    /// Bytes that the inbox indexes of all workspaces may take; the one in use may take more.
    pub index_bytes: usize,
    /// Bytes of sealed records that the tails of all slots may keep in memory.
    pub tail_bytes: usize,
    /// Bytes of rows that the windows of the event lists may keep, all workspaces together.
    pub window_bytes: usize,
    /// How often the catalog is asked for newer snapshots.
    pub snapshot_poll: Duration,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self {
            index_bytes: 256 << 20,
            tail_bytes: 256 << 20,
            window_bytes: 64 << 20,
            snapshot_poll: Duration::from_secs(1),
        }
    }
}
