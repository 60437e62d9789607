//! Who wrote the messages of a file, without what they wrote.
use super::{ColumnError, read::Reader};
use crate::{
    ids::{ConversationId, EventId},
    kind::{AuthorKind, Kind},
    log::Offset,
    time::Millis,
};
use arrow::record_batch::RecordBatch;

/// The columns of table `events` that [`read_writers`] needs.
pub const WRITER_COLUMNS: &[&str] =
    &["event_id", "conversation", "kind", "event_at", "claimed_at", "log_offset", "author_kind", "member"];

/// A message of a person of the business.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Writer {
    /// The message.
    pub id: EventId,
    /// Its time.
    pub at: Millis,
    /// Its offset in its workspace's slot.
    pub offset: Offset,
    /// Its conversation.
    pub conversation: Option<ConversationId>,
    /// Its claimed time was not believed.
    pub claimed: bool,
    /// It says which member wrote it.
    pub named: bool,
}

/// The messages of people of the business in a batch of table `events`.
///
/// # Errors
/// [`ColumnError`] for a missing column or a value outside its vocabulary.
pub fn read_writers(batch: &RecordBatch) -> Result<Vec<Writer>, ColumnError> {
    let reader = Reader(batch);
    let (ids, conversations) = (reader.ids("event_id")?, reader.ids("conversation")?);
    let (kinds, authors, members) = (reader.texts("kind")?, reader.texts("author_kind")?, reader.texts("member")?);
    let (at, claimed, offsets) =
        (reader.instants("event_at")?, reader.instants("claimed_at")?, reader.numbers("log_offset")?);
    let mut writers = Vec::new();
    for row in 0..batch.num_rows() {
        let author: Option<AuthorKind> = authors.word(row)?;
        if kinds.get(row) != Some(Kind::Message.as_str()) || !author.is_some_and(AuthorKind::is_human_reply) {
            continue;
        }
        writers.push(Writer {
            id: EventId(ids.must(row)?),
            at: at.get(row).ok_or(ColumnError("event_at"))?,
            offset: Offset::from_i64(offsets.get(row).ok_or(ColumnError("log_offset"))?),
            conversation: conversations.get(row).map(ConversationId),
            claimed: claimed.get(row).is_some(),
            named: members.get(row).is_some(),
        });
    }
    Ok(writers)
}
