//! The only writer of data files.
use super::{DataFilePath, FileError, Files, encryption, properties::properties};
use crate::catalog::DataFile;
use arrow::{
    array::{Array, AsArray},
    compute::{max, min},
    datatypes::{Int64Type, TimestampMillisecondType},
    record_batch::RecordBatch,
};
use bytes::Bytes;
use futures::TryStreamExt;
use parquet::{arrow::ArrowWriter, encryption::encrypt::FileEncryptionProperties};
use schemas::{
    clock::random,
    ids::{DataFileId, WorkspaceId},
    log::{Offset, Slot},
    partition::{PartitionDay, RetentionClass, Table},
    time::Millis,
};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Where a new file belongs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NewFile {
    /// Whose it is.
    pub workspace: WorkspaceId,
    /// That workspace's slot.
    pub slot: Slot,
    /// Which table.
    pub table: Table,
    /// Which partition day.
    pub day: PartitionDay,
    /// Which retention class.
    pub class: RetentionClass,
}

/// What the catalog keeps of a file's rows: times, offsets, counts; never content.
struct Summary {
    rows: u64,
    min_at: Millis,
    max_at: Millis,
    min_offset: Offset,
    max_offset: Offset,
    amendments: u64,
}

impl Files {
    /// Writes the rows of one workspace, table, day and class as one file, opens it again through the normal reader
    /// and compares every value. The file is garbage until its row is committed; [`Self::make_durable`] comes before
    /// that.
    ///
    /// # Errors
    /// See [`FileError`]. `KeyDestroyed` when the day's key was destroyed: such a day takes no more rows.
    pub async fn write(&self, target: NewFile, batches: Vec<RecordBatch>) -> Result<DataFile, FileError> {
        let inner = &self.inner;
        let id = DataFileId(random(inner.entropy.as_ref()).map_err(|e| FileError::Unavailable(e.to_string()))?);
        let NewFile { workspace, slot, table, day, class } = target;
        let path = DataFilePath { workspace, table, day, class, file: id };
        let day_key =
            inner.keyring.day_key_or_create(workspace, day, class).await.map_err(|e| FileError::from_key(id, &e))?;
        let encryption = encryption::encrypt(&path, &day_key, &inner.entropy)?;

        let (batches, encoded) = tokio::task::spawn_blocking(move || {
            let encoded = encode(id, table, &batches, encryption)?;
            Ok::<_, FileError>((batches, encoded))
        })
        .await
        .map_err(|_| FileError::Unavailable("the writer was stopped".into()))??;
        let (bytes, sha256) = encoded;
        let summary = summarise(id, table, &batches)?;

        let file = DataFile {
            id,
            workspace,
            slot,
            table,
            day,
            class,
            rows: summary.rows,
            bytes: bytes.len() as u64,
            sha256,
            min_at: summary.min_at,
            max_at: summary.max_at,
            min_offset: summary.min_offset,
            max_offset: summary.max_offset,
            amendments: summary.amendments,
            created_at: inner.clock.now(),
        };
        self.put(&path, bytes, sha256).await?;
        self.compare(&file, &batches).await?;
        Ok(file)
    }

    /// Reads a file back and compares it with what should be in it.
    async fn compare(&self, file: &DataFile, expected: &[RecordBatch]) -> Result<(), FileError> {
        let wrong = || FileError::Integrity { file: file.id, why: "it does not read back as written".into() };
        let mut stream = self.stream(file, None).await?;
        let mut expected = expected.iter();
        let (mut current, mut at) = (expected.next(), 0);
        while let Some(read) = stream.try_next().await? {
            let mut from = 0;
            while from < read.num_rows() {
                let batch = loop {
                    match current {
                        Some(batch) if at < batch.num_rows() => break batch,
                        Some(_) => (current, at) = (expected.next(), 0),
                        None => return Err(wrong()),
                    }
                };
                let rows = (read.num_rows() - from).min(batch.num_rows() - at);
                if read.slice(from, rows).columns() != batch.slice(at, rows).columns() {
                    return Err(wrong());
                }
                from += rows;
                at += rows;
            }
        }
        while let Some(batch) = current {
            if at < batch.num_rows() {
                return Err(wrong());
            }
            (current, at) = (expected.next(), 0);
        }
        Ok(())
    }
}

fn encode(
    id: DataFileId,
    table: Table,
    batches: &[RecordBatch],
    encryption: Arc<FileEncryptionProperties>,
) -> Result<(Bytes, [u8; 32]), FileError> {
    let parquet = |e: parquet::errors::ParquetError| FileError::from_parquet(id, &e);
    let schema = schemas::columns::schema_of(table);
    let size: usize = batches.iter().map(RecordBatch::get_array_memory_size).sum();
    let properties = properties(table, batches, encryption);
    let mut writer = ArrowWriter::try_new(Vec::with_capacity(size / 2), schema, Some(properties)).map_err(parquet)?;
    for batch in batches {
        writer.write(batch).map_err(parquet)?;
    }
    let bytes = writer.into_inner().map_err(parquet)?;
    let ends = (bytes.get(..4), bytes.len().checked_sub(4).and_then(|at| bytes.get(at..)));
    if ends != (Some(b"PARE".as_slice()), Some(b"PARE".as_slice())) {
        return Err(FileError::Integrity { file: id, why: "it was not written encrypted".into() });
    }
    let sha256 = Sha256::digest(&bytes).into();
    Ok((bytes.into(), sha256))
}

fn summarise(id: DataFileId, table: Table, batches: &[RecordBatch]) -> Result<Summary, FileError> {
    let (at, offset) = match table {
        Table::Events => ("event_at", "log_offset"),
        Table::DeadLetters => ("received_at", "log_offset"),
        Table::Conversations => ("last_activity_at", "version"),
    };
    let missing = || FileError::Integrity { file: id, why: "its rows lack a column".into() };
    let mut summary = Summary {
        rows: 0,
        min_at: Millis(i64::MAX),
        max_at: Millis(i64::MIN),
        min_offset: Offset(u64::MAX),
        max_offset: Offset(0),
        amendments: 0,
    };
    for batch in batches {
        let instants = batch.column_by_name(at).and_then(|c| c.as_primitive_opt::<TimestampMillisecondType>());
        let instants = instants.ok_or_else(missing)?;
        let offsets = batch.column_by_name(offset).and_then(|c| c.as_primitive_opt::<Int64Type>());
        let offsets = offsets.ok_or_else(missing)?;
        summary.rows += batch.num_rows() as u64;
        if let (Some(low), Some(high)) = (min(instants), max(instants)) {
            summary.min_at = summary.min_at.min(Millis(low));
            summary.max_at = summary.max_at.max(Millis(high));
        }
        if let (Some(low), Some(high)) = (min(offsets), max(offsets)) {
            summary.min_offset = summary.min_offset.min(Offset::from_i64(low));
            summary.max_offset = summary.max_offset.max(Offset::from_i64(high));
        }
        if table == Table::Events {
            let amends = batch.column_by_name("amends").ok_or_else(missing)?;
            let folded = batch.column_by_name("folded").and_then(|c| c.as_boolean_opt()).ok_or_else(missing)?;
            let open = (0..batch.num_rows()).filter(|row| amends.is_valid(*row) && !folded.value(*row)).count();
            summary.amendments += open as u64;
        }
    }
    if summary.max_at.0 == i64::MIN {
        (summary.min_at, summary.max_at) = (Millis(0), Millis(0));
    }
    Ok(summary)
}
