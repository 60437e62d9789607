//! Rows to files: one file per partition, sorted by conversation and time.
use super::{
    batch::{Landed, Row, Rows},
    opened::Plaintexts,
};
use crate::{Shared, TransformError};
use arrow::record_batch::RecordBatch;
use futures::{StreamExt, TryStreamExt, stream};
use schemas::{
    columns::{DeadLetterColumns, EventColumns, EventRow},
    event::{Event, OrderKey},
    ids::EventId,
    log::Offset,
    partition::Table,
};
use std::{collections::BTreeMap, sync::Arc};
use warehouse::{catalog::DataFile, duplicates::Fronts, file::NewFile};

/// Writes every partition; a few at a time, as encoding and reading back is pure work.
pub(super) async fn write(
    shared: &Shared,
    partitions: BTreeMap<NewFile, Rows>,
    plaintexts: Arc<Plaintexts>,
) -> Result<Vec<DataFile>, TransformError> {
    // Keys that are new are made together: at midnight every workspace needs one. One that was destroyed is found out
    // by the file that needs it.
    let keys: Vec<_> = partitions.keys().map(|t| (t.workspace, t.day, t.class)).collect();
    if let Err(error) = shared.keyring.day_keys_or_create(&keys).await
        && error.class() != keys::KeyErrorClass::Destroyed
    {
        return Err(error.into());
    }
    stream::iter(partitions)
        .map(|(target, rows)| {
            let plaintexts = plaintexts.clone();
            async move {
                let encode = move || {
                    let fronts = Fronts::of(ids(&rows));
                    columns(target.table, rows, &plaintexts).map(|batch| (batch, fronts))
                };
                let (batch, fronts) = tokio::task::spawn_blocking(encode)
                    .await
                    .map_err(|_| TransformError::Unavailable("the writer was stopped".into()))??;
                let file = shared.files.write(target, vec![batch]).await?;
                // Before anybody can know of the file: the next records are near it in time, and would have it read.
                shared.duplicates.remember(file.id, fronts).await;
                Ok::<_, TransformError>(file)
            }
        })
        .buffer_unordered(shared.land.writers.max(1))
        .try_collect()
        .await
}

/// The ids that the duplicate check knows the rows by.
fn ids(rows: &Rows) -> impl Iterator<Item = EventId> {
    rows.events.iter().map(|row| row.order.id).chain(rows.dead_letters.iter().map(|row| row.raw.id))
}

fn columns(table: Table, mut rows: Rows, plaintexts: &Plaintexts) -> Result<RecordBatch, TransformError> {
    if table == Table::DeadLetters {
        let mut columns = DeadLetterColumns::default();
        for row in rows.dead_letters {
            columns.push(row);
        }
        return Ok(columns.finish()?);
    }
    rows.events.sort_unstable_by_key(|row| (row.conversation, row.order));
    let mut columns = EventColumns::with_capacity(rows.events.len());
    for Row { offset, order, event, .. } in rows.events {
        match event {
            Landed::AsSent(place) => {
                columns.push(&EventRow::new(offset, judged(plaintexts.event(place)?, order, offset)?))?
            }
            Landed::Amendment(event) => columns.push(&EventRow::new(offset, *event))?,
        }
    }
    Ok(columns.finish()?)
}

/// The event that was judged under this key. Reading back would not see another one, as it compares with what is written
/// here.
fn judged<T>(event: Event<T>, key: OrderKey, offset: Offset) -> Result<Event<T>, TransformError> {
    if event.order_key() != key {
        return Err(TransformError::Integrity(format!("offset {offset}: another event lies in its place")));
    }
    Ok(event)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::land::opened::tests::event;
    use schemas::time::Millis;

    #[test]
    fn an_event_is_written_under_the_key_that_it_was_judged_by_and_no_other() {
        let key = event(1).order_key();
        assert!(judged(event(1), key, Offset(5)).is_ok());
        for other in
            [OrderKey { id: EventId([2; 16]), ..key }, OrderKey { at: Millis(1), ..key }, OrderKey { seq: 1, ..key }]
        {
            assert!(matches!(judged(event(1), other, Offset(5)), Err(TransformError::Integrity(_))));
        }
    }
}
