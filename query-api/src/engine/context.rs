//! What every part of the engine works with, and the questions about workspaces.
use super::{EngineOptions, fault::Fault, types::QueryError};
use futures::TryStreamExt;
use schemas::{
    columns::{EventRow, read_events},
    ids::WorkspaceId,
    partition::{RetentionClass, cut},
    time::Millis,
};
use std::{ops::Deref, sync::Arc};
use warehouse::{catalog::DataFile, file::ScanFilter, registry::Workspace};

/// The engine's options, shared.
#[derive(Clone)]
pub(super) struct Context(Arc<EngineOptions>);

impl Deref for Context {
    type Target = EngineOptions;
    fn deref(&self) -> &EngineOptions {
        &self.0
    }
}

impl Context {
    pub fn new(options: EngineOptions) -> Self {
        Self(Arc::new(options))
    }

    /// A workspace that may be asked about.
    pub fn workspace(&self, id: WorkspaceId) -> Result<Arc<Workspace>, QueryError> {
        let workspace = self.registry.view().workspaces.get(&id).cloned().ok_or(QueryError::NotFound)?;
        if workspace.active { Ok(workspace) } else { Err(QueryError::KeyDestroyed) }
    }

    /// A workspace's own retention setting; the longest for one that is not known any more.
    pub fn retention_days(&self, id: WorkspaceId) -> u16 {
        self.registry.view().workspaces.get(&id).map_or(RetentionClass::STANDARD.0, |w| w.retention_days)
    }

    /// Now, and the instant before which nothing of a workspace is in any answer.
    pub fn now_and_cut(&self, id: WorkspaceId) -> (Millis, Millis) {
        let now = self.clock.now();
        (now, cut(now, RetentionClass::STANDARD, self.retention_days(id)))
    }

    /// The rows of some files of table `events` that meet a filter.
    pub async fn rows(
        &self,
        workspace: WorkspaceId,
        files: &[DataFile],
        filter: &ScanFilter,
    ) -> Result<Vec<EventRow>, Fault> {
        let mut rows = Vec::new();
        if files.is_empty() {
            return Ok(rows);
        }
        let mut stream = self.files.scan(workspace, files, filter, None).await?;
        while let Some(batch) = stream.try_next().await? {
            rows.extend(read_events(&batch)?);
        }
        Ok(rows)
    }
}
