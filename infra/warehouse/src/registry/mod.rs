//! Who exists: workspaces, connections, API keys. Names and the platforms' own ids lie sealed in the catalog's
//! database; what must be looked up by content is kept as a keyed hash.
//!
//! [`Registry`] holds everything in memory (a [`View`]) and looks for changes at least every half second, so that a
//! look-up on the webhook path costs no I/O and a change made by any process acts within a second.
mod api_key;
mod rules;
mod sql;

use keys::{KeyError, Keyring};
use schemas::{
    clock::{SharedClock, SharedEntropy},
    ids::{ApiKeyId, ConnectionId, WorkspaceId},
    kind::Platform,
    log::Slot,
    time::Millis,
};
use std::{collections::HashMap, sync::Arc};

pub use sql::Registry;

/// A workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workspace {
    /// Its id.
    pub id: WorkspaceId,
    /// Its name.
    pub name: String,
    /// IANA name of its report time zone.
    pub time_zone: String,
    /// Its own retention setting, at most 356.
    pub retention_days: u16,
    /// Where its events lie.
    pub slot: Slot,
    /// False once deletion was requested.
    pub active: bool,
    /// When it was made.
    pub created_at: Millis,
}

/// A connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Its id.
    pub id: ConnectionId,
    /// Whose it is.
    pub workspace: WorkspaceId,
    /// Of which platform.
    pub platform: Platform,
    /// Its name.
    pub name: String,
    /// The platform's own id: LINE's destination, Facebook's page id; `None` for connections that an import made.
    pub external_id: Option<String>,
    /// True for a connection that an import made by platform and name.
    pub import: bool,
    /// False once disabled.
    pub active: bool,
    /// When it was made.
    pub created_at: Millis,
}

/// What a key may do. `write` includes `read`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// GET.
    Read,
    /// Also POST.
    Write,
}

impl Scope {
    /// Its name in the database and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }

    /// The scope of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Read, Self::Write].into_iter().find(|scope| scope.name() == name)
    }
}

/// An API key, without the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// Of which workspace.
    pub workspace: WorkspaceId,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created_at: Millis,
    /// False once revoked.
    pub active: bool,
}

impl ApiKey {
    /// True when it may do what `scope` allows; `write` includes `read`.
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.iter().any(|own| *own >= scope)
    }
}

/// Everything, at one instant. Cheap to share.
#[derive(Clone, Default, Debug)]
pub struct View {
    /// Workspaces, `system` among them.
    pub workspaces: HashMap<WorkspaceId, Arc<Workspace>>,
    /// Connections.
    pub connections: HashMap<ConnectionId, Arc<Connection>>,
    /// The active connection of each Facebook page, by page id.
    pub pages: HashMap<(Platform, String), ConnectionId>,
    /// Keys that are active, by SHA-256 of the key.
    pub api_keys: HashMap<[u8; 32], Arc<ApiKey>>,
}

/// What [`Registry`] is made of.
pub struct RegistryOptions {
    /// The catalog's database.
    pub catalog: Arc<crate::catalog::SqlCatalog>,
    /// Seals names.
    pub keyring: Keyring,
    /// Number of slots that new workspaces are spread over.
    pub slots: u32,
    /// The time.
    pub clock: SharedClock,
    /// Random ids and keys.
    pub entropy: SharedEntropy,
}

/// What went wrong, by what the caller does next.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The request cannot be met; the text says why, without secrets.
    #[error("{0}")]
    Refused(String),
    /// No such workspace, connection or key.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// Another workspace or connection has it (409).
    #[error("{0}")]
    Conflict(String),
    /// See [`crate::catalog::CatalogError`].
    #[error(transparent)]
    Catalog(#[from] crate::catalog::CatalogError),
    /// See [`KeyError`].
    #[error(transparent)]
    Key(#[from] KeyError),
}
