//! One line of import.
use super::{BadLine, fields::Fields};
use crate::platforms::{Body, Ids};
use schemas::{
    event::{Amends, Attachment, Author, Change, Contact, Event, Message},
    ids::ConnectionId,
    kind::{AuthorKind, Kind, MessageType, Platform, Source},
    time::Millis,
};
use serde_json::{Map, Value};

/// How a line names its connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ConnectionRef {
    /// One that exists.
    Id(ConnectionId),
    /// One of kind `import`, made at first sight.
    Named(Platform, String),
}

/// A line that reads. Ids are still the source's own.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportLine {
    /// Which connection.
    pub connection: ConnectionRef,
    id: String,
    kind: Kind,
    conversation: Option<String>,
    contact: Option<(String, Option<String>)>,
    author: Option<(AuthorKind, Option<String>, Option<String>)>,
    event_at: Millis,
    seq: i64,
    message: Option<LineMessage>,
    /// For edits, unsends, reactions and states: the message that is meant.
    target: Option<String>,
    text: Option<String>,
    details: Map<String, Value>,
}

#[derive(Debug, Clone, PartialEq)]
struct LineMessage {
    kind: MessageType,
    text: Option<String>,
    attachments: Vec<Attachment>,
    reply_to: Option<String>,
}

impl ImportLine {
    /// Reads a line. Unknown fields are refused: what is not understood would be lost in silence.
    ///
    /// # Errors
    /// See [`BadLine`].
    pub fn parse(line: &str) -> Result<Self, BadLine> {
        let body = Body::open(line.as_bytes()).map_err(|_| BadLine::NotJson)?;
        let value = body.value().ok().and_then(|value| serde_json::from_str(value.get()).ok());
        let Some(Value::Object(map)) = value else { return Err(BadLine::NotJson) };
        let mut fields = Fields(map);
        let word = fields.need("kind")?;
        let kind: Kind = word.parse().ok().filter(|kind: &Kind| kind.is_importable()).ok_or(BadLine::Kind)?;
        let connection = connection(&mut fields)?;
        let conversation = fields.name("conversation")?;
        // Presence is the agent's, not a conversation's; everything else happens in one.
        if conversation.is_none() && kind != Kind::Presence {
            return Err(BadLine::Missing("conversation"));
        }
        let line = Self {
            connection,
            id: fields.need("id")?,
            kind,
            conversation,
            contact: contact(&mut fields)?,
            author: author(&mut fields, kind)?,
            event_at: fields.time("event_at")?.ok_or(BadLine::Missing("event_at"))?,
            seq: fields.integer("seq")?.unwrap_or(0),
            message: if kind == Kind::Message { Some(message(&mut fields)?) } else { None },
            target: match kind {
                Kind::Edit | Kind::Unsend | Kind::Reaction | Kind::MessageStatus => Some(fields.need("message")?),
                _ => None,
            },
            text: if kind == Kind::Edit { fields.text("text")? } else { None },
            details: fields.details(kind)?,
        };
        fields.finish(&word)?;
        Ok(line)
    }

    /// The event that the line tells of, with the ids that a webhook of the same connection gives to the same things.
    pub fn to_event(&self, connection: ConnectionId, platform: Platform, ids: &dyn Ids, now: Millis) -> Event {
        let message_id = |key: &str| ids.message(connection, key.as_bytes());
        let contact = self
            .contact
            .as_ref()
            .map(|(id, name)| Contact { id: ids.contact(connection, id.as_bytes()), name: name.clone() });
        let mut details = self.details.clone();
        if let Some(target) = &self.target {
            details.insert("message".into(), message_id(target).to_string().into());
        }
        let amends = self.target.as_deref().and_then(|target| {
            let change = match self.kind {
                Kind::Edit => Change::Edit { text: self.text.clone(), order: self.event_at.0 },
                Kind::Unsend => Change::Unsend,
                _ => return None,
            };
            Some(Amends { message: message_id(target), change })
        });
        let mut event = Event {
            id: if self.kind == Kind::Message {
                message_id(&self.id)
            } else {
                ids.event(connection, self.id.as_bytes())
            },
            kind: self.kind,
            source: Source::Import,
            connection,
            platform,
            conversation: self.conversation.as_ref().map(|key| ids.conversation(connection, key.as_bytes())),
            author: self.author.as_ref().map(|(kind, member, name)| Author {
                kind: *kind,
                member: member.clone(),
                contact: contact.as_ref().map(|contact| contact.id).filter(|_| *kind == AuthorKind::Customer),
                name: name.clone(),
            }),
            contact,
            event_at: now,
            claimed_at: None,
            received_at: now,
            seq: self.seq,
            message: self.message.as_ref().map(|message| Message {
                platform_id: self.id.clone(),
                kind: message.kind,
                text: message.text.clone(),
                attachments: message.attachments.clone(),
                reply_to: message.reply_to.as_deref().map(message_id),
            }),
            amends,
            details: Value::Object(details).to_string(),
        };
        event.set_claimed_time(self.event_at);
        event
    }
}

