//! Counting, event by event, the day that the retention's cut goes through.
use super::{Folding, View};
use crate::engine::{
    fault::Fault,
    retention::{CutDay, days_through},
};
use arrow::{
    array::{Array, AsArray},
    datatypes::TimestampMillisecondType,
    record_batch::RecordBatch,
};
use futures::TryStreamExt;
use schemas::{columns::ColumnError, ids::ConversationId, kind::Kind, partition::PartitionDay, time::Millis};

impl View {
    /// Sees to it that the days which a cut goes through are counted; once per day.
    pub async fn count_cut_days(&self, cut: Millis) -> Result<(), Fault> {
        for day in days_through(cut) {
            if !self.state.read().cut_days.has(day) {
                let folding = self.folding.lock().await;
                self.count_day(&folding, day).await?;
            }
        }
        Ok(())
    }

    /// The same for who folds.
    pub(super) async fn count_cut_days_folding(&self, folding: &Folding, cut: Millis) -> Result<(), Fault> {
        for day in days_through(cut) {
            self.count_day(folding, day).await?;
        }
        Ok(())
    }

    /// Only for who folds: nobody else does meanwhile, so that no event is missed or counted twice.
    async fn count_day(&self, _folding: &Folding, day: PartitionDay) -> Result<(), Fault> {
        let pinned = {
            let state = self.state.read();
            if state.cut_days.has(day) {
                return Ok(());
            }
            state.pinned.clone()
        };
        let mut counted = CutDay::default();
        for file in pinned.events_of(|d| d == day) {
            let mut stream = self.context.files.stream(&file, Some(&["conversation", "kind", "event_at"])).await?;
            while let Some(batch) = stream.try_next().await? {
                count(&mut counted, &batch)?;
            }
        }
        let mut state = self.state.write();
        for (_, entry) in state.tail.from(schemas::log::Offset(0)).filter(|(_, entry)| entry.day == day) {
            if let Some(conversation) = entry.conversation {
                counted.add(conversation, entry.at, entry.kind == Kind::Message);
            }
        }
        state.cut_days.insert(day, counted);
        Ok(())
    }
}

fn count(counted: &mut CutDay, batch: &RecordBatch) -> Result<(), ColumnError> {
    let column = |name: &'static str| batch.column_by_name(name).ok_or(ColumnError(name));
    let ids = column("conversation")?.as_fixed_size_binary_opt().ok_or(ColumnError("conversation"))?;
    let kinds = column("kind")?.as_string_opt::<i32>().ok_or(ColumnError("kind"))?;
    let at = column("event_at")?.as_primitive_opt::<TimestampMillisecondType>().ok_or(ColumnError("event_at"))?;
    for row in (0..batch.num_rows()).filter(|row| ids.is_valid(*row)) {
        if let Some(id) = ConversationId::from_slice(ids.value(row)) {
            counted.add(id, Millis(at.value(row)), kinds.value(row) == Kind::Message.as_str());
        }
    }
    Ok(())
}
