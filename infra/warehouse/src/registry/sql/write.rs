//! The frame of every write: the counter moves, the rows change, the view follows.
use super::Registry;
use crate::{
    catalog::{
        CatalogError,
        sql::{Write, small},
    },
    registry::RegistryError,
};

impl Registry {
    /// Begins a write and takes its number. That row is the lock: numbers become visible in their order.
    pub(super) async fn begin(&self) -> Result<(Write, i64), RegistryError> {
        let mut write = self.options().catalog.database().begin().await?;
        let moved = sqlx::query("UPDATE registry_version SET version = version + 1 WHERE one = 1")
            .execute(&mut *write)
            .await
            .map_err(CatalogError::from)?;
        if moved.rows_affected() != 1 {
            return Err(CatalogError::Damaged("the registry's counter is missing".into()).into());
        }
        let row = sqlx::query("SELECT version FROM registry_version WHERE one = 1")
            .fetch_one(&mut *write)
            .await
            .map_err(CatalogError::from)?;
        Ok((write, small(&row, 0)?))
    }

    /// Commits, and makes the change act in this process.
    pub(super) async fn commit(&self, write: Write) -> Result<(), RegistryError> {
        write.commit().await.map_err(CatalogError::from)?;
        if let Err(error) = self.refresh().await {
            // It is committed: the caller must not be told that it failed, and the next refresh shows it.
            tracing::warn!(%error, "a change of the registry is committed, but not loaded yet");
        }
        Ok(())
    }
}
