//! What operators' commands work with.
use super::{land::Land, stores::Stores};
use crate::{config::Config, control::CommandError};
use ingest::{Intake, LagGate};
use keys::{Keyring, Vault};
use schemas::clock::SharedClock;
use std::sync::Arc;
use warehouse::{catalog::SharedCatalog, file::Files, registry::Registry};

/// Log and files, where they take part.
pub struct Pipeline {
    /// The way in.
    pub intake: Intake,
    /// Holds imports back while the slot is busy.
    pub gate: Arc<dyn LagGate>,
    /// Says which files there are.
    pub catalog: SharedCatalog,
    /// The files.
    pub files: Files,
    /// Lands what is in the log.
    pub land: Land,
}

/// What operators' commands work with, in a running process and in one of their own.
pub struct Desk {
    /// Who exists.
    pub registry: Registry,
    /// The keys.
    pub keyring: Keyring,
    /// The time.
    pub clock: SharedClock,
    /// How long new workspaces keep events.
    pub retention_days: u16,
    /// True when Facebook's app secret is configured.
    pub has_facebook_app: bool,
    vault: Option<Vault>,
    pipeline: Option<Pipeline>,
}

impl Desk {
    /// A desk over opened stores.
    pub fn new(config: &Config, stores: &Stores, pipeline: Option<Pipeline>) -> Self {
        Self {
            registry: stores.registry.clone(),
            keyring: stores.keyring.clone(),
            vault: stores.vault.clone(),
            clock: stores.clock.clone(),
            retention_days: config.retention.days,
            has_facebook_app: !config.platforms.facebook.app_secret_file.0.is_empty(),
            pipeline,
        }
    }

    /// The secrets.
    ///
    /// # Errors
    /// In a process that has nothing to do with them.
    pub fn vault(&self) -> Result<&Vault, CommandError> {
        self.vault.as_ref().ok_or_else(|| {
            CommandError::failed(
                "this process does not open the vault; give the command the data directory of an `ingest` process, or one \
                 of its own",
            )
        })
    }

    /// Log and files.
    ///
    /// # Errors
    /// When this process has not opened them, which the command would have had to ask for.
    pub fn pipeline(&self) -> Result<&Pipeline, CommandError> {
        self.pipeline.as_ref().ok_or_else(|| CommandError::failed("the event log is not open in this process"))
    }

    /// Lands everything that is in the log now.
    ///
    /// # Errors
    /// When it could not be landed; it stays in the log.
    pub async fn flush(&self) -> Result<(), CommandError> {
        self.pipeline()?.land.flush().await.map_err(CommandError::failed)
    }
}
