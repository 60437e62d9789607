//! Table `events`.
use super::{
    ColumnError, id, instant, number,
    read::{Ids, Instants, Numbers, Reader, Texts},
    text,
};
use crate::{
    event::{Amends, Attachment, Author, Change, Contact, Event, Message, OrderKey},
    ids::{ConnectionId, ContactId, ConversationId, EventId},
    kind::Kind,
    log::Offset,
    time::Millis,
};
use arrow::{
    array::{
        ArrayRef, BooleanArray, BooleanBuilder, FixedSizeBinaryBuilder, Int64Builder, StringBuilder,
        TimestampMillisecondBuilder,
    },
    datatypes::{DataType, Field, Schema, SchemaRef},
    error::ArrowError,
    record_batch::RecordBatch,
};
use serde::Serialize;
use std::sync::{Arc, LazyLock};

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        id("event_id", false),
        id("conversation", true),
        id("connection", false),
        text("platform", false),
        text("source", false),
        text("kind", false),
        instant("event_at", false),
        instant("received_at", false),
        instant("claimed_at", true),
        number("seq", false),
        number("log_offset", false),
        id("contact", true),
        text("contact_name", true),
        text("author_kind", true),
        text("member", true),
        id("author_contact", true),
        text("author_name", true),
        text("platform_message_id", true),
        text("type", true),
        text("text", true),
        text("attachments", true),
        id("reply_to", true),
        instant("edited_at", true),
        number("edit_order", true),
        id("edited_by", true),
        instant("unsent_at", true),
        id("amends", true),
        Field::new("folded", DataType::Boolean, false),
        text("details", false),
    ]))
});

/// The columns of table `events`.
pub fn events_schema() -> SchemaRef {
    SCHEMA.clone()
}

/// A stored event: the event, its place in the log, and what amendments did to it.
#[derive(Clone, PartialEq, Debug)]
pub struct EventRow<T = String> {
    /// Its offset in its workspace's slot.
    pub offset: Offset,
    /// The event, as amended.
    pub event: Event<T>,
    /// When the text was last edited.
    pub edited_at: Option<Millis>,
    /// Rank of the edit that is folded in, see [`crate::amendment::NewestEdit::order`].
    pub edit_order: Option<i64>,
    /// The edit that is folded in.
    pub edited_by: Option<EventId>,
    /// When the message was taken back.
    pub unsent_at: Option<Millis>,
    /// For amendments: true once `compact` has written it into the message's own row.
    pub folded: bool,
}

impl<T> EventRow<T> {
    /// A row as land writes it: nothing amended yet.
    pub fn new(offset: Offset, event: Event<T>) -> Self {
        Self { offset, event, edited_at: None, edit_order: None, edited_by: None, unsent_at: None, folded: false }
    }
}

impl EventRow {
    /// Takes the content away; kind, author and instants stay for the numbers.
    pub fn blank(&mut self) {
        if let Some(message) = &mut self.event.message {
            message.text = None;
            message.attachments.clear();
        }
        if let Some(Amends { change: Change::Edit { text, .. }, .. }) = &mut self.event.amends {
            *text = None;
        }
        self.event.details = "{}".into();
    }
}

/// Collects rows into columns.
pub struct EventColumns {
    event_id: FixedSizeBinaryBuilder,
    conversation: FixedSizeBinaryBuilder,
    connection: FixedSizeBinaryBuilder,
    platform: StringBuilder,
    source: StringBuilder,
    kind: StringBuilder,
    event_at: TimestampMillisecondBuilder,
    received_at: TimestampMillisecondBuilder,
    claimed_at: TimestampMillisecondBuilder,
    seq: Int64Builder,
    log_offset: Int64Builder,
    contact: FixedSizeBinaryBuilder,
    contact_name: StringBuilder,
    author_kind: StringBuilder,
    member: StringBuilder,
    author_contact: FixedSizeBinaryBuilder,
    author_name: StringBuilder,
    platform_message_id: StringBuilder,
    message_type: StringBuilder,
    text: StringBuilder,
    attachments: StringBuilder,
    reply_to: FixedSizeBinaryBuilder,
    edited_at: TimestampMillisecondBuilder,
    edit_order: Int64Builder,
    edited_by: FixedSizeBinaryBuilder,
    unsent_at: TimestampMillisecondBuilder,
    amends: FixedSizeBinaryBuilder,
    folded: BooleanBuilder,
    details: StringBuilder,
}

