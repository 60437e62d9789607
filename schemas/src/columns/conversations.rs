//! Table `conversations`: one row per conversation and derivation. Of several rows of a conversation the one with the
//! greatest version holds; `compact` drops the others.
use super::{ColumnError, id, instant, number, read::Reader, text};
use crate::{conversation::ConversationState, log::Offset};
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
        id("conversation", false),
        id("connection", false),
        text("platform", false),
        number("version", false),
        instant("last_activity_at", true),
        text("status", false),
        number("message_count", false),
        Field::new("state", DataType::Binary, false),
    ]))
});

/// The columns of table `conversations`. `state` is the whole [`ConversationState`] in postcard; the other columns
/// show parts of it to other readers.
pub fn conversations_schema() -> SchemaRef {
    SCHEMA.clone()
}

/// Collects states into columns.
pub struct ConversationColumns {
    conversation: FixedSizeBinaryBuilder,
    connection: FixedSizeBinaryBuilder,
    platform: StringBuilder,
    version: Int64Builder,
    last_activity_at: TimestampMillisecondBuilder,
    status: StringBuilder,
    message_count: Int64Builder,
    state: BinaryBuilder,
}

impl ConversationColumns {
    /// Room for `rows` rows.
    pub fn with_capacity(rows: usize) -> Self {
        Self {
            conversation: FixedSizeBinaryBuilder::with_capacity(rows, 16),
            connection: FixedSizeBinaryBuilder::with_capacity(rows, 16),
            platform: StringBuilder::with_capacity(rows, rows * 8),
            version: Int64Builder::with_capacity(rows),
            last_activity_at: TimestampMillisecondBuilder::with_capacity(rows).with_timezone("UTC"),
            status: StringBuilder::with_capacity(rows, rows * 6),
            message_count: Int64Builder::with_capacity(rows),
            state: BinaryBuilder::with_capacity(rows, rows * 256),
        }
    }

    /// Appends a state.
    ///
    /// # Errors
    /// When the state does not serialise, which no value of ours causes.
    pub fn push(&mut self, state: &ConversationState) -> Result<(), ArrowError> {
        self.conversation.append_value(state.conversation.0)?;
        self.connection.append_value(state.connection.0)?;
        self.platform.append_value(state.platform.as_str());
        self.version.append_value(state.version.as_i64());
        self.last_activity_at.append_option(state.last_activity_at.map(|at| at.0));
        self.status.append_value(state.lifecycle.status.name());
        self.message_count.append_value(i64::try_from(state.message_count()).unwrap_or(i64::MAX));
        let bytes = state.encode(Vec::with_capacity(256)).map_err(|e| ArrowError::ExternalError(Box::new(e)))?;
        self.state.append_value(bytes);
        Ok(())
    }

    /// The batch; empty afterwards.
    ///
    /// # Errors
    /// When the columns do not fit the schema, which no use of this type causes.
    pub fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.conversation.finish()),
            Arc::new(self.connection.finish()),
            Arc::new(self.platform.finish()),
            Arc::new(self.version.finish()),
            Arc::new(self.last_activity_at.finish()),
            Arc::new(self.status.finish()),
            Arc::new(self.message_count.finish()),
            Arc::new(self.state.finish()),
        ];
        RecordBatch::try_new(conversations_schema(), columns)
    }
}

/// The states of a batch of table `conversations`. Columns `state` and `version` suffice.
///
/// # Errors
/// [`ColumnError`] for a missing column or a state that does not read.
pub fn read_conversations(batch: &RecordBatch) -> Result<Vec<ConversationState>, ColumnError> {
    let reader = Reader(batch);
    let (states, version) = (reader.binaries("state")?, reader.numbers("version")?);
    (0..batch.num_rows())
        .map(|row| {
            let mut state = ConversationState::decode(states.value(row))?;
            state.version = Offset::from_i64(version.get(row).ok_or(ColumnError("version"))?);
            Ok(state)
        })
        .collect()
}
