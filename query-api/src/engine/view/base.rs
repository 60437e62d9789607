//! The derived states of a snapshot as an inbox's base: of several derivations of a conversation the newest.
use super::Pinned;
use crate::engine::{
    context::Context,
    fault::Fault,
    inbox::{
        Inbox,
        base::{Base, Loc, Part, Ranked},
        codec,
        hot::{Hot, Names},
    },
    retention::{DayAtCut, at_cut},
};
use futures::{StreamExt, TryStreamExt, stream};
use keys::KeyErrorClass;
use schemas::{
    ids::{ConversationId, WorkspaceId},
    log::Offset,
    partition::Table,
    time::Millis,
};
use std::collections::HashMap;
use tokio::runtime::Handle;
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

/// What one file gave.
#[derive(Default)]
struct Read {
    part: Part,
    newer: Vec<(ConversationId, Offset)>,
    stale: Vec<ConversationId>,
}

/// Reads all of table `conversations`, the files side by side. States in a file of an expired day may go on; they are
/// moved to a younger day before its key is destroyed, so a dark file is left out once the snapshot is one from after
/// that.
pub(super) async fn load(
    context: &Context,
    workspace: WorkspaceId,
    pinned: &Pinned,
    derived: Offset,
    cut: Millis,
) -> Result<LoadedBase, Fault> {
    debug_assert!(pinned.files.iter().all(|f| f.workspace == workspace));
    let mut files = Vec::new();
    for file in pinned.files.iter().filter(|f| f.table == Table::Conversations) {
        if at_cut(file.day, cut) == DayAtCut::Gone && is_dark(context, pinned, file).await? {
            continue;
        }
        files.push(file.clone());
    }
    // Of two writings of one derivation the later holds.
    files.sort_unstable_by_key(|file| (file.created_at, file.id));
    let read = |(at, file): (usize, DataFile)| {
        let (context, handle) = (context.clone(), Handle::current());
        let written = u32::try_from(at).unwrap_or(u32::MAX);
        // Decrypting and decoding is nearly all of it.
        blocking(move || handle.block_on(read(&context, &file, written, derived)))
    };
    let read: Vec<Read> =
        stream::iter(files.into_iter().enumerate()).map(read).buffer_unordered(processors()).try_collect().await?;
    blocking(move || Ok(assemble(read))).await
}

/// How many files or folds keep all processors busy.
pub(super) fn processors() -> usize {
    std::thread::available_parallelism().map_or(2, std::num::NonZero::get)
}

async fn read(context: &Context, file: &DataFile, written: u32, derived: Offset) -> Result<Read, Fault> {
    let mut read = Read::default();
    let mut stream = context.files.stream(file, Some(&["version", "state"])).await?;
    while let Some(batch) = stream.try_next().await? {
        let chunk = u32::try_from(read.part.chunks.len()).unwrap_or(u32::MAX);
        let Read { part, newer, stale } = &mut read;
        let buffer = codec::sketch(&batch, |sketch, loc, version| {
            let hot = Hot::of_sketch(sketch, &mut part.names);
            part.rows.push(Ranked { hot, loc: Loc { chunk, ..loc }, rank: (version, written) });
            if version > derived {
                newer.push((sketch.conversation, version));
            }
            if sketch.stale {
                stale.push(sketch.conversation);
            }
        })?;
        part.chunks.push(buffer);
    }
    Ok(read)
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

fn assemble(read: Vec<Read>) -> LoadedBase {
    let mut newer: HashMap<ConversationId, Offset> = HashMap::new();
    let (mut stale, mut parts) = (Vec::new(), Vec::with_capacity(read.len()));
    for read in read {
        for (id, version) in read.newer {
            let held = newer.entry(id).or_insert(version);
            *held = version.max(*held);
        }
        // An older state may be stale where the newest is not: folding that again changes nothing.
        stale.extend(read.stale);
        parts.push(read.part);
    }
    stale.sort_unstable();
    stale.dedup();
    let mut names = Names::default();
    let base = Base::of_parts(parts, &mut names);
    LoadedBase { inbox: Inbox::new(base, names), newer, stale }
}

/// Runs what takes a processor for a while beside the tasks that wait.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| Fault::stopping())?
}
