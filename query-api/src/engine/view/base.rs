//! The derived states of a snapshot as an inbox's base: of several derivations of a conversation the newest.
use super::Pinned;
use crate::engine::{
    context::Context,
    fault::Fault,
    inbox::{
        Inbox,
        base::{Base, Loc},
        codec,
        hot::{Hot, Names},
    },
    retention::{DayAtCut, at_cut},
};
use arrow::buffer::Buffer;
use futures::TryStreamExt;
use keys::KeyErrorClass;
use schemas::{
    ids::{ConversationId, DataFileId, WorkspaceId},
    log::Offset,
    partition::Table,
    time::Millis,
};
use std::collections::HashMap;
use warehouse::catalog::DataFile;

/// A loaded base, with what is left to be done with it.
pub(super) struct LoadedBase {
    pub inbox: Inbox,
    /// Conversations whose state holds more than the rest: their derivation is newer than the derived offset that was
    /// read before the snapshot.
    pub newer: HashMap<ConversationId, Offset>,
    /// Conversations whose lifecycle must be folded again.
    pub stale: Vec<ConversationId>,
}

/// Which of two rows of a conversation holds: the newer derivation; of the same one the later writing, as `expire`
/// writes states anew without what expired.
type Rank = (Offset, Millis, DataFileId);

struct Rows {
    names: Names,
    rows: Vec<(Hot, Loc, Rank, bool)>,
    chunks: Vec<Buffer>,
}

/// Reads all of table `conversations`. States in a file of an expired day may go on; they are moved to a younger day
/// before its key is destroyed, so a dark file is left out once the snapshot is one from after that.
pub(super) async fn load(
    context: &Context,
    workspace: WorkspaceId,
    pinned: &Pinned,
    derived: Offset,
    cut: Millis,
) -> Result<LoadedBase, Fault> {
    debug_assert!(pinned.files.iter().all(|f| f.workspace == workspace));
    let mut rows = Rows { names: Names::default(), rows: Vec::new(), chunks: Vec::new() };
    for file in pinned.files.iter().filter(|f| f.table == Table::Conversations) {
        if at_cut(file.day, cut) == DayAtCut::Gone && is_dark(context, pinned, file).await? {
            continue;
        }
        let written = (file.created_at, file.id);
        let mut stream = context.files.stream(file, Some(&["version", "state"])).await?;
        while let Some(batch) = stream.try_next().await? {
            rows = blocking(move || {
                let chunk = u32::try_from(rows.chunks.len()).unwrap_or(u32::MAX);
                let (buffer, stored) = codec::read(&batch)?;
                rows.chunks.push(buffer);
                for stored in stored {
                    let hot = Hot::of(&stored.state, &mut rows.names);
                    let loc = Loc { chunk, ..stored.loc };
                    rows.rows.push((hot, loc, (stored.state.version, written.0, written.1), stored.state.stale));
                }
                Ok(rows)
            })
            .await?;
        }
    }
    blocking(move || Ok(assemble(rows, derived))).await
}

/// True when the key of a file is destroyed and nothing is missed without it.
async fn is_dark(context: &Context, pinned: &Pinned, file: &DataFile) -> Result<bool, Fault> {
    match context.keyring.day_key(file.workspace, file.day, file.class).await {
        Ok(_) => Ok(false),
        Err(error) if error.class() == KeyErrorClass::Destroyed => {
            let newest = context.catalog.snapshot(pinned.snapshot.slot).await?;
            if newest.number == pinned.snapshot.number { Ok(true) } else { Err(Fault::KeyDestroyed) }
        }
        Err(error) => Err(error.into()),
    }
}

fn assemble(mut rows: Rows, derived: Offset) -> LoadedBase {
    let id = |hot: &Hot| hot.place.conversation;
    rows.rows.sort_unstable_by(|a, b| id(&a.0).cmp(&id(&b.0)).then(b.2.cmp(&a.2)));
    rows.rows.dedup_by(|later, earlier| id(&later.0) == id(&earlier.0));
    let newer = rows.rows.iter().filter(|r| r.2.0 > derived).map(|r| (id(&r.0), r.2.0)).collect();
    let stale = rows.rows.iter().filter(|r| r.3).map(|r| id(&r.0)).collect();
    let base = Base::build(rows.rows.into_iter().map(|(hot, loc, _, _)| (hot, loc)).collect(), rows.chunks);
    LoadedBase { inbox: Inbox::new(base, rows.names), newer, stale }
}

/// Runs what takes a processor for a while beside the tasks that wait.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| Fault::stopping())?
}
