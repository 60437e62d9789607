//! The events of `line.md` §3.1-3.6.
use super::messages;
use crate::platforms::{
    Context, Element, Unreadable,
    json::{Object, Wrong, canonical, instant, plain_map},
};
use schemas::{
    event::{Amends, Author, Change, Event},
    kind::{AuthorKind, Kind, Platform},
    time::Millis,
};
use serde_json::{Map, Value};

/// Event types that are no messages, with their kind and the field that speaks of them. That field goes to the details.
const OTHERS: &[(&str, Kind, &str)] = &[
    ("follow", Kind::Follow, "follow"),
    ("unfollow", Kind::Unfollow, "unfollow"),
    ("join", Kind::Join, "join"),
    ("leave", Kind::Leave, "leave"),
    ("memberJoined", Kind::MemberJoined, "joined"),
    ("memberLeft", Kind::MemberLeft, "left"),
    ("videoPlayComplete", Kind::VideoPlayComplete, "videoPlayComplete"),
    ("beacon", Kind::Beacon, "beacon"),
    ("accountLink", Kind::AccountLink, "link"),
    ("membership", Kind::Membership, "membership"),
    ("module", Kind::Module, "module"),
    ("activated", Kind::Module, "chatControl"),
    ("deactivated", Kind::Module, "chatControl"),
    ("botSuspended", Kind::BotSuspended, "botSuspended"),
    ("botResumed", Kind::BotResumed, "botResumed"),
    ("delivery", Kind::NotificationDelivery, "delivery"),
];

/// What every event has.
pub(super) struct Common {
    /// `webhookEventId`; older payloads have none, then what is the same in every copy.
    pub key: String,
    pub at: Option<Millis>,
    chat: Option<Chat>,
    /// Collects what else was said.
    pub details: Map<String, Value>,
}

/// Where it happened.
struct Chat {
    /// The user, group or room id. LINE's ids begin with U, C or R, so that they do not meet; an import that names them
    /// finds the same conversation.
    key: String,
    /// Who did it; in groups only where the person agreed.
    user: Option<String>,
    group: bool,
}

/// Reads one element of `events`.
pub(super) fn read(element: &Element<'_>, cx: &Context<'_>) -> Result<Event, Unreadable> {
    let mut fields = Object::parse(element.text)?;
    let id = fields.take_id("webhookEventId")?;
    let key = id.unwrap_or_else(|| canonical(&Value::Object(fields.0.clone())));
    let kind = fields.take_text("type")?.ok_or(Wrong)?;
    let mut common = Common {
        key,
        at: fields.take_int("timestamp")?.map(instant),
        chat: Chat::read(fields.take_object("source")?)?,
        details: Map::new(),
    };
    // Differs between copies, and a key to the chat: neither is a fact of the event.
    fields.take("deliveryContext");
    fields.take("replyToken");
    if let Some(mode) = fields.take_text("mode")?.filter(|mode| mode != "active") {
        common.details.insert("mode".into(), mode.into());
    }
    match kind.as_str() {
        "message" => messages::message(fields, common, cx),
        "postback" => messages::postback(fields, common, cx),
        "messageEdited" => edited(fields, common, cx),
        "unsend" => unsent(fields, common, cx),
        other => {
            let (_, kind, about) = OTHERS.iter().find(|(name, ..)| *name == other).ok_or(Unreadable::Unknown)?;
            if let Some(said) = fields.take_object(about)? {
                fields.0.insert((*about).into(), said.0.into());
            }
            if matches!(other, "activated" | "deactivated") {
                common.details.insert("change".into(), other.into());
            }
            Ok(common.finish(cx, *kind, fields))
        }
    }
}

fn edited(mut fields: Object, common: Common, cx: &Context<'_>) -> Result<Event, Unreadable> {
    let mut message = fields.take_object("message")?.ok_or(Wrong)?;
    let id = message.take_id("id")?.ok_or(Wrong)?;
    let text = message.take_text("text")?.ok_or(Wrong)?;
    message.take("type");
    fields.0.extend(message.0);
    // No edit counter: the newest instant wins (`line.md` §3.2).
    let order = common.at.unwrap_or(cx.received_at).0;
    let mut event = common.finish(cx, Kind::Edit, fields);
    let message = cx.ids.message(cx.connection, id.as_bytes());
    event.amends = Some(Amends { message, change: Change::Edit { text: Some(text), order } });
    Ok(event)
}

fn unsent(mut fields: Object, common: Common, cx: &Context<'_>) -> Result<Event, Unreadable> {
    let id = fields.take_object("unsend")?.ok_or(Wrong)?.take_id("messageId")?.ok_or(Wrong)?;
    let mut event = common.finish(cx, Kind::Unsend, fields);
    event.amends = Some(Amends { message: cx.ids.message(cx.connection, id.as_bytes()), change: Change::Unsend });
    Ok(event)
}

impl Chat {
    fn read(source: Option<Object>) -> Result<Option<Self>, Unreadable> {
        let Some(mut source) = source else { return Ok(None) };
        let user = source.take_id("userId")?;
        let (key, group) = match source.take_text("type")?.ok_or(Wrong)?.as_str() {
            "user" => (user.clone(), false),
            "group" => (source.take_id("groupId")?, true),
            "room" => (source.take_id("roomId")?, true),
            // An open list (`line.md` §9): a new place is kept as it is until it is known what it means.
            _ => return Err(Unreadable::Unknown),
        };
        Ok(Some(Self { key: key.ok_or(Wrong)?, user, group }))
    }
}

impl Common {
    /// Fails unless it is known in which chat it happened: a message without one would be in nobody's inbox.
    pub fn require_chat(&self) -> Result<(), Unreadable> {
        self.chat.as_ref().map(|_| ()).ok_or(Unreadable::Wrong)
    }

    /// The event, with all that is left as its details.
    pub fn finish(mut self, cx: &Context<'_>, kind: Kind, rest: Object) -> Event {
        let id = cx.ids.event(cx.connection, self.key.as_bytes());
        let mut event = cx.event(Platform::Line, id, kind, self.at);
        if let Some(chat) = &self.chat {
            cx.place(&mut event, &chat.key);
            let person = chat.user.as_ref().map(|user| cx.ids.contact(cx.connection, user.as_bytes()));
            // Who gets control of a chat is not the person's act; in groups the person need not be named.
            let by_person =
                matches!(kind, Kind::Message | Kind::Edit | Kind::Unsend) || (person.is_some() && kind != Kind::Module);
            event.author =
                by_person.then_some(Author { kind: AuthorKind::Customer, member: None, contact: person, name: None });
            // The platform's own ids, without which nothing can be sent to the chat.
            self.details.insert("platform_contact".into(), chat.key.clone().into());
            if let Some(user) = chat.user.as_ref().filter(|_| chat.group) {
                self.details.insert("platform_author".into(), user.clone().into());
            }
        }
        let mut details = plain_map(rest.0);
        details.append(&mut self.details);
        event.details = Value::Object(details).to_string();
        event
    }
}
