//! From signed bytes to the event log: finds connections, makes ids, decides what is only counted, appends.
use crate::platforms::{Body, Connector, Context, Parsed, Part, connectors, dead_letter, facebook::AppIds};
use keys::{KeyError, KeyErrorClass, Keyring, Pseudonyms};
use records::{Appender, Position, RecordError};
use schemas::{
    clock::{NoEntropy, SharedClock, SharedEntropy, random},
    event::{Event, Ignored},
    ids::{ConnectionId, EventId, WorkspaceId},
    kind::{DeadLetterReason, IgnoredReason, Platform},
    time::Millis,
    wire::Payload,
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, OnceLock},
};
use warehouse::registry::{Connection, Registry, View, Workspace};

mod batch;
use batch::Batch;

/// What an intake is made of.
pub struct IntakeOptions {
    /// Seals and appends.
    pub appender: Appender,
    /// Knows workspaces and connections.
    pub registry: Registry,
    /// Makes ids.
    pub keyring: Keyring,
    /// The time.
    pub clock: SharedClock,
    /// Random ids for what is only counted.
    pub entropy: SharedEntropy,
    /// Facebook's apps, for echoes.
    pub apps: AppIds,
}

/// See the module's documentation. Cheap to clone.
#[derive(Clone)]
pub struct Intake {
    pub(crate) appender: Appender,
    pub(crate) registry: Registry,
    pub(crate) keyring: Keyring,
    pub(crate) clock: SharedClock,
    pub(crate) entropy: SharedEntropy,
    connectors: Arc<[Arc<dyn Connector>]>,
}

/// What became of a post. Nothing of it is content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Records appended, whatever they are.
    pub records: usize,
    /// Dead letters among them.
    pub dead_letters: Vec<DeadLetterReason>,
    /// Where each workspace's log stands after them.
    pub positions: Vec<(WorkspaceId, Position)>,
}

/// Why nothing was accepted. Copies that were appended before the failure are dropped as duplicates later.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The log or the keys do not answer: 503, the platform sends again.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// The connection is over its limit: 429.
    #[error("too many posts for a connection")]
    TooMany,
}

impl From<KeyError> for IntakeError {
    fn from(error: KeyError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<RecordError> for IntakeError {
    fn from(error: RecordError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<NoEntropy> for IntakeError {
    fn from(error: NoEntropy) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// Signed bytes, and what is known about them before they are read.
pub(crate) struct Signed<'a> {
    pub connector: &'a dyn Connector,
    /// The connection, where the path (or the dead letter) names it.
    pub connection: Option<Arc<Connection>>,
    pub bytes: &'a [u8],
    /// True for the bytes of a dead letter, which may be a single element.
    pub is_dead_letter: bool,
}

/// Whose a part of a post is.
enum Target {
    Connection(Arc<Connection>, Arc<Workspace>),
    /// Only counted.
    Nobody(IgnoredReason),
    /// It cannot be said; kept in `system`.
    System,
    /// It speaks of another account than its path.
    Misdirected(Arc<Connection>, Arc<Workspace>),
}

impl Intake {
    /// Puts an intake together.
    pub fn new(options: IntakeOptions) -> Self {
        let IntakeOptions { appender, registry, keyring, clock, entropy, apps } = options;
        Self { appender, registry, keyring, clock, entropy, connectors: connectors(apps).into() }
    }

    /// The connector of a platform that has webhooks.
    pub(crate) fn connector(&self, platform: Platform) -> Option<&dyn Connector> {
        self.connectors.iter().find(|connector| connector.platform() == platform).map(Arc::as_ref)
    }

    /// The connectors of all platforms that have webhooks.
    pub(crate) fn connectors(&self) -> &[Arc<dyn Connector>] {
        &self.connectors
    }

    /// Reads signed bytes and appends what they say. Each element becomes exactly one record.
    pub(crate) async fn take(
        &self,
        signed: Signed<'_>,
        admit: &(dyn Fn(ConnectionId) -> bool + Sync),
    ) -> Result<Accepted, IntakeError> {
        let view = self.registry.view();
        let mut batch = Batch::new(self, &view, self.clock.now());
        let body = Body::open(signed.bytes);
        let parts = match &body {
            Ok(body) if signed.is_dead_letter => signed.connector.split_dead_letter(body),
            Ok(body) => signed.connector.split(body),
            Err(reason) => Err(*reason),
        };
        match parts {
            Ok(parts) => {
                for part in &parts {
                    batch.part(&signed, part, admit).await?;
                }
            }
            Err(reason) => batch.unreadable(&signed, reason).await?,
        }
        batch.append().await
    }
}

/// The workspace of a connection, while both are in use; else why it is only counted.
fn in_use(view: &View, connection: &Arc<Connection>) -> Result<Arc<Workspace>, IgnoredReason> {
    match view.workspaces.get(&connection.workspace) {
        Some(workspace) if !workspace.active => Err(IgnoredReason::WorkspaceDeleted),
        None => Err(IgnoredReason::WorkspaceDeleted),
        Some(_) if !connection.active => Err(IgnoredReason::Disabled),
        Some(workspace) => Ok(workspace.clone()),
    }
}

/// The connections of a post's platform by account, active or not. Made by one pass over all connections, when the post
/// first names an account that has no active one.
type Former<'a> = OnceLock<HashMap<&'a str, &'a Arc<Connection>>>;

/// The connection of an account that a post names (`security.md` §9.6): the active one, else any that once was.
fn by_account<'a>(view: &'a View, former: &Former<'a>, platform: Platform, account: &str) -> Option<Arc<Connection>> {
    if let Some(active) = view.pages.get(&(platform, account.to_owned())).and_then(|id| view.connections.get(id)) {
        return Some(active.clone());
    }
    let former = former.get_or_init(|| {
        let of_platform = view.connections.values().filter(|connection| connection.platform == platform);
        of_platform.filter_map(|connection| Some((connection.external_id.as_deref()?, connection))).collect()
    });
    former.get(account).map(|connection| Arc::clone(connection))
}

/// Whose a part is.
fn target<'a>(view: &'a View, former: &Former<'a>, signed: &Signed<'_>, part: &Part<'_>) -> Target {
    let connection = match (&signed.connection, part.account.as_deref()) {
        (Some(connection), account) => {
            let misdirected = account.is_some() && account != connection.external_id.as_deref();
            return match in_use(view, connection) {
                Ok(workspace) if misdirected => Target::Misdirected(connection.clone(), workspace),
                Ok(workspace) => Target::Connection(connection.clone(), workspace),
                Err(reason) => Target::Nobody(reason),
            };
        }
        (None, None) => return Target::System,
        (None, Some(account)) => by_account(view, former, signed.connector.platform(), account),
    };
    match connection {
        None => Target::Nobody(IgnoredReason::UnknownPage),
        Some(connection) => match in_use(view, &connection) {
            Ok(workspace) => Target::Connection(connection, workspace),
            Err(reason) => Target::Nobody(reason),
        },
    }
}

/// True when an event has outlived its retention before it was stored (`security.md` §5).
pub(crate) fn is_too_old(event: &Event, workspace: &Workspace, now: Millis) -> bool {
    event.event_at + event.retention_class().retention(workspace.retention_days) <= now
}