impl EventColumns {
    /// Room for `rows` rows.
    pub fn with_capacity(rows: usize) -> Self {
        let id = || FixedSizeBinaryBuilder::with_capacity(rows, 16);
        let text = |bytes: usize| StringBuilder::with_capacity(rows, rows * bytes);
        let at = || TimestampMillisecondBuilder::with_capacity(rows).with_timezone("UTC");
        Self {
            event_id: id(),
            conversation: id(),
            connection: id(),
            platform: text(8),
            source: text(8),
            kind: text(8),
            event_at: at(),
            received_at: at(),
            claimed_at: at(),
            seq: Int64Builder::with_capacity(rows),
            log_offset: Int64Builder::with_capacity(rows),
            contact: id(),
            contact_name: text(0),
            author_kind: text(8),
            member: text(0),
            author_contact: id(),
            author_name: text(0),
            platform_message_id: text(24),
            message_type: text(8),
            text: text(48),
            attachments: text(0),
            reply_to: id(),
            edited_at: at(),
            edit_order: Int64Builder::with_capacity(rows),
            edited_by: id(),
            unsent_at: at(),
            amends: id(),
            folded: BooleanBuilder::with_capacity(rows),
            details: text(48),
        }
    }

    /// Appends a row.
    ///
    /// # Errors
    /// When attachments do not become JSON, which no value of ours causes.
    pub fn push<T: AsRef<str> + Serialize>(&mut self, row: &EventRow<T>) -> Result<(), ArrowError> {
        let event = &row.event;
        self.event_id.append_value(event.id.0)?;
        append_id(&mut self.conversation, event.conversation.map(|c| c.0))?;
        self.connection.append_value(event.connection.0)?;
        self.platform.append_value(event.platform.as_str());
        self.source.append_value(event.source.as_str());
        self.kind.append_value(event.kind.as_str());
        self.event_at.append_value(event.event_at.0);
        self.received_at.append_value(event.received_at.0);
        self.claimed_at.append_option(event.claimed_at.map(|at| at.0));
        self.seq.append_value(event.seq);
        self.log_offset.append_value(row.offset.as_i64());
        let contact = event.contact.as_ref();
        append_id(&mut self.contact, contact.map(|c| c.id.0))?;
        self.contact_name.append_option(contact.and_then(|c| c.name.as_ref()));
        let author = event.author.as_ref();
        self.author_kind.append_option(author.map(|a| a.kind.as_str()));
        self.author_contact_and_names(event)?;
        let message = event.message.as_ref();
        self.platform_message_id.append_option(message.map(|m| m.platform_id.as_ref()));
        self.message_type.append_option(message.map(|m| m.kind.as_str()));
        self.append_content(event, row.edit_order)?;
        append_id(&mut self.reply_to, message.and_then(|m| m.reply_to).map(|r| r.0))?;
        self.edited_at.append_option(row.edited_at.map(|at| at.0));
        append_id(&mut self.edited_by, row.edited_by.map(|id| id.0))?;
        self.unsent_at.append_option(row.unsent_at.map(|at| at.0));
        append_id(&mut self.amends, event.amends.as_ref().map(|a| a.message.0))?;
        self.folded.append_value(row.folded);
        self.details.append_value(&event.details);
        Ok(())
    }

    fn author_contact_and_names<T: AsRef<str>>(&mut self, event: &Event<T>) -> Result<(), ArrowError> {
        let author = event.author.as_ref();
        // An author amendment names the member in the same column as a message does.
        let amended = match event.amends.as_ref().map(|a| &a.change) {
            Some(Change::Author { member }) => Some(member),
            _ => None,
        };
        self.member.append_option(amended.or_else(|| author.and_then(|a| a.member.as_ref())));
        append_id(&mut self.author_contact, author.and_then(|a| a.contact).map(|c| c.0))?;
        self.author_name.append_option(author.and_then(|a| a.name.as_ref()));
        Ok(())
    }

    fn append_content<T: AsRef<str> + Serialize>(
        &mut self,
        event: &Event<T>,
        folded_order: Option<i64>,
    ) -> Result<(), ArrowError> {
        let message = event.message.as_ref();
        match event.amends.as_ref().map(|a| &a.change) {
            Some(Change::Edit { text, order }) => {
                self.text.append_option(text.as_ref());
                self.edit_order.append_value(*order);
            }
            _ => {
                self.text.append_option(message.and_then(|m| m.text.as_ref()));
                self.edit_order.append_option(folded_order);
            }
        }
        match message.map(|m| &m.attachments) {
            Some(list) if !list.is_empty() => {
                let json = serde_json::to_string(list).map_err(|e| ArrowError::ExternalError(Box::new(e)))?;
                self.attachments.append_value(json);
            }
            _ => self.attachments.append_null(),
        }
        Ok(())
    }

