//! The elements of `messaging`, `standby` and `changes` (`facebook.md` §3.1-3.11).
use super::{AppIds, messages};
use crate::platforms::{
    Context, Element, Place, Unreadable,
    json::{Object, Wrong, canonical, instant, integer, plain_map},
};
use schemas::{
    event::{Amends, Author, Change, Event},
    ids::EventId,
    kind::{AuthorKind, Kind, Platform},
    time::Millis,
};
use serde_json::{Map, Value};

/// What an element is, in the order of the decision table (`facebook.md` §3.0); `true` where the person did it.
const KINDS: &[(&str, Kind, bool)] = &[
    ("message", Kind::Message, true),
    ("message_edit", Kind::Edit, true),
    ("postback", Kind::Message, true),
    ("reaction", Kind::Reaction, true),
    ("delivery", Kind::Delivery, true),
    ("read", Kind::Read, true),
    ("referral", Kind::Referral, true),
    ("optin", Kind::OptIn, true),
    ("account_linking", Kind::AccountLink, true),
    ("order", Kind::Cart, true),
    ("response_feedback", Kind::ResponseFeedback, true),
    ("pass_thread_control", Kind::Handover, false),
    ("take_thread_control", Kind::Handover, false),
    ("request_thread_control", Kind::Handover, false),
    ("app_roles", Kind::Handover, false),
    ("policy_enforcement", Kind::PolicyEnforcement, false),
];

/// What every element has.
pub(super) struct Common {
    /// The contact's key: the PSID, or a reference that stands for it.
    pub person: Option<String>,
    /// True when the Page is the sender.
    pub from_page: bool,
    pub at: Option<Millis>,
    /// The element's own time.
    claimed: Option<Millis>,
    /// Collects what else was said.
    pub details: Map<String, Value>,
}

/// Milliseconds, or seconds where the number is small; number or numeric string (`facebook.md` §0.6).
pub(super) fn facebook_time(value: &Value) -> Option<Millis> {
    let number = integer(value)?;
    Some(instant(if number < 100_000_000_000 { number.saturating_mul(1000) } else { number }))
}

/// Reads one element.
pub(super) fn read(apps: &AppIds, element: &Element<'_>, cx: &Context<'_>) -> Result<Event, Unreadable> {
    let mut fields = Object::parse(element.text)?;
    if element.place == Place::Change {
        return change(fields, element, cx);
    }
    let mut common = Common::read(&mut fields, cx)?;
    if element.place == Place::Standby {
        common.details.insert("mode".into(), "standby".into());
    }
    let present = |key: &str| fields.0.get(key).is_some_and(|value| !value.is_null());
    let (name, kind, by_person) = KINDS.iter().find(|(name, ..)| present(name)).ok_or(Unreadable::Unknown)?;
    let about = fields.take_object(name)?.ok_or(Wrong)?;
    let rest = plain_map(fields.0);
    common.details.extend(rest);
    match *name {
        "message" => messages::message(about, common, apps, cx),
        "postback" => messages::postback(about, common, cx),
        "message_edit" => edited(about, common, cx),
        "reaction" => reaction(about, common, cx),
        "delivery" | "read" => receipt(about, common, cx, *kind),
        _ => {
            let key = common.key(name, &canonical(&Value::Object(about.0.clone())));
            let name = if *kind == Kind::Cart { "cart" } else { name };
            common.details.insert(name.into(), Value::Object(plain_map(about.0)));
            Ok(common.finish(
                cx,
                cx.ids.event(cx.connection, key.as_bytes()),
                *kind,
                by_person.then_some(AuthorKind::Customer),
            ))
        }
    }
}

fn edited(mut edit: Object, mut common: Common, cx: &Context<'_>) -> Result<Event, Unreadable> {
    let mid = edit.take_id("mid")?.ok_or(Wrong)?;
    let order = edit.take_int("num_edit")?.ok_or(Wrong)?;
    // An edit that does not say the new text must not take the old one away.
    let text = Some(edit.take_text("text")?.ok_or(Wrong)?);
    common.details.extend(plain_map(edit.0));
    let id = cx.ids.event(cx.connection, format!("edit|{mid}|{order}").as_bytes());
    let mut event = common.finish(cx, id, Kind::Edit, Some(AuthorKind::Customer));
    let message = cx.ids.message(cx.connection, mid.as_bytes());
    event.amends = Some(Amends { message, change: Change::Edit { text, order } });
    Ok(event)
}

fn reaction(mut reaction: Object, mut common: Common, cx: &Context<'_>) -> Result<Event, Unreadable> {
    let mid = reaction.take_id("mid")?.ok_or(Wrong)?;
    let action = reaction.take_text("action")?.ok_or(Wrong)?;
    let at = common.at.map_or(0, |at| at.0);
    let key = format!("reaction|{}|{mid}|{at}|{action}", common.person.as_deref().unwrap_or_default());
    let message: EventId = cx.ids.message(cx.connection, mid.as_bytes());
    let said = [("mid", mid), ("action", action), ("message", message.to_string())];
    common.details.extend(said.map(|(name, value)| (name.to_owned(), Value::from(value))));
    common.details.extend(plain_map(reaction.0));
    Ok(common.finish(cx, cx.ids.event(cx.connection, key.as_bytes()), Kind::Reaction, Some(AuthorKind::Customer)))
}

