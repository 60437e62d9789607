//! Folds amendments into the rows of the messages they change, so that old content is gone from the files.
//!
//! One run takes all open amendments of a workspace. A message that is found gets its final content; the amendments'
//! own rows are marked as folded, and lose their text unless they carry the text that holds. An amendment whose message
//! is not there (yet) stays as it is.
use super::{Compacted, merge, replace};
use crate::{Shared, TransformError, states};
use arrow::{
    array::{Array, AsArray, UInt32Array},
    compute::take_record_batch,
    record_batch::RecordBatch,
};
use futures::TryStreamExt;
use schemas::{
    amendment::Amendments,
    columns::{ColumnError, EventColumns, EventRow, read_events},
    event::Change,
    ids::{EventId, WorkspaceId},
    log::Slot,
    partition::{Table, day_is_expired},
};
use std::collections::{HashMap, HashSet};
use warehouse::catalog::{DataFile, Lease};

/// What holds of a message once everything is folded.
struct Final {
    unsent: bool,
    edited_by: Option<EventId>,
}

pub(super) async fn fold(
    shared: &Shared,
    lease: &Lease,
    workspace: WorkspaceId,
    slot: Slot,
    files: &[DataFile],
    done: &mut Compacted,
) -> Result<(), TransformError> {
    let (now, days) = (shared.clock.now(), shared.retention_days(workspace));
    let events: Vec<DataFile> = files
        .iter()
        .filter(|f| f.table == Table::Events && !day_is_expired(f.day, now, f.class, days))
        .cloned()
        .collect();
    let (amendments, open) = states::open_amendments(shared, workspace, &events).await?;
    let targets: HashSet<EventId> = amendments.iter().map(|(id, _)| *id).collect();
    if targets.is_empty() {
        return Ok(());
    }
    // An amendment whose message never came is open until it expires. Where all open ones were looked for before, only
    // files that came since can hold their messages.
    let searched = shared.memory.searched.lock().get(&workspace).copied().unwrap_or_default();
    let next = events.iter().map(|f| f.max_offset.next()).max().unwrap_or_default();
    if open.iter().all(|row| row.offset < searched) {
        let since: Vec<&DataFile> = events.iter().filter(|f| f.max_offset >= searched).collect();
        let mut found = false;
        for file in since {
            found = found || holds(shared, file, &targets).await?;
        }
        if !found {
            shared.memory.searched.lock().insert(workspace, next);
            return Ok(());
        }
    }
    // Which files hold a target, or any amendment of one (an earlier one, folded before, may carry text that goes now).
    let mut affected = Vec::new();
    let mut finals: HashMap<EventId, Final> = HashMap::new();
    for file in &events {
        if !concerns(shared, file, &targets).await? {
            continue;
        }
        affected.push(file);
        for row in changed_rows(shared, file, &targets).await? {
            if targets.contains(&row.event.id) {
                let mut row = row;
                amendments.apply(&mut row);
                finals.insert(row.event.id, Final { unsent: row.unsent_at.is_some(), edited_by: row.edited_by });
            }
        }
    }
    if finals.is_empty() {
        shared.memory.searched.lock().insert(workspace, next);
        return Ok(());
    }
    let found: HashSet<EventId> = finals.keys().copied().collect();
    let mut add = Vec::new();
    let mut remove = Vec::new();
    for file in affected {
        if !concerns(shared, file, &found).await? {
            continue;
        }
        let mut batches = Vec::new();
        for batch in shared.files.read(file, None).await? {
            batches.push(rewrite(&batch, &found, &amendments, &finals)?);
        }
        let rewritten = merge::sorted(Table::Events, &batches)?;
        let new = merge::write(shared, merge::target_of(file), rewritten).await?;
        if new.rows != file.rows {
            return Err(TransformError::Integrity("folding changed the number of rows".into()));
        }
        add.push(new);
        remove.push(file);
    }
    done.folded += open.iter().filter(|r| r.event.amends.as_ref().is_some_and(|a| found.contains(&a.message))).count();
    // All at once: a message and its amendments must not be seen apart.
    replace(shared, lease, slot, remove, add, ("fold/after-write", "fold/after-commit"), done).await?;
    // Not before: what could not be folded has to be found again by the next run.
    shared.memory.searched.lock().insert(workspace, next);
    Ok(())
}

/// True when a file holds one of the messages.
async fn holds(shared: &Shared, file: &DataFile, ids: &HashSet<EventId>) -> Result<bool, TransformError> {
    let mut stream = shared.files.stream(file, Some(&["event_id"])).await?;
    while let Some(batch) = stream.try_next().await? {
        if (0..batch.num_rows()).any(|row| is_one(&batch, row, ids)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// True when a file holds one of the messages or an amendment of one.
async fn concerns(shared: &Shared, file: &DataFile, ids: &HashSet<EventId>) -> Result<bool, TransformError> {
    let mut stream = shared.files.stream(file, Some(&["event_id", "amends"])).await?;
    while let Some(batch) = stream.try_next().await? {
        if (0..batch.num_rows()).any(|row| is_one(&batch, row, ids)) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_one(batch: &RecordBatch, row: usize, ids: &HashSet<EventId>) -> bool {
    ["event_id", "amends"].into_iter().any(|name| {
        batch
            .column_by_name(name)
            .and_then(|c| c.as_fixed_size_binary_opt())
            .filter(|c| c.is_valid(row))
            .and_then(|c| EventId::from_slice(c.value(row)))
            .is_some_and(|id| ids.contains(&id))
    })
}

async fn changed_rows(
    shared: &Shared,
    file: &DataFile,
    ids: &HashSet<EventId>,
) -> Result<Vec<EventRow>, TransformError> {
    let mut rows = Vec::new();
    for batch in shared.files.read(file, None).await? {
        let (changed, _) = split(&batch, ids)?;
        rows.extend(read_events(&changed)?);
    }
    Ok(rows)
}

/// The rows that concern the ids, and all others.
fn split(batch: &RecordBatch, ids: &HashSet<EventId>) -> Result<(RecordBatch, RecordBatch), TransformError> {
    let rows = u32::try_from(batch.num_rows()).map_err(|_| ColumnError("event_id"))?;
    let (changed, kept): (Vec<u32>, Vec<u32>) = (0..rows).partition(|row| is_one(batch, *row as usize, ids));
    let take = |rows: Vec<u32>| take_record_batch(batch, &UInt32Array::from(rows));
    Ok((take(changed)?, take(kept)?))
}

fn rewrite(
    batch: &RecordBatch,
    found: &HashSet<EventId>,
    amendments: &Amendments,
    finals: &HashMap<EventId, Final>,
) -> Result<RecordBatch, TransformError> {
    let (changed, kept) = split(batch, found)?;
    let rows = read_events(&changed)?;
    let mut columns = EventColumns::with_capacity(rows.len());
    for mut row in rows {
        amendments.apply(&mut row);
        if let Some(amends) = &row.event.amends
            && let Some(last) = finals.get(&amends.message)
        {
            let superseded = match &amends.change {
                Change::Edit { .. } => last.unsent || last.edited_by != Some(row.event.id),
                Change::Unsend | Change::Author { .. } => false,
            };
            if superseded {
                row.blank();
            }
            row.folded = true;
        }
        columns.push(&row)?;
    }
    Ok(arrow::compute::concat_batches(&batch.schema(), &[kept, columns.finish()?])?)
}
