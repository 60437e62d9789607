//! New workspaces.
use super::{Registry, open::Field};
use crate::{
    catalog::CatalogError,
    registry::{RegistryError, Workspace, rules},
};
use schemas::{ids::WorkspaceId, log::Slot};

impl Registry {
    /// Makes a workspace. The caller has checked that the time zone exists.
    ///
    /// Its keys are made first: a row without keys could not be loaded, keys without a row are never asked for.
    ///
    /// # Errors
    /// [`RegistryError::Refused`] when a name, zone or number has not the right form; see also [`Self::open`].
    pub async fn add_workspace(
        &self,
        name: &str,
        time_zone: &str,
        retention_days: Option<u16>,
    ) -> Result<Workspace, RegistryError> {
        rules::name(name)?;
        rules::time_zone(time_zone)?;
        let workspace = Workspace {
            id: WorkspaceId(self.random_id()?),
            name: name.to_owned(),
            time_zone: time_zone.to_owned(),
            retention_days: rules::retention(retention_days)?,
            slot: self.emptiest_slot(),
            active: true,
            created_at: self.options().clock.now(),
        };
        self.insert_workspace(&workspace).await?;
        Ok(workspace)
    }

    /// Makes the workspace `system` if there is none. Safe when several processes do it at once.
    pub(super) async fn make_system(&self) -> Result<(), RegistryError> {
        let found = sqlx::query("SELECT id FROM workspaces WHERE id = $1")
            .bind(WorkspaceId::SYSTEM.0.to_vec())
            .fetch_optional(self.options().catalog.database().read())
            .await
            .map_err(CatalogError::from)?;
        if found.is_some() {
            return Ok(());
        }
        self.insert_workspace(&Workspace {
            id: WorkspaceId::SYSTEM,
            name: "system".to_owned(),
            time_zone: "UTC".to_owned(),
            retention_days: rules::MAX_RETENTION_DAYS,
            slot: Slot(0),
            active: true,
            created_at: self.options().clock.now(),
        })
        .await
    }

    async fn insert_workspace(&self, workspace: &Workspace) -> Result<(), RegistryError> {
        let keyring = &self.options().keyring;
        keyring.create_workspace(workspace.id).await?;
        let name = Field::WorkspaceName.seal(keyring, workspace.id, &workspace.name).await?;
        let (mut write, version) = self.begin().await?;
        sqlx::query(
            "INSERT INTO workspaces (id, version, name_sealed, time_zone, retention_days, slot, active, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, 1, $7) ON CONFLICT (id) DO NOTHING",
        )
        .bind(workspace.id.0.to_vec())
        .bind(version)
        .bind(name)
        .bind(&workspace.time_zone)
        .bind(i64::from(workspace.retention_days))
        .bind(i64::from(workspace.slot.0))
        .bind(workspace.created_at.0)
        .execute(&mut *write)
        .await
        .map_err(CatalogError::from)?;
        self.commit(write).await
    }

    /// The slot with the fewest workspaces, as far as this process knows. `system` is nearly empty and does not count.
    fn emptiest_slot(&self) -> Slot {
        let mut counts = vec![0u32; self.options().slots.max(1) as usize];
        for workspace in self.view().workspaces.values().filter(|w| w.id != WorkspaceId::SYSTEM) {
            if let Some(count) = counts.get_mut(workspace.slot.0 as usize) {
                *count += 1;
            }
        }
        let emptiest = (0u32..).zip(counts).min_by_key(|(slot, count)| (*count, *slot));
        Slot(emptiest.map_or(0, |(slot, _)| slot))
    }
}
