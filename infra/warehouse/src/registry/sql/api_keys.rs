//! New API keys, and the end of old ones.
use super::Registry;
use crate::{
    catalog::CatalogError,
    registry::{RegistryError, Scope, api_key},
};
use keys::KeyError;
use schemas::ids::{ApiKeyId, WorkspaceId};
use std::collections::BTreeSet;

impl Registry {
    /// Makes a key and returns its text, which is kept nowhere: it is shown once.
    ///
    /// # Errors
    /// [`RegistryError::Refused`] without a scope, [`RegistryError::NotFound`] for the workspace; see also
    /// [`Self::open`].
    pub async fn add_key(&self, workspace: WorkspaceId, scopes: &[Scope]) -> Result<(ApiKeyId, String), RegistryError> {
        let scopes: BTreeSet<Scope> = scopes.iter().copied().collect();
        if scopes.is_empty() {
            return Err(RegistryError::Refused("a key needs a scope".into()));
        }
        self.active_workspace(workspace).await?;
        let id = ApiKeyId(self.random_id()?);
        let key = api_key::generate(&*self.options().entropy).map_err(KeyError::from)?;
        let names: Vec<&str> = scopes.into_iter().map(Scope::name).collect();
        let (mut write, version) = self.begin().await?;
        sqlx::query(
            "INSERT INTO api_keys (id, version, workspace, key_hash, scopes, active, created_at)
             VALUES ($1, $2, $3, $4, $5, 1, $6)",
        )
        .bind(id.0.to_vec())
        .bind(version)
        .bind(workspace.0.to_vec())
        .bind(api_key::hash(&key).to_vec())
        .bind(names.join(","))
        .bind(self.options().clock.now().0)
        .execute(&mut *write)
        .await
        .map_err(CatalogError::from)?;
        self.commit(write).await?;
        Ok((id, key))
    }

    /// Revokes a key; doing it again changes nothing.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`]; see also [`Self::open`].
    pub async fn revoke_key(&self, id: ApiKeyId) -> Result<(), RegistryError> {
        let (mut write, version) = self.begin().await?;
        let revoked = sqlx::query("UPDATE api_keys SET active = 0, version = $2 WHERE id = $1")
            .bind(id.0.to_vec())
            .bind(version)
            .execute(&mut *write)
            .await
            .map_err(CatalogError::from)?;
        if revoked.rows_affected() != 1 {
            return Err(RegistryError::NotFound("key"));
        }
        self.commit(write).await
    }
}