    /// The batch; the builder is empty afterwards.
    ///
    /// # Errors
    /// When the columns do not fit the schema, which no use of this type causes.
    pub fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.event_id.finish()),
            Arc::new(self.conversation.finish()),
            Arc::new(self.connection.finish()),
            Arc::new(self.platform.finish()),
            Arc::new(self.source.finish()),
            Arc::new(self.kind.finish()),
            Arc::new(self.event_at.finish()),
            Arc::new(self.received_at.finish()),
            Arc::new(self.claimed_at.finish()),
            Arc::new(self.seq.finish()),
            Arc::new(self.log_offset.finish()),
            Arc::new(self.contact.finish()),
            Arc::new(self.contact_name.finish()),
            Arc::new(self.author_kind.finish()),
            Arc::new(self.member.finish()),
            Arc::new(self.author_contact.finish()),
            Arc::new(self.author_name.finish()),
            Arc::new(self.platform_message_id.finish()),
            Arc::new(self.message_type.finish()),
            Arc::new(self.text.finish()),
            Arc::new(self.attachments.finish()),
            Arc::new(self.reply_to.finish()),
            Arc::new(self.edited_at.finish()),
            Arc::new(self.edit_order.finish()),
            Arc::new(self.edited_by.finish()),
            Arc::new(self.unsent_at.finish()),
            Arc::new(self.amends.finish()),
            Arc::new(self.folded.finish()),
            Arc::new(self.details.finish()),
        ];
        RecordBatch::try_new(events_schema(), columns)
    }
}

fn append_id(builder: &mut FixedSizeBinaryBuilder, value: Option<[u8; 16]>) -> Result<(), ArrowError> {
    match value {
        Some(value) => builder.append_value(value),
        None => {
            builder.append_null();
            Ok(())
        }
    }
}

/// The rows of a batch of table `events`; the columns may stand in any order, all of them must be there.
///
/// # Errors
/// [`ColumnError`] for a missing column or a value outside its vocabulary.
pub fn read_events(batch: &RecordBatch) -> Result<Vec<EventRow>, ColumnError> {
    let columns = Columns::of(batch)?;
    (0..batch.num_rows()).map(|row| columns.row(row, true)).collect()
}

/// The rows of a batch that lie at or after an offset which `from` gives for their conversation, as far as folding needs
/// them: of the messages of one conversation that follow each other only the newest has its content, as only the newest
/// message's content is kept. Rows without a conversation are left out.
///
/// # Errors
/// See [`read_events`].
pub fn read_events_to_fold(
    batch: &RecordBatch,
    from: impl Fn(ConversationId) -> Offset,
) -> Result<Vec<EventRow>, ColumnError> {
    let columns = Columns::of(batch)?;
    let mut rows = Vec::with_capacity(batch.num_rows());
    let mut newest: Option<(ConversationId, OrderKey)> = None;
    // Files are sorted by conversation and time: from the end, the newest comes first.
    for row in (0..batch.num_rows()).rev() {
        let Some(conversation) = columns.conversation.get(row).map(ConversationId) else { continue };
        if columns.offset(row)? < from(conversation) {
            continue;
        }
        let newer = newest.filter(|(of, _)| *of == conversation).map(|(_, key)| key);
        let key = columns.order_key(row)?;
        let whole = newer.is_none_or(|newer| newer < key);
        let read = columns.row(row, whole)?;
        if whole && read.event.message.is_some() {
            newest = Some((conversation, key));
        }
        rows.push(read);
    }
    Ok(rows)
}

/// The columns of a batch.
struct Columns<'a> {
    event_id: Ids<'a>,
    conversation: Ids<'a>,
    connection: Ids<'a>,
    platform: Texts<'a>,
    source: Texts<'a>,
    kind: Texts<'a>,
    event_at: Instants<'a>,
    received_at: Instants<'a>,
    claimed_at: Instants<'a>,
    seq: Numbers<'a>,
    log_offset: Numbers<'a>,
    contact: Ids<'a>,
    contact_name: Texts<'a>,
    author_kind: Texts<'a>,
    member: Texts<'a>,
    author_contact: Ids<'a>,
    author_name: Texts<'a>,
    platform_id: Texts<'a>,
    message_type: Texts<'a>,
    text: Texts<'a>,
    attachments: Texts<'a>,
    reply_to: Ids<'a>,
    edited_at: Instants<'a>,
    edit_order: Numbers<'a>,
    edited_by: Ids<'a>,
    unsent_at: Instants<'a>,
    amends: Ids<'a>,
    folded: &'a BooleanArray,
    details: Texts<'a>,
}

