//! Table `dead_letters`.
use super::{ColumnError, id, instant, number, read::Reader, text};
use crate::{
    event::Raw,
    ids::{ConnectionId, EventId},
    kind::{DeadLetterReason, Platform},
    log::Offset,
    time::Millis,
};
use arrow::{
    array::{
        ArrayRef, BinaryBuilder, FixedSizeBinaryBuilder, Int64Builder, StringBuilder, TimestampMillisecondBuilder,
    },
    datatypes::{DataType, Field, Schema, SchemaRef},
    error::ArrowError,
    record_batch::RecordBatch,
};
use std::sync::{Arc, LazyLock};

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        id("event_id", false),
        id("connection", true),
        text("platform", false),
        instant("received_at", false),
        text("reason", false),
        number("log_offset", false),
        number("bytes", false),
        Field::new("raw", DataType::Binary, false),
    ]))
});

/// The columns of table `dead_letters`.
pub fn dead_letters_schema() -> SchemaRef {
    SCHEMA.clone()
}

/// A stored dead letter.
#[derive(Clone, PartialEq, Debug)]
pub struct DeadLetterRow {
    /// Its offset in its workspace's slot.
    pub offset: Offset,
    /// What came, and why it could not be read.
    pub raw: Raw,
}

/// What is known of a stored dead letter without its content.
#[derive(Clone, PartialEq, Debug)]
pub struct DeadLetterHead {
    /// Its offset in its workspace's slot.
    pub offset: Offset,
    /// See [`Raw::id`].
    pub id: EventId,
    /// See [`Raw::connection`].
    pub connection: Option<ConnectionId>,
    /// See [`Raw::platform`].
    pub platform: Platform,
    /// See [`Raw::received_at`].
    pub received_at: Millis,
    /// See [`Raw::reason`].
    pub reason: DeadLetterReason,
    /// How many bytes the content has.
    pub bytes: u64,
}

impl DeadLetterHead {
    /// The columns that it stands in: whoever reads no others opens no content.
    pub const COLUMNS: [&str; 7] =
        ["event_id", "connection", "platform", "received_at", "reason", "log_offset", "bytes"];
}

/// Collects rows into columns.
#[derive(Default)]
pub struct DeadLetterColumns {
    rows: Vec<DeadLetterRow>,
}

impl DeadLetterColumns {
    /// Appends a row.
    pub fn push(&mut self, row: DeadLetterRow) {
        self.rows.push(row);
    }

    /// The batch; empty afterwards.
    ///
    /// # Errors
    /// When the columns do not fit the schema, which no use of this type causes.
    pub fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        let n = self.rows.len();
        let (mut event_id, mut connection) =
            (FixedSizeBinaryBuilder::with_capacity(n, 16), FixedSizeBinaryBuilder::with_capacity(n, 16));
        let (mut platform, mut reason) = (StringBuilder::new(), StringBuilder::new());
        let mut received_at = TimestampMillisecondBuilder::with_capacity(n).with_timezone("UTC");
        let (mut log_offset, mut bytes) = (Int64Builder::with_capacity(n), Int64Builder::with_capacity(n));
        let mut raw = BinaryBuilder::new();
        for row in std::mem::take(&mut self.rows) {
            event_id.append_value(row.raw.id.0)?;
            match row.raw.connection {
                Some(c) => connection.append_value(c.0)?,
                None => connection.append_null(),
            }
            platform.append_value(row.raw.platform.as_str());
            received_at.append_value(row.raw.received_at.0);
            reason.append_value(row.raw.reason.as_str());
            log_offset.append_value(row.offset.as_i64());
            bytes.append_value(i64::try_from(row.raw.bytes.len()).unwrap_or(i64::MAX));
            raw.append_value(&row.raw.bytes);
        }
        let columns: Vec<ArrayRef> = vec![
            Arc::new(event_id.finish()),
            Arc::new(connection.finish()),
            Arc::new(platform.finish()),
            Arc::new(received_at.finish()),
            Arc::new(reason.finish()),
            Arc::new(log_offset.finish()),
            Arc::new(bytes.finish()),
            Arc::new(raw.finish()),
        ];
        RecordBatch::try_new(dead_letters_schema(), columns)
    }
}

/// The rows of a batch of table `dead_letters`, content left aside.
///
/// # Errors
/// [`ColumnError`] for a missing column or a value outside its vocabulary.
pub fn read_dead_letter_heads(batch: &RecordBatch) -> Result<Vec<DeadLetterHead>, ColumnError> {
    let reader = Reader(batch);
    let (event_id, connection) = (reader.ids("event_id")?, reader.ids("connection")?);
    let (platform, reason) = (reader.texts("platform")?, reader.texts("reason")?);
    let (received_at, log_offset) = (reader.instants("received_at")?, reader.numbers("log_offset")?);
    let bytes = reader.numbers("bytes")?;
    (0..batch.num_rows())
        .map(|row| {
            Ok(DeadLetterHead {
                offset: Offset::from_i64(log_offset.get(row).ok_or(ColumnError("log_offset"))?),
                id: EventId(event_id.must(row)?),
                connection: connection.get(row).map(ConnectionId),
                platform: platform.must_word(row)?,
                received_at: received_at.get(row).ok_or(ColumnError("received_at"))?,
                reason: reason.must_word(row)?,
                bytes: bytes.get(row).and_then(|n| u64::try_from(n).ok()).ok_or(ColumnError("bytes"))?,
            })
        })
        .collect()
}

/// The rows of a batch of table `dead_letters`, each with its content.
///
/// # Errors
/// As [`read_dead_letter_heads`].
pub fn read_dead_letters(batch: &RecordBatch) -> Result<Vec<(DeadLetterHead, Vec<u8>)>, ColumnError> {
    let raw = Reader(batch).binaries("raw")?;
    let heads = read_dead_letter_heads(batch)?;
    Ok(heads.into_iter().zip(raw.iter().map(|bytes| bytes.unwrap_or_default().to_vec())).collect())
}
