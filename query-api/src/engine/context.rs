//! What every part of the engine works with, and the questions about workspaces.
use super::{EngineOptions, fault::Fault, types::QueryError};
use arrow::record_batch::RecordBatch;
use futures::TryStreamExt;
use parking_lot::Mutex;
use schemas::{
    columns::{ColumnError, EventRow, read_events},
    ids::{ConversationId, WorkspaceId},
    partition::{RetentionClass, cut},
    time::Millis,
};
use std::{
    collections::VecDeque,
    ops::{Deref, RangeInclusive},
    sync::Arc,
};
use tokio::sync::mpsc;
use warehouse::{catalog::DataFile, file::ScanFilter, registry::Workspace};

/// Files that one question reads at once: enough that the store's answers overlap, few enough that what they hold stays
/// small.
const READERS: usize = 8;

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

    /// The rows of the conversations between two (both included) in some files of table `events`, batch by batch: each
    /// file's in its order, the files side by side. `read` makes rows of a batch, all of them or some.
    pub fn slices(
        &self,
        workspace: WorkspaceId,
        files: Vec<DataFile>,
        conversations: &RangeInclusive<ConversationId>,
        read: impl Fn(&RecordBatch) -> Result<Vec<EventRow>, ColumnError> + Clone + Send + Sync + 'static,
    ) -> Slices {
        let (sender, receiver) = mpsc::channel(1);
        let left = files.len();
        let queue = Arc::new(Mutex::new(VecDeque::from(files)));
        for _ in 0..left.min(READERS) {
            let reader = Reader { context: self.clone(), workspace, sender: sender.clone() };
            let (queue, conversations, read) = (queue.clone(), conversations.clone(), read.clone());
            tokio::spawn(async move {
                let next = || queue.lock().pop_front();
                while let Some(file) = next() {
                    let told = match reader.read(&file, &conversations, &read).await {
                        Ok(()) => Ok(None),
                        Err(fault) => Err(fault),
                    };
                    // Who asked may have gone; then nobody needs the rest.
                    if reader.sender.send(told).await.is_err() {
                        return;
                    }
                }
            });
        }
        Slices { receiver, left }
    }
}

/// See [`Context::slices`].
pub(super) struct Slices {
    receiver: mpsc::Receiver<Told>,
    left: usize,
}

/// Rows, or `None` at the end of a file.
type Told = Result<Option<Vec<EventRow>>, Fault>;

impl Slices {
    /// The next rows; `None` once every file was read to its end.
    pub async fn next(&mut self) -> Result<Option<Vec<EventRow>>, Fault> {
        while self.left > 0 {
            match self.receiver.recv().await {
                Some(Ok(Some(rows))) => return Ok(Some(rows)),
                Some(Ok(None)) => self.left -= 1,
                Some(Err(fault)) => return Err(fault),
                // A reader that did not come to its end was stopped.
                None => return Err(Fault::stopping()),
            }
        }
        Ok(None)
    }
}

struct Reader {
    context: Context,
    workspace: WorkspaceId,
    sender: mpsc::Sender<Told>,
}

impl Reader {
    async fn read(
        &self,
        file: &DataFile,
        conversations: &RangeInclusive<ConversationId>,
        rows: impl Fn(&RecordBatch) -> Result<Vec<EventRow>, ColumnError>,
    ) -> Result<(), Fault> {
        let mut stream = self.context.files.slice(self.workspace, file, conversations.clone()).await?;
        while let Some(batch) = stream.try_next().await? {
            if self.sender.send(Ok(Some(rows(&batch)?))).await.is_err() {
                return Ok(());
            }
        }
        Ok(())
    }
}
