//! What a process is for: all of it, or one of the three stages.
use super::StartError;
use crate::config::Config;

/// The stages that a process runs. What every process has, whatever it is for: stores, registry, operations listener
/// and control socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roles {
    /// Takes webhooks.
    pub ingest: bool,
    /// Lands, derives, merges, expires.
    pub transform: bool,
    /// Answers questions.
    pub query_api: bool,
}

impl Roles {
    /// `chatmai up`.
    pub const ALL: Self = Self { ingest: true, transform: true, query_api: true };
    /// `chatmai ingest`.
    pub const INGEST: Self = Self { ingest: true, transform: false, query_api: false };
    /// `chatmai transform`.
    pub const TRANSFORM: Self = Self { ingest: false, transform: true, query_api: false };
    /// `chatmai query-api`.
    pub const QUERY_API: Self = Self { ingest: false, transform: false, query_api: true };

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::INGEST => "ingest",
            Self::TRANSFORM => "transform",
            Self::QUERY_API => "query-api",
            _ => "up",
        }
    }

    /// Refuses a stage alone on parts that belong to one process: whatever it wrote there, no other stage would see.
    ///
    /// # Errors
    /// [`StartError::Roles`], naming every setting that is missing.
    pub fn check(self, config: &Config) -> Result<(), StartError> {
        if self == Self::ALL {
            return Ok(());
        }
        match config.private_parts(self.ingest).as_slice() {
            [] => Ok(()),
            missing => Err(StartError::Roles { role: self.name(), missing: missing.join(", ") }),
        }
    }
}
