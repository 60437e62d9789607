//! The platforms. One is a folder and a line in [`connectors`], which also says where its posts come in ([`Entrance`]);
//! parsing is pure: bytes and a [`Context`] in, events out, no I/O.
//!
//! # Details
//!
//! What an event said besides the fields of [`Event`] is in its `details`, under the platform's own names in snake
//! case: for a message the rest of the message object (`duration`, `file_name`, `image_set`, `mention`, `emojis`,
//! `sticker_id`, `latitude`, `quick_reply`, `referral`, `metadata`, …), for any other event the object that speaks of it
//! (`follow`, `beacon`, `postback`, `optin`, `pass_thread_control`, …). Names of ours: `platform_contact` and
//! `platform_author` (the ids that the platform knows the chat and, in groups, the writer by), `mode` where it is
//! `standby`, `platform_type` (the word for a type that is not known), `app_id`, `user_ref`, `attachments` (what they say
//! besides the URL, with their `index`), `watermark` (a time), `message` (the id of the message that a reaction means),
//! `change` (`activated`, `deactivated`) and `cart`. What opens something (reply, quote and read tokens, opt-in tokens,
//! authorization codes, nonces) is never kept.
mod body;
pub mod facebook;
mod json;
pub mod line;
pub mod signature;

pub use body::Body;
pub use json::ID_MAX;

use keys::Pseudonyms;
use schemas::{
    event::{Contact, Event, Raw},
    ids::{ConnectionId, ContactId, ConversationId, EventId},
    kind::{DeadLetterReason, IgnoredReason, Kind, Platform, Source},
    time::Millis,
};
use signature::Signature;
use std::sync::Arc;

/// Most elements of one post. The smallest real element has over a hundred bytes, so that a body of 1 MiB cannot hold
/// as many; what does is made to be multiplied, and is kept as one dead letter.
pub const ELEMENTS_MAX: usize = 10_000;

/// Makes ids out of a platform's keys (`security.md` §8).
pub trait Ids: Send + Sync {
    /// The id of an event that is no message.
    fn event(&self, connection: ConnectionId, key: &[u8]) -> EventId;
    /// The id of a message, and of the event that brings it.
    fn message(&self, connection: ConnectionId, key: &[u8]) -> EventId;
    /// The id of a contact.
    fn contact(&self, connection: ConnectionId, key: &[u8]) -> ContactId;
    /// The id of a conversation.
    fn conversation(&self, connection: ConnectionId, key: &[u8]) -> ConversationId;
}

impl Ids for Pseudonyms {
    fn event(&self, connection: ConnectionId, key: &[u8]) -> EventId {
        Self::event(self, connection, key)
    }
    fn message(&self, connection: ConnectionId, key: &[u8]) -> EventId {
        Self::message(self, connection, key)
    }
    fn contact(&self, connection: ConnectionId, key: &[u8]) -> ContactId {
        Self::contact(self, connection, key)
    }
    fn conversation(&self, connection: ConnectionId, key: &[u8]) -> ConversationId {
        Self::conversation(self, connection, key)
    }
}

/// Where a platform's posts come in, and whose secret signs them.
#[derive(Debug, Clone, Copy)]
pub enum Entrance {
    /// `POST /webhooks/<platform>/{connection}`: each connection signs with its own secret.
    Connection {
        /// The vault's word for that secret.
        secret: &'static str,
    },
    /// `POST /webhooks/<platform>`: one app signs for all accounts, and each part of a post names its own.
    App {
        /// Answers the GET by which the platform makes sure of the path, where it does so.
        handshake: Option<Handshake>,
    },
}

/// The answer's text, or `None` for 403, from the decoded pairs of the query and the app's verify tokens.
pub type Handshake = for<'q> fn(&'q [(String, String)], &[&str]) -> Option<&'q str>;

impl Entrance {
    /// The path of the posts of a connection.
    pub fn path(self, platform: Platform, connection: ConnectionId) -> String {
        match self {
            Self::Connection { .. } => format!("/webhooks/{platform}/{connection}"),
            Self::App { .. } => self.route(platform),
        }
    }

    /// The same as a route.
    pub(crate) fn route(self, platform: Platform) -> String {
        match self {
            Self::Connection { .. } => format!("/webhooks/{platform}/{{connection}}"),
            Self::App { .. } => format!("/webhooks/{platform}"),
        }
    }
}

/// Where a platform's posts come in; `None` for one without webhooks.
pub fn entrance(platform: Platform) -> Option<Entrance> {
    let of_all = connectors(facebook::AppIds::default());
    of_all.iter().find(|connector| connector.platform() == platform).map(|connector| connector.entrance())
}

/// What a platform is to ingest.
pub trait Connector: Send + Sync + 'static {
    /// Which one.
    fn platform(&self) -> Platform;

    /// Where its posts come in.
    fn entrance(&self) -> Entrance;

    /// The header that carries the signature, in lower case.
    fn signature_header(&self) -> &'static str;

    /// Decodes that header; `None` when it does not have the platform's form.
    fn decode_signature(&self, value: &[u8]) -> Option<Signature>;

    /// Takes a signed body apart, as far as its envelope goes.
    ///
    /// # Errors
    /// The envelope does not read: the whole body is a dead letter.
    fn split<'b>(&self, body: &'b Body<'_>) -> Result<Vec<Part<'b>>, DeadLetterReason>;

    /// Takes apart what lies in `dead_letters`: a body, or an element without its envelope.
    ///
    /// # Errors
    /// As [`Self::split`].
    fn split_dead_letter<'b>(&self, body: &'b Body<'_>) -> Result<Vec<Part<'b>>, DeadLetterReason>;

    /// Reads one element; it gives exactly one [`Parsed`].
    fn read(&self, element: &Element<'_>, context: &Context<'_>) -> Parsed;

    /// What identifies unreadable bytes: the same for all copies of them.
    fn raw_key(&self, bytes: &[u8]) -> Vec<u8>;
}