fn connection(fields: &mut Fields) -> Result<ConnectionRef, BadLine> {
    const FORM: BadLine = BadLine::Wrong("connection", "an id or {\"platform\", \"name\"}");
    match fields.take("connection").ok_or(BadLine::Missing("connection"))? {
        Value::String(id) => id.parse().map(ConnectionRef::Id).map_err(|_| FORM),
        Value::Object(map) => {
            let mut named = Fields(map);
            let platform = named.need("platform")?.parse();
            let platform = platform.map_err(|_| BadLine::Wrong("connection.platform", "a known platform"))?;
            let reference = ConnectionRef::Named(platform, named.need("name")?);
            named.finish("connection")?;
            Ok(reference)
        }
        _ => Err(FORM),
    }
}

fn contact(fields: &mut Fields) -> Result<Option<(String, Option<String>)>, BadLine> {
    let Some(mut contact) = fields.object("contact")? else { return Ok(None) };
    let id = contact.name("id")?.ok_or(BadLine::Missing("contact.id"))?;
    let name = contact.text("name")?;
    contact.finish("contact")?;
    Ok(Some((id, name)))
}

type LineAuthor = (AuthorKind, Option<String>, Option<String>);

fn author(fields: &mut Fields, kind: Kind) -> Result<Option<LineAuthor>, BadLine> {
    let Some(mut author) = fields.object("author")? else {
        // Who wrote a message is the only thing that the metrics look at (`metrics.md` §1).
        return if kind == Kind::Message { Err(BadLine::Missing("author")) } else { Ok(None) };
    };
    let word = author.name("kind")?.ok_or(BadLine::Missing("author.kind"))?;
    let author_kind = word.parse().map_err(|_| BadLine::Wrong("author.kind", "a known author kind"))?;
    let found = (author_kind, author.name("member")?, author.text("name")?);
    author.finish("author")?;
    Ok(Some(found))
}

fn message(fields: &mut Fields) -> Result<LineMessage, BadLine> {
    const LIST: BadLine = BadLine::Wrong("attachments", "a list of {\"type\", \"url\" or \"media\"}");
    let message_type = |fields: &mut Fields| -> Result<Option<MessageType>, BadLine> {
        let word = fields.name("type")?;
        word.map(|w| w.parse().map_err(|_| BadLine::Wrong("type", "a known type of message"))).transpose()
    };
    let kind = message_type(fields)?;
    let text = fields.text("text")?;
    let mut attachments = Vec::new();
    match fields.take("attachments") {
        None => {}
        Some(Value::Array(values)) => {
            for value in values {
                let Value::Object(map) = value else { return Err(LIST) };
                let mut one = Fields(map);
                let kind = message_type(&mut one)?.ok_or(LIST)?;
                attachments.push(Attachment { kind, url: one.text("url")?, media: one.text("media")? });
                one.finish("attachment")?;
            }
        }
        Some(_) => return Err(LIST),
    }
    let kind = match (kind, &text, attachments.first()) {
        (Some(kind), ..) => kind,
        (None, Some(_), _) => MessageType::Text,
        (None, None, Some(first)) => first.kind,
        (None, None, None) => return Err(BadLine::Missing("text")),
    };
    Ok(LineMessage { kind, text, attachments, reply_to: fields.name("reply_to")? })
}
