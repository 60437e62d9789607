//! Rows that changed, opened, and how they change a view.
use super::open::Field;
use crate::{
    catalog::{
        CatalogError,
        sql::{bytes, slot, small},
    },
    registry::{ApiKey, Connection, RegistryError, RegistryOptions, Scope, View, Workspace, rules},
};
use futures::{StreamExt, TryStreamExt, stream};
use keys::Keyring;
use schemas::{
    ids::{ApiKeyId, ConnectionId, WorkspaceId},
    kind::Platform,
    time::Millis,
};
use sqlx::{Row, any::AnyRow};
use std::{collections::BTreeMap, sync::Arc};

/// Workspaces whose fields are opened at once: what costs is waiting for the key store, not opening.
const AT_ONCE: usize = 8;

/// Rows later than a version, up to another.
pub(super) struct Changes {
    pub(super) version: i64,
    workspaces: Vec<Workspace>,
    connections: Vec<Connection>,
    api_keys: Vec<([u8; 32], ApiKey)>,
}

/// What changed after `loaded`; `None` when nothing did.
pub(super) async fn changes(options: &RegistryOptions, loaded: i64) -> Result<Option<Changes>, RegistryError> {
    let version: i64 = one_version(options).await?;
    if version == loaded {
        return Ok(None);
    }
    // What refers is read before what it refers to: a row that is committed in between is seen with its workspace, or
    // not at all, and then its number is above `version` and the next refresh brings it.
    let api_keys = rows(options, API_KEYS, loaded).await?;
    let connections = rows(options, CONNECTIONS, loaded).await?;
    let workspaces = rows(options, WORKSPACES, loaded).await?;
    let mut groups: BTreeMap<WorkspaceId, Group> = BTreeMap::new();
    for row in workspaces {
        let id = WorkspaceId(bytes(&row, 0)?);
        groups.entry(id).or_default().workspace = Some(row);
    }
    for row in connections {
        groups.entry(WorkspaceId(bytes(&row, 1)?)).or_default().connections.push(row);
    }
    let opened: Vec<Opened> = stream::iter(groups)
        .map(|(id, group)| group.open(&options.keyring, id))
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    let mut changes = Changes { version, workspaces: Vec::new(), connections: Vec::new(), api_keys: Vec::new() };
    for (workspace, connections) in opened {
        changes.workspaces.extend(workspace);
        changes.connections.extend(connections);
    }
    changes.api_keys = api_keys.iter().map(api_key).collect::<Result<_, _>>()?;
    Ok(Some(changes))
}

impl Changes {
    /// The view with these rows in it.
    pub(super) fn apply_to(&self, old: &View) -> View {
        let mut view = old.clone();
        for workspace in &self.workspaces {
            view.workspaces.insert(workspace.id, Arc::new(workspace.clone()));
        }
        for connection in &self.connections {
            let before = view.connections.insert(connection.id, Arc::new(connection.clone()));
            // Only its own entry: the page may be another connection's by now.
            if let Some(page) = before.and_then(|before| page(&before))
                && view.pages.get(&page) == Some(&connection.id)
            {
                view.pages.remove(&page);
            }
            if let Some(page) = page(connection) {
                view.pages.insert(page, connection.id);
            }
        }
        for (hash, key) in &self.api_keys {
            if key.active {
                view.api_keys.insert(*hash, Arc::new(key.clone()));
            } else {
                view.api_keys.remove(hash);
            }
        }
        view
    }
}

/// What an active connection is found by when a webhook names only the page.
fn page(connection: &Connection) -> Option<(Platform, String)> {
    let id = connection.external_id.as_ref()?;
    (connection.active && rules::is_page(connection.platform)).then(|| (connection.platform, id.clone()))
}

type Opened = (Option<Workspace>, Vec<Connection>);

/// A workspace's changed rows: opened next to each other, so that its key is looked up once.
#[derive(Default)]
struct Group {
    workspace: Option<AnyRow>,
    connections: Vec<AnyRow>,
}

