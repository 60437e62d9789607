//! New connections, and the end of old ones.
//!
//! What must be one connection's alone is in one unique column, as a keyed hash: of a Facebook page under the key of
//! `system`, as it is compared across workspaces; of any other platform's id, and of an import's platform and name,
//! under the workspace's own. Disabling frees a platform's id; an import's name stays taken, as it means the same
//! conversations for ever.
use super::{Registry, open::Field};
use crate::{
    catalog::{
        CatalogError,
        sql::{bytes, is_unique_violation},
    },
    registry::{Connection, RegistryError, rules},
};
use schemas::{
    ids::{ConnectionId, WorkspaceId},
    kind::Platform,
};
use std::sync::Arc;

impl Registry {
    /// Makes a connection. Its secrets are the vault's.
    ///
    /// # Errors
    /// [`RegistryError::Conflict`] when the page is connected anywhere, or another platform's id in this workspace;
    /// [`RegistryError::Refused`] when a name or id has not the right form; [`RegistryError::NotFound`] for the
    /// workspace; see also [`Self::open`].
    pub async fn add_connection(
        &self,
        workspace: WorkspaceId,
        platform: Platform,
        name: &str,
        external_id: Option<&str>,
    ) -> Result<Connection, RegistryError> {
        rules::name(name)?;
        rules::external_id(platform, external_id)?;
        self.active_workspace(workspace).await?;
        let keyring = &self.options().keyring;
        let unique = match external_id {
            None => None,
            Some(external) => {
                let page = rules::is_page(platform);
                let (of, purpose) =
                    if page { (WorkspaceId::SYSTEM, "page") } else { (workspace, "connection.external") };
                let pseudonyms = keyring.pseudonyms(of).await?;
                Some(pseudonyms.keyed_hash(purpose, format!("{platform}|{external}").as_bytes()))
            }
        };
        let connection = Connection {
            external_id: external_id.map(str::to_owned),
            ..self.active_connection(workspace, platform, name)?
        };
        if self.insert_connection(&connection, unique, "").await? {
            return Ok(connection);
        }
        Err(RegistryError::Conflict(match platform {
            Platform::Facebook => "this Facebook page is connected already".into(),
            Platform::Line => "this LINE account is connected already".into(),
            _ => "this account is connected already".into(),
        }))
    }

    /// The connection that imports of a workspace use for a platform and a name; made at first sight. Safe when two
    /// do it at once. One that was disabled is returned as such.
    ///
    /// # Errors
    /// [`RegistryError::Refused`] for the name, [`RegistryError::NotFound`] for the workspace; see also [`Self::open`].
    pub async fn import_connection(
        &self,
        workspace: WorkspaceId,
        platform: Platform,
        name: &str,
    ) -> Result<Connection, RegistryError> {
        rules::name(name)?;
        self.active_workspace(workspace).await?;
        let pseudonyms = self.options().keyring.pseudonyms(workspace).await?;
        let unique = pseudonyms.keyed_hash("connection.import", format!("{platform}|{name}").as_bytes());
        if let Some(found) = self.find_unique(&unique).await? {
            return Ok((*found).clone());
        }
        let connection = Connection { import: true, ..self.active_connection(workspace, platform, name)? };
        if self.insert_connection(&connection, Some(unique), "ON CONFLICT (unique_hash) DO NOTHING").await? {
            return Ok(connection);
        }
        let found = self.find_unique(&unique).await?;
        Ok((*found.ok_or(RegistryError::NotFound("connection"))?).clone())
    }

    /// Disables a connection; doing it again changes nothing.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`]; see also [`Self::open`].
    pub async fn disable_connection(&self, id: ConnectionId) -> Result<(), RegistryError> {
        let (mut write, version) = self.begin().await?;
        let disabled = sqlx::query(
            "UPDATE connections SET active = 0, version = $2, unique_hash = CASE WHEN import = 1 THEN unique_hash END
             WHERE id = $1",
        )
        .bind(id.0.to_vec())
        .bind(version)
        .execute(&mut *write)
        .await
        .map_err(CatalogError::from)?;
        if disabled.rows_affected() != 1 {
            return Err(RegistryError::NotFound("connection"));
        }
        self.commit(write).await
    }

    fn active_connection(
        &self,
        workspace: WorkspaceId,
        platform: Platform,
        name: &str,
    ) -> Result<Connection, RegistryError> {
        Ok(Connection {
            id: ConnectionId(self.random_id()?),
            workspace,
            platform,
            name: name.to_owned(),
            external_id: None,
            import: false,
            active: true,
            created_at: self.options().clock.now(),
        })
    }

    /// False when another row has `unique`.
    async fn insert_connection(
        &self,
        connection: &Connection,
        unique: Option<[u8; 32]>,
        on_conflict: &'static str,
    ) -> Result<bool, RegistryError> {
        let (keyring, id, workspace) = (&self.options().keyring, connection.id, connection.workspace);
        let name = Field::ConnectionName(id).seal(keyring, workspace, &connection.name).await?;
        let external = match &connection.external_id {
            Some(external) => Some(Field::ConnectionExternal(id).seal(keyring, workspace, external).await?),
            None => None,
        };
        let (mut write, version) = self.begin().await?;
        let text = format!("{INSERT} {on_conflict}");
        let inserted = sqlx::query(sqlx::AssertSqlSafe(text))
            .bind(id.0.to_vec())
            .bind(version)
            .bind(workspace.0.to_vec())
            .bind(connection.platform.as_str())
            .bind(name)
            .bind(external)
            .bind(unique.map(|hash| hash.to_vec()))
            .bind(i64::from(connection.import))
            .bind(connection.created_at.0)
            .execute(&mut *write)
            .await;
        match inserted {
            Ok(done) if done.rows_affected() == 1 => self.commit(write).await.map(|()| true),
            Ok(_) => Ok(false),
            Err(error) if is_unique_violation(&error) => Ok(false),
            Err(error) => Err(CatalogError::from(error).into()),
        }
    }

    async fn find_unique(&self, unique: &[u8; 32]) -> Result<Option<Arc<Connection>>, RegistryError> {
        let row = sqlx::query("SELECT id FROM connections WHERE unique_hash = $1")
            .bind(unique.to_vec())
            .fetch_optional(self.options().catalog.database().read())
            .await
            .map_err(CatalogError::from)?;
        let Some(row) = row else { return Ok(None) };
        let id = ConnectionId(bytes(&row, 0)?);
        if let Some(found) = self.view().connections.get(&id) {
            return Ok(Some(found.clone()));
        }
        self.refresh().await?;
        Ok(self.view().connections.get(&id).cloned())
    }
}

const INSERT: &str = "INSERT INTO connections
    (id, version, workspace, platform, name_sealed, external_sealed, unique_hash, import, active, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1, $9)";
