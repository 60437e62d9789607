//! What a workspace has in a slot's tail: where its records lie, and the records.
use super::{READ_BYTES, SlotTail};
use crate::engine::{fault::Fault, types::QueryError, weight::Budget};
use bytes::Bytes;
use schemas::{ids::WorkspaceId, log::Offset, record::SealedRecord};
use std::collections::BTreeMap;

impl SlotTail {
    /// Offsets of a workspace from `from` on, at most `most` and about `bytes`, and up to where that covers the slot.
    ///
    /// # Errors
    /// [`Fault::Gone`] when the tail begins later: files hold what lies before.
    pub fn pending(
        &self,
        workspace: WorkspaceId,
        from: Offset,
        most: usize,
        bytes: usize,
    ) -> Result<(Vec<Offset>, Offset), Fault> {
        let inner = self.inner.read();
        if from < inner.tail.start() {
            return Err(Fault::Gone);
        }
        let mut budget = Budget::new(bytes);
        let places = inner.tail.places(workspace, from).take(most).take_while(|(_, size)| budget.take(*size as usize));
        let offsets: Vec<Offset> = places.map(|(offset, _)| offset).collect();
        let end = match offsets.last() {
            Some(last) if offsets.len() == most || budget.is_over() => last.next(),
            _ => inner.tail.end(),
        };
        Ok((offsets, end))
    }

    /// How many of these records of a workspace (ascending, pinned) take about `bytes` together; one always fits.
    pub fn fitting(&self, workspace: WorkspaceId, offsets: &[Offset], bytes: usize) -> usize {
        let Some(first) = offsets.first() else { return 0 };
        let mut budget = Budget::new(bytes);
        let inner = self.inner.read();
        let mut places = inner.tail.places(workspace, *first).peekable();
        let size_at = |offset: &Offset| {
            while places.next_if(|(at, _)| at < offset).is_some() {}
            places.peek().filter(|(at, _)| at == offset).map_or(0, |(_, size)| *size as usize)
        };
        offsets.iter().map(size_at).take_while(|size| budget.take(*size)).count()
    }

    /// The records at these offsets (ascending, pinned): from memory, else from the log.
    pub async fn fetch(&self, offsets: &[Offset]) -> Result<Vec<(Offset, SealedRecord)>, Fault> {
        let mut records: BTreeMap<Offset, SealedRecord> = BTreeMap::new();
        let mut missing = Vec::new();
        {
            let inner = self.inner.read();
            for offset in offsets {
                match inner.tail.get(*offset) {
                    Some(record) => drop(records.insert(*offset, record.clone())),
                    None => missing.push(*offset),
                }
            }
        }
        let mut at = 0;
        while at < missing.len() {
            let batch = self.log.read(self.id, missing[at], READ_BYTES).await?;
            let covered = missing[at..].partition_point(|offset| *offset < batch.next);
            let wanted = &missing[at..at + covered];
            let found = batch.records.into_iter().filter(|(offset, _)| wanted.binary_search(offset).is_ok());
            // A value shares its memory with what was read beside it, and would keep all of that.
            records.extend(found.map(|(offset, record)| {
                let value = Bytes::copy_from_slice(&record.value);
                (offset, SealedRecord { value, ..record })
            }));
            at += covered;
            if covered == 0 {
                break;
            }
        }
        if records.len() < offsets.len() {
            return Err(Fault::Query(QueryError::Unavailable("the log does not hold what it gave before".into())));
        }
        Ok(records.into_iter().collect())
    }
}
