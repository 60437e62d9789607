//! States as compact bytes: the `state` column of table `conversations`, so that what is loaded from files is kept as it
//! was read.
use super::base::{Loc, Stored};
use arrow::{
    array::{Array, ArrayRef, AsArray, BinaryArray, Int64Array},
    buffer::Buffer,
    record_batch::RecordBatch,
};
use schemas::{
    columns::{ColumnError, ConversationColumns, read_conversations},
    conversation::ConversationState,
};
use std::sync::Arc;

/// The states of a batch of table `conversations` (columns `state` and `version`), each with where its bytes lie in the
/// returned buffer. Nothing is copied.
pub(crate) fn read(batch: &RecordBatch) -> Result<(Buffer, Vec<Stored>), ColumnError> {
    let column = batch.column_by_name("state").and_then(|c| c.as_binary_opt::<i32>()).ok_or(ColumnError("state"))?;
    let states = read_conversations(batch)?;
    let stored = states.into_iter().zip(locations(column)).map(|(state, loc)| Stored { state, loc }).collect();
    Ok((column.values().clone(), stored))
}

/// Writes states into one buffer.
pub(crate) fn write<'a>(
    states: impl ExactSizeIterator<Item = &'a ConversationState>,
) -> Result<(Buffer, Vec<Loc>), ColumnError> {
    let mut columns = ConversationColumns::with_capacity(states.len());
    for state in states {
        columns.push(state).map_err(|_| ColumnError("state"))?;
    }
    let batch = columns.finish().map_err(|_| ColumnError("state"))?;
    let column = batch.column_by_name("state").and_then(|c| c.as_binary_opt::<i32>()).ok_or(ColumnError("state"))?;
    let locs = locations(column).collect();
    // The builder's buffer has room to spare, which would stay as long as the states do.
    Ok((Buffer::from_slice_ref(column.values().as_slice()), locs))
}

/// Reads states back.
pub(crate) fn decode<'a>(bytes: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<ConversationState>, ColumnError> {
    let states: BinaryArray = bytes.into_iter().map(Some).collect();
    let versions = Int64Array::from(vec![0; states.len()]);
    let columns: [(&str, ArrayRef); 2] = [("state", Arc::new(states)), ("version", Arc::new(versions))];
    let batch = RecordBatch::try_from_iter(columns).map_err(|_| ColumnError("state"))?;
    read_conversations(&batch)
}

fn locations(column: &BinaryArray) -> impl Iterator<Item = Loc> + '_ {
    let at = |offset: i32| u32::try_from(offset).unwrap_or(0);
    column.value_offsets().windows(2).map(move |pair| Loc { chunk: 0, at: at(pair[0]), end: at(pair[1]) })
}
