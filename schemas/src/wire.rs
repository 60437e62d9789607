//! The plaintext of a record: postcard, by schema id. A new shape gets a new schema id; old ones read for ever.
use crate::{
    event::{Event, Ignored, Raw},
    record::SchemaId,
};
use serde::Deserialize;

/// What a record holds. The texts of an event are its own, or with `Payload<&str>` lie in the plaintext.
#[allow(clippy::large_enum_variant, reason = "nearly all are events; a box would cost an allocation each")]
#[derive(Clone, PartialEq, Debug)]
pub enum Payload<T = String> {
    /// An event.
    Event(Event<T>),
    /// Something unreadable.
    Raw(Raw),
    /// Only a count.
    Ignored(Ignored),
}

/// A plaintext that does not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Written by a newer version. Stop and upgrade.
    #[error("the record has schema {0}, which this version does not know")]
    UnknownSchema(u32),
    /// Not what its schema says. Authenticated, so a bug.
    #[error("the record does not read as its schema")]
    Malformed,
}

impl Payload {
    /// Its schema.
    pub fn schema(&self) -> SchemaId {
        match self {
            Self::Event(_) => SchemaId::EventV1,
            Self::Raw(_) => SchemaId::RawV1,
            Self::Ignored(_) => SchemaId::IgnoredV1,
        }
    }

    /// The plaintext.
    ///
    /// # Errors
    /// [`WireError::Malformed`], which no value of ours causes.
    pub fn encode(&self) -> Result<Vec<u8>, WireError> {
        match self {
            Self::Event(event) => postcard::to_stdvec(event),
            Self::Raw(raw) => postcard::to_stdvec(raw),
            Self::Ignored(ignored) => postcard::to_stdvec(ignored),
        }
        .map_err(|_| WireError::Malformed)
    }
}

impl<'a, T: Deserialize<'a>> Payload<T> {
    /// Reads a plaintext of the given schema.
    ///
    /// # Errors
    /// See [`WireError`].
    pub fn decode(schema: u32, bytes: &'a [u8]) -> Result<Self, WireError> {
        match SchemaId::from_u32(schema).ok_or(WireError::UnknownSchema(schema))? {
            SchemaId::EventV1 => postcard::from_bytes(bytes).map(Self::Event),
            SchemaId::RawV1 => postcard::from_bytes(bytes).map(Self::Raw),
            SchemaId::IgnoredV1 => postcard::from_bytes(bytes).map(Self::Ignored),
        }
        .map_err(|_| WireError::Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        columns::{EventColumns, EventRow},
        event::{Amends, Attachment, Author, Change, Contact, Message},
        ids::{ConnectionId, ContactId, ConversationId, EventId},
        kind::{AuthorKind, Kind, MessageType, Platform, Source},
        log::Offset,
        time::Millis,
    };

    fn events() -> Vec<Event> {
        let attachment = |url: Option<&str>| Attachment {
            kind: MessageType::Image,
            url: url.map(Into::into),
            media: Some("m".into()),
        };
        let message = Message {
            platform_id: "m_1".into(),
            kind: MessageType::Image,
            text: Some("ค่าส่งเท่าไหร่คะ".into()),
            attachments: vec![attachment(Some("https://example.com/1")), attachment(None)],
            reply_to: Some(EventId([8; 16])),
        };
        let whole = Event {
            id: EventId([1; 16]),
            kind: Kind::Message,
            source: Source::Webhooks,
            connection: ConnectionId([2; 16]),
            platform: Platform::Line,
            conversation: Some(ConversationId([3; 16])),
            contact: Some(Contact { id: ContactId([4; 16]), name: Some("Ann".into()) }),
            author: Some(Author {
                kind: AuthorKind::Agent,
                member: Some("bob".into()),
                contact: Some(ContactId([5; 16])),
                name: Some("Bob".into()),
            }),
            event_at: Millis(-5),
            claimed_at: Some(Millis(i64::MAX)),
            received_at: Millis(7),
            seq: -1,
            message: Some(message),
            amends: None,
            details: r#"{"a":"ü"}"#.into(),
        };
        let bare =
            Event { conversation: None, contact: None, author: None, claimed_at: None, message: None, ..whole.clone() };
        let amends =
            |kind, change| Event { kind, amends: Some(Amends { message: EventId([9; 16]), change }), ..bare.clone() };
        let edit = amends(Kind::Edit, Change::Edit { text: Some("new".into()), order: 3 });
        let author = amends(Kind::AuthorAmendment, Change::Author { member: "eve".into() });
        vec![whole, edit, author, amends(Kind::Unsend, Change::Unsend), bare]
    }

    #[test]
    fn an_event_makes_the_same_columns_whether_its_texts_are_its_own_or_lie_in_the_plaintext() {
        let (mut own, mut lent) = (EventColumns::with_capacity(8), EventColumns::with_capacity(8));
        for (n, event) in events().into_iter().enumerate() {
            let offset = Offset(n as u64);
            let plaintext = Payload::Event(event.clone()).encode().expect("encoded");
            let schema = SchemaId::EventV1 as u32;
            assert_eq!(Payload::decode(schema, &plaintext), Ok(Payload::Event(event.clone())));
            let Ok(Payload::Event(read)) = Payload::<&str>::decode(schema, &plaintext) else { panic!("no event") };
            lent.push(&EventRow::new(offset, read)).expect("pushed");
            own.push(&EventRow::new(offset, event)).expect("pushed");
        }
        assert_eq!(own.finish().expect("columns"), lent.finish().expect("columns"));
    }

    #[test]
    fn what_is_cut_off_or_of_another_schema_is_refused() {
        for event in events() {
            let plaintext = Payload::Event(event).encode().expect("encoded");
            for end in 0..plaintext.len() {
                let read = Payload::<&str>::decode(SchemaId::EventV1 as u32, &plaintext[..end]);
                assert_eq!(read, Err(WireError::Malformed), "{end}");
            }
            assert_eq!(Payload::<&str>::decode(99, &plaintext), Err(WireError::UnknownSchema(99)));
        }
    }
}