impl<'a> Columns<'a> {
    fn of(batch: &'a RecordBatch) -> Result<Self, ColumnError> {
        let reader = Reader(batch);
        Ok(Self {
            event_id: reader.ids("event_id")?,
            conversation: reader.ids("conversation")?,
            connection: reader.ids("connection")?,
            platform: reader.texts("platform")?,
            source: reader.texts("source")?,
            kind: reader.texts("kind")?,
            event_at: reader.instants("event_at")?,
            received_at: reader.instants("received_at")?,
            claimed_at: reader.instants("claimed_at")?,
            seq: reader.numbers("seq")?,
            log_offset: reader.numbers("log_offset")?,
            contact: reader.ids("contact")?,
            contact_name: reader.texts("contact_name")?,
            author_kind: reader.texts("author_kind")?,
            member: reader.texts("member")?,
            author_contact: reader.ids("author_contact")?,
            author_name: reader.texts("author_name")?,
            platform_id: reader.texts("platform_message_id")?,
            message_type: reader.texts("type")?,
            text: reader.texts("text")?,
            attachments: reader.texts("attachments")?,
            reply_to: reader.ids("reply_to")?,
            edited_at: reader.instants("edited_at")?,
            edit_order: reader.numbers("edit_order")?,
            edited_by: reader.ids("edited_by")?,
            unsent_at: reader.instants("unsent_at")?,
            amends: reader.ids("amends")?,
            folded: reader.booleans("folded")?,
            details: reader.texts("details")?,
        })
    }

    fn offset(&self, row: usize) -> Result<Offset, ColumnError> {
        self.log_offset.get(row).map(Offset::from_i64).ok_or(ColumnError("log_offset"))
    }

    fn order_key(&self, row: usize) -> Result<OrderKey, ColumnError> {
        Ok(OrderKey {
            at: self.event_at.get(row).ok_or(ColumnError("event_at"))?,
            seq: self.seq.get(row).ok_or(ColumnError("seq"))?,
            id: EventId(self.event_id.must(row)?),
        })
    }

    /// A row; a message that is not `whole` comes without its content, all else is always whole.
    fn row(&self, row: usize, whole: bool) -> Result<EventRow, ColumnError> {
        let kind: Kind = self.kind.must_word(row)?;
        let change = match kind {
            Kind::Edit => {
                let order = self.edit_order.get(row).ok_or(ColumnError("edit_order"))?;
                Some(Change::Edit { text: self.text.owned(row), order })
            }
            Kind::Unsend => Some(Change::Unsend),
            Kind::AuthorAmendment => {
                Some(Change::Author { member: self.member.owned(row).ok_or(ColumnError("member"))? })
            }
            _ => None,
        };
        let message = match self.message_type.word(row)? {
            Some(kind) if whole => Some(Message {
                platform_id: self.platform_id.owned(row).ok_or(ColumnError("platform_message_id"))?,
                kind,
                text: self.text.owned(row),
                attachments: read_attachments(self.attachments.get(row))?,
                reply_to: self.reply_to.get(row).map(EventId),
            }),
            Some(kind) => {
                Some(Message { platform_id: String::new(), kind, text: None, attachments: Vec::new(), reply_to: None })
            }
            None => None,
        };
        let whole = whole || message.is_none();
        let is_amendment = change.is_some();
        let OrderKey { at: event_at, seq, id } = self.order_key(row)?;
        let member = if kind == Kind::AuthorAmendment || !whole { None } else { self.member.owned(row) };
        let event = Event {
            id,
            kind,
            source: self.source.must_word(row)?,
            connection: ConnectionId(self.connection.must(row)?),
            platform: self.platform.must_word(row)?,
            conversation: self.conversation.get(row).map(ConversationId),
            contact: self.contact.get(row).map(|id| Contact { id: ContactId(id), name: self.contact_name.owned(row) }),
            author: self.author_kind.word(row)?.map(|author_kind| Author {
                kind: author_kind,
                member,
                contact: self.author_contact.get(row).map(ContactId),
                name: if whole { self.author_name.owned(row) } else { None },
            }),
            event_at,
            claimed_at: self.claimed_at.get(row),
            received_at: self.received_at.get(row).ok_or(ColumnError("received_at"))?,
            seq,
            message,
            amends: match change {
                Some(change) => Some(Amends { message: EventId(self.amends.must(row)?), change }),
                None => None,
            },
            details: if whole { self.details.owned(row).ok_or(ColumnError("details"))? } else { String::new() },
        };
        Ok(EventRow {
            offset: self.offset(row)?,
            event,
            edited_at: self.edited_at.get(row),
            edit_order: if is_amendment { None } else { self.edit_order.get(row) },
            edited_by: self.edited_by.get(row).map(EventId),
            unsent_at: self.unsent_at.get(row),
            folded: self.folded.value(row),
        })
    }
}

fn read_attachments(json: Option<&str>) -> Result<Vec<Attachment>, ColumnError> {
    json.map_or(Ok(Vec::new()), |json| serde_json::from_str(json).map_err(|_| ColumnError("attachments")))
}