/// Every platform that webhooks come from.
pub fn connectors(apps: facebook::AppIds) -> Vec<Arc<dyn Connector>> {
    vec![Arc::new(line::Line), Arc::new(facebook::Facebook::new(apps))]
}

/// What a post says about one account.
#[derive(Debug, Clone)]
pub struct Part<'b> {
    /// The account that it is about: LINE's destination, Facebook's page; `None` when it does not say, as in a dead
    /// letter that is a single element.
    pub account: Option<String>,
    /// Its elements.
    pub elements: Vec<Element<'b>>,
}

/// Where an element stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// LINE's `events`, Facebook's `messaging`.
    Main,
    /// Facebook's `standby`: another app owns the thread.
    Standby,
    /// Facebook's `changes`.
    Change,
    /// The platform's own test post.
    Test,
    /// Where nothing is known of: kept as it is.
    Unknown,
    /// Where something else was expected: kept as it is.
    Misshapen,
}

/// One element of a post.
#[derive(Debug, Clone)]
pub struct Element<'b> {
    /// Where it stood.
    pub place: Place,
    /// Its text, with mended escapes.
    pub text: &'b str,
    /// Its bytes as received.
    pub bytes: &'b [u8],
    /// When the platform sent it, where the envelope says so.
    pub sent_at: Option<Millis>,
}

/// Whose element is read, and when it came.
pub struct Context<'a> {
    /// Makes ids.
    pub ids: &'a dyn Ids,
    /// Of which connection.
    pub connection: ConnectionId,
    /// That connection's account at the platform.
    pub account: Option<&'a str>,
    /// When it was received.
    pub received_at: Millis,
}

/// What became of an element.
#[derive(Debug, Clone, PartialEq)]
pub enum Parsed {
    /// It reads.
    Event(Box<Event>),
    /// It does not, and is kept as it is.
    Raw(Raw),
    /// It is only counted.
    Ignored(IgnoredReason),
}

/// Why an element does not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unreadable {
    Wrong,
    Unknown,
}

impl From<json::Wrong> for Unreadable {
    fn from(_: json::Wrong) -> Self {
        Self::Wrong
    }
}

impl Context<'_> {
    /// An event with nothing in it yet but whose it is and when it happened.
    fn event(&self, platform: Platform, id: EventId, kind: Kind, at: Option<Millis>) -> Event {
        let mut event = Event {
            id,
            kind,
            source: Source::Webhooks,
            connection: self.connection,
            platform,
            conversation: None,
            contact: None,
            author: None,
            event_at: self.received_at,
            claimed_at: None,
            received_at: self.received_at,
            seq: 0,
            message: None,
            amends: None,
            details: "{}".into(),
        };
        match at {
            Some(at) => event.set_claimed_time(at),
            None => event.forget_claim(),
        }
        event
    }

    /// Puts an event into the conversation with the contact of that key.
    fn place(&self, event: &mut Event, key: &str) {
        event.conversation = Some(self.ids.conversation(self.connection, key.as_bytes()));
        event.contact = Some(Contact { id: self.ids.contact(self.connection, key.as_bytes()), name: None });
    }
}

/// A dead letter of bytes. Its id stands apart from the ids of events, so that the replay of a dead letter is no copy
/// of the dead letter.
pub fn dead_letter(
    connector: &dyn Connector,
    ids: &dyn Ids,
    connection: Option<ConnectionId>,
    received_at: Millis,
    reason: DeadLetterReason,
    bytes: &[u8],
) -> Raw {
    let key = [b"raw|", connector.raw_key(bytes).as_slice()].concat();
    let id = ids.event(connection.unwrap_or(ConnectionId::NONE), &key);
    Raw { id, connection, platform: connector.platform(), received_at, reason, bytes: bytes.to_vec() }
}

/// Reads an element, or keeps it as it is.
fn read_or_keep(
    connector: &dyn Connector,
    element: &Element<'_>,
    context: &Context<'_>,
    read: impl FnOnce() -> Result<Event, Unreadable>,
) -> Parsed {
    let reason = match element.place {
        Place::Test => return Parsed::Ignored(IgnoredReason::TestPost),
        Place::Unknown => DeadLetterReason::UnknownEvent,
        Place::Misshapen => DeadLetterReason::WrongSchema,
        Place::Main | Place::Standby | Place::Change => match read() {
            Ok(event) => return Parsed::Event(Box::new(event)),
            Err(Unreadable::Unknown) => DeadLetterReason::UnknownEvent,
            Err(Unreadable::Wrong) => DeadLetterReason::WrongSchema,
        },
    };
    let connection = Some(context.connection).filter(|c| *c != ConnectionId::NONE);
    Parsed::Raw(dead_letter(connector, context.ids, connection, context.received_at, reason, element.bytes))
}
