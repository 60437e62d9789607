//! States as compact bytes: the `state` column of table `conversations`, so that what is loaded from files is kept as it
//! was read.
use super::base::Loc;
use arrow::{
    array::{Array, AsArray},
    buffer::Buffer,
    datatypes::Int64Type,
    record_batch::RecordBatch,
};
use schemas::{
    columns::ColumnError,
    conversation::{ConversationState, Sketch},
    log::Offset,
};

/// Gives the states of a batch of table `conversations` (columns `state` and `version`) to `take`: what an index needs of
/// each, where its bytes lie in the returned buffer, and its version. Nothing is copied.
pub(crate) fn sketch(
    batch: &RecordBatch,
    mut take: impl FnMut(&Sketch<'_>, Loc, Offset),
) -> Result<Buffer, ColumnError> {
    let column = batch.column_by_name("state").and_then(|c| c.as_binary_opt::<i32>()).ok_or(ColumnError("state"))?;
    let versions = batch.column_by_name("version").and_then(|c| c.as_primitive_opt::<Int64Type>());
    let versions = versions.filter(|v| v.null_count() == 0).ok_or(ColumnError("version"))?;
    let at = |offset: i32| u32::try_from(offset).unwrap_or(0);
    for (pair, (row, version)) in column.value_offsets().windows(2).zip(versions.values().iter().enumerate()) {
        let loc = Loc { chunk: 0, at: at(pair[0]), end: at(pair[1]) };
        take(&Sketch::read(column.value(row))?, loc, Offset::from_i64(*version));
    }
    Ok(column.values().clone())
}

/// Writes states into one buffer.
pub(crate) fn write<'a>(
    states: impl ExactSizeIterator<Item = &'a ConversationState>,
) -> Result<(Buffer, Vec<Loc>), ColumnError> {
    let (mut bytes, mut locs) = (Vec::with_capacity(states.len() * 256), Vec::with_capacity(states.len()));
    for state in states {
        let at = position(&bytes)?;
        bytes = state.encode(bytes)?;
        locs.push(Loc { chunk: 0, at, end: position(&bytes)? });
    }
    // Room to spare would stay as long as the states do.
    bytes.shrink_to_fit();
    Ok((Buffer::from_vec(bytes), locs))
}

fn position(bytes: &[u8]) -> Result<u32, ColumnError> {
    u32::try_from(bytes.len()).map_err(|_| ColumnError("state"))
}