fn receipt(mut receipt: Object, mut common: Common, cx: &Context<'_>, kind: Kind) -> Result<Event, Unreadable> {
    let said = canonical(&Value::Object(receipt.0.clone()));
    let watermark = receipt.take("watermark").map(|w| facebook_time(&w).ok_or(Wrong)).transpose()?;
    let person = common.person.as_deref().unwrap_or_default();
    let key = match watermark {
        Some(watermark) => format!("{kind}|{person}|{}", watermark.0),
        None => format!("{kind}|{person}|{said}"),
    };
    if let Some(watermark) = watermark {
        // The documented delivery has no time of its own (§3.4). The watermark is the same in every copy, as the id is;
        // the time of sending need not be.
        common.claimed = common.claimed.or(Some(watermark));
        common.at = common.claimed;
        common.details.insert("watermark".into(), watermark.to_string().into());
    }
    common.details.extend(plain_map(receipt.0));
    Ok(common.finish(cx, cx.ids.event(cx.connection, key.as_bytes()), kind, Some(AuthorKind::Customer)))
}

/// Labels are the one change that is subscribed (`facebook.md` §2, §3.11).
fn change(mut fields: Object, element: &Element<'_>, cx: &Context<'_>) -> Result<Event, Unreadable> {
    if fields.take_text("field")?.ok_or(Wrong)? != "inbox_labels" {
        return Err(Unreadable::Unknown);
    }
    let mut value = fields.take_object("value")?.ok_or(Wrong)?;
    let person = value.take_object("user")?.ok_or(Wrong)?.take_id("id")?.ok_or(Wrong)?;
    let details = plain_map(value.0.clone());
    let common = Common { person: Some(person), from_page: true, at: element.sent_at, claimed: None, details };
    let key = common.key("inbox_labels", &canonical(&Value::Object(value.0)));
    Ok(common.finish(cx, cx.ids.event(cx.connection, key.as_bytes()), Kind::InboxLabel, None))
}

impl Common {
    fn read(fields: &mut Object, cx: &Context<'_>) -> Result<Self, Unreadable> {
        let mut details = Map::new();
        let mut sender = fields.take_object("sender")?.unwrap_or_default();
        let mut recipient = fields.take_object("recipient")?.unwrap_or_default();
        let (from, to) = (sender.take_id("id")?, recipient.take_id("id")?);
        let page = cx.account;
        let from_page = from.is_some() && from.as_deref() == page;
        // Old copies of the documentation had echoes reversed: the person is whichever is not the Page (§3.3).
        let mut person = [&from, &to].into_iter().flatten().find(|id| Some(id.as_str()) != page).cloned();
        if let (Some(from), Some(to)) = (&from, &to)
            && ![from, to].iter().any(|id| Some(id.as_str()) == page)
        {
            let is_echo = fields.0.get("message").and_then(|m| m.get("is_echo")) == Some(&Value::Bool(true));
            person = Some(if is_echo { to.clone() } else { from.clone() });
        }
        if person.is_none()
            && let Some(reference) = sender.take_id("user_ref")?
        {
            // Nobody knows the PSID yet (§3.2); the reference names the person for this once.
            details.insert("user_ref".into(), reference.clone().into());
            person = Some(format!("user_ref:{reference}"));
        }
        let claimed = fields.take("timestamp").map(|at| facebook_time(&at).ok_or(Wrong)).transpose()?;
        // The time of sending is another one in each delivery, and is no time of the event (§2).
        Ok(Self { person, from_page, at: claimed, claimed, details })
    }

    /// The key of an event that has no id of its own.
    pub fn key(&self, name: &str, said: &str) -> String {
        let at = self.at.map_or(0, |at| at.0);
        format!("{name}|{}|{at}|{said}", self.person.as_deref().unwrap_or_default())
    }

    /// Fails unless a person is known: a message of nobody would be in nobody's inbox.
    pub fn require_person(&self) -> Result<&str, Unreadable> {
        self.person.as_deref().ok_or(Unreadable::Wrong)
    }

    /// The event.
    pub fn finish(mut self, cx: &Context<'_>, id: EventId, kind: Kind, author: Option<AuthorKind>) -> Event {
        let mut event = cx.event(Platform::Facebook, id, kind, self.at);
        if self.claimed.is_none() {
            // The time of sending is another one in each delivery.
            event.forget_claim();
        }
        let mut person = None;
        // A warning speaks of the Page, whoever it names (§3.11).
        if let Some(key) = self.person.filter(|_| kind != Kind::PolicyEnforcement) {
            cx.place(&mut event, &key);
            person = event.contact.as_ref().map(|contact| contact.id);
            // The platform's own id, without which nothing can be sent to the person.
            self.details.insert("platform_contact".into(), key.into());
        }
        event.author = author.filter(|_| event.conversation.is_some()).map(|kind| Author {
            kind,
            member: None,
            contact: person.filter(|_| kind == AuthorKind::Customer),
            name: None,
        });
        event.details = Value::Object(self.details).to_string();
        event
    }
}