impl Group {
    async fn open(self, keyring: &Keyring, id: WorkspaceId) -> Result<Opened, RegistryError> {
        let workspace = match &self.workspace {
            Some(row) => Some(workspace(keyring, id, row).await?),
            None => None,
        };
        let mut connections = Vec::with_capacity(self.connections.len());
        for row in &self.connections {
            connections.push(connection(keyring, id, row).await?);
        }
        Ok((workspace, connections))
    }
}

const WORKSPACES: &str = "SELECT id, name_sealed, time_zone, retention_days, slot, active, created_at
    FROM workspaces WHERE version > $1";

async fn workspace(keyring: &Keyring, id: WorkspaceId, row: &AnyRow) -> Result<Workspace, RegistryError> {
    let name = Field::WorkspaceName.open(keyring, id, blob(row, 1)?).await?;
    Ok(Workspace {
        id,
        active: name.is_some() && flag(row, 5)?,
        name: name.unwrap_or_default(),
        time_zone: text(row, 2)?.to_owned(),
        retention_days: small(row, 3)?,
        slot: slot(row, 4)?,
        created_at: Millis(small(row, 6)?),
    })
}

const CONNECTIONS: &str = "SELECT id, workspace, platform, name_sealed, external_sealed, import, active, created_at
    FROM connections WHERE version > $1";

async fn connection(keyring: &Keyring, workspace: WorkspaceId, row: &AnyRow) -> Result<Connection, RegistryError> {
    let id = ConnectionId(bytes(row, 0)?);
    let name = Field::ConnectionName(id).open(keyring, workspace, blob(row, 3)?).await?;
    let sealed: Option<&[u8]> = row.try_get(4).map_err(CatalogError::from)?;
    let external_id = match sealed {
        Some(sealed) => Field::ConnectionExternal(id).open(keyring, workspace, sealed).await?,
        None => None,
    };
    let opens = name.is_some() && external_id.is_some() == sealed.is_some();
    Ok(Connection {
        id,
        workspace,
        platform: word(text(row, 2)?)?,
        name: name.unwrap_or_default(),
        external_id,
        import: flag(row, 5)?,
        active: opens && flag(row, 6)?,
        created_at: Millis(small(row, 7)?),
    })
}

const API_KEYS: &str = "SELECT id, workspace, key_hash, scopes, active, created_at FROM api_keys WHERE version > $1";

fn api_key(row: &AnyRow) -> Result<([u8; 32], ApiKey), RegistryError> {
    let scopes = text(row, 3)?.split(',').map(|name| Scope::from_name(name).ok_or_else(unknown_word));
    let key = ApiKey {
        id: ApiKeyId(bytes(row, 0)?),
        workspace: WorkspaceId(bytes(row, 1)?),
        scopes: scopes.collect::<Result<_, _>>()?,
        active: flag(row, 4)?,
        created_at: Millis(small(row, 5)?),
    };
    Ok((bytes(row, 2)?, key))
}

async fn one_version(options: &RegistryOptions) -> Result<i64, CatalogError> {
    let read = options.catalog.database().read();
    Ok(sqlx::query_scalar("SELECT version FROM registry_version WHERE one = 1").fetch_one(read).await?)
}

async fn rows(options: &RegistryOptions, statement: &'static str, after: i64) -> Result<Vec<AnyRow>, CatalogError> {
    Ok(sqlx::query(statement).bind(after).fetch_all(options.catalog.database().read()).await?)
}

fn text(row: &AnyRow, column: usize) -> Result<&str, CatalogError> {
    Ok(row.try_get(column)?)
}

fn blob(row: &AnyRow, column: usize) -> Result<&[u8], CatalogError> {
    Ok(row.try_get(column)?)
}

fn flag(row: &AnyRow, column: usize) -> Result<bool, CatalogError> {
    Ok(small::<i64>(row, column)? != 0)
}

fn word<T: std::str::FromStr>(text: &str) -> Result<T, CatalogError> {
    text.parse().map_err(|_| unknown_word())
}

fn unknown_word() -> CatalogError {
    CatalogError::Damaged("a registry row holds an unknown word".into())
}
