//! The rows of some conversations that follow each other, out of one file of table `events`. Files are sorted by
//! conversation: the page index names the few pages that hold them, and only those are decrypted.
use super::{FileError, Files};
use crate::catalog::DataFile;
use arrow::{
    array::{Array, AsArray, BooleanArray},
    error::ArrowError,
    record_batch::RecordBatch,
};
use futures::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use parquet::{
    arrow::{
        ParquetRecordBatchStreamBuilder, ProjectionMask,
        arrow_reader::{ArrowPredicateFn, RowFilter, RowSelection},
    },
    file::{metadata::ParquetMetaData, page_index::column_index::ColumnIndexMetaData},
};
use schemas::{
    ids::{ConversationId, WorkspaceId},
    partition::Table,
};
use std::ops::{Range, RangeInclusive};

/// The column that files of table `events` are sorted by.
const SORTED_BY: &str = "conversation";
/// Rows of a batch: many slices are read at once, and most are short.
const BATCH_ROWS: usize = 2048;

impl Files {
    /// The rows of one file of table `events` whose conversation lies between two, both included, in the file's order;
    /// rows without a conversation are not among them.
    ///
    /// # Errors
    /// See [`FileError`]; `ForeignFile` before anything is read when the file is another workspace's.
    pub async fn slice(
        &self,
        workspace: WorkspaceId,
        file: &DataFile,
        conversations: RangeInclusive<ConversationId>,
    ) -> Result<BoxStream<'static, Result<RecordBatch, FileError>>, FileError> {
        if file.workspace != workspace || file.table != Table::Events {
            return Err(FileError::ForeignFile(file.id));
        }
        let open = self.open(file).await?;
        let id = file.id;
        let metadata = open.arrow_metadata();
        let Some(selection) = selection(metadata.metadata(), &conversations) else {
            return Ok(stream::empty().boxed());
        };
        let mask = ProjectionMask::columns(metadata.parquet_schema(), [SORTED_BY]);
        let predicate = ArrowPredicateFn::new(mask, move |batch| between(&batch, &conversations));
        let stream = ParquetRecordBatchStreamBuilder::new_with_metadata(open, metadata)
            .with_row_selection(selection)
            .with_row_filter(RowFilter::new(vec![Box::new(predicate)]))
            .with_batch_size(BATCH_ROWS)
            .build()
            .map_err(|e| FileError::from_parquet(id, &e))?;
        Ok(stream.map_err(move |e| FileError::from_parquet(id, &e)).boxed())
    }
}

fn between(batch: &RecordBatch, wanted: &RangeInclusive<ConversationId>) -> Result<BooleanArray, ArrowError> {
    let ids = batch.column(0).as_fixed_size_binary_opt();
    let ids = ids.ok_or_else(|| ArrowError::SchemaError("a conversation is no id".into()))?;
    let is_wanted = |row: usize| {
        ids.is_valid(row) && ConversationId::from_slice(ids.value(row)).is_some_and(|id| wanted.contains(&id))
    };
    Ok((0..ids.len()).map(|row| Some(is_wanted(row))).collect())
}

/// The rows of the pages that may hold the conversations; `None` when no page does.
fn selection(metadata: &ParquetMetaData, wanted: &RangeInclusive<ConversationId>) -> Option<RowSelection> {
    let rows = |count: i64| usize::try_from(count).unwrap_or(0);
    let schema = metadata.file_metadata().schema_descr();
    let column = (0..schema.num_columns()).find(|at| schema.column(*at).name() == SORTED_BY);
    let (mut ranges, mut start): (Vec<Range<usize>>, usize) = (Vec::new(), 0);
    for (group, facts) in metadata.row_groups().iter().enumerate() {
        let end = start + rows(facts.num_rows());
        let index = column.and_then(|at| metadata.column_index()?.get(group)?.get(at));
        let pages = column.and_then(|at| Some(metadata.offset_index()?.get(group)?.get(at)?.page_locations()));
        match (index, pages) {
            (Some(ColumnIndexMetaData::FIXED_LEN_BYTE_ARRAY(index)), Some(pages)) => {
                for (page, place) in pages.iter().enumerate() {
                    let (Some(min), Some(max)) = (index.min_value(page), index.max_value(page)) else { continue };
                    if min <= wanted.end().as_bytes().as_slice() && max >= wanted.start().as_bytes().as_slice() {
                        let last = pages.get(page + 1).map_or(end, |next| start + rows(next.first_row_index));
                        ranges.push(start + rows(place.first_row_index)..last);
                    }
                }
            }
            // Without an index any row may be one.
            _ => ranges.push(start..end),
        }
        start = end;
    }
    if ranges.is_empty() { None } else { Some(RowSelection::from_consecutive_ranges(ranges.into_iter(), start)) }
}
