//! `{"object": "page", "entry": [{"id", "time", "messaging" | "standby" | "changes": […]}]}` (`facebook.md` §3.0).
use super::{TEST_PAGE, events::facebook_time};
use crate::platforms::{
    Body, ELEMENTS_MAX, Element, Part, Place,
    body::{elements, is_null, members},
    json::Object,
};
use schemas::{kind::DeadLetterReason, time::Millis};
use serde_json::value::RawValue;
use std::collections::HashMap;

const LISTS: [(&str, Place); 3] = [("messaging", Place::Main), ("standby", Place::Standby), ("changes", Place::Change)];

/// Most entries of one post, which the platform itself keeps to (it batches up to 1,000 updates).
/// An entry costs a look-up even when it has no elements.
const ENTRIES_MAX: usize = 1_000;

/// Takes a post apart, one part per entry.
pub(super) fn split<'b>(body: &'b Body<'_>) -> Result<Vec<Part<'b>>, DeadLetterReason> {
    let wrong = DeadLetterReason::WrongSchema;
    let envelope = members(body.value()?).ok_or(wrong)?;
    // Instagram shares the URL (`facebook.md` §3.0); until it is connected its posts are kept as they are.
    if envelope.get("object").and_then(|o| serde_json::from_str::<String>(o.get()).ok()).as_deref() != Some("page") {
        return Err(wrong);
    }
    let entries = envelope.get("entry").and_then(|entry| elements(entry)).ok_or(wrong)?;
    if entries.len() > ENTRIES_MAX {
        return Err(wrong);
    }
    let parts: Vec<_> = entries.into_iter().map(|entry| part(body, entry)).collect();
    let count: usize = parts.iter().map(|part| part.elements.len()).sum();
    if count > ELEMENTS_MAX { Err(wrong) } else { Ok(parts) }
}

/// An entry or an element of one, as dead letters hold them.
pub(super) fn single<'b>(body: &'b Body<'_>) -> Result<Vec<Part<'b>>, DeadLetterReason> {
    let value = body.value()?;
    let fields = members(value).ok_or(DeadLetterReason::WrongSchema)?;
    if fields.contains_key("entry") {
        return Err(DeadLetterReason::WrongSchema);
    }
    if fields.contains_key("id") && LISTS.iter().any(|(name, _)| fields.contains_key(*name)) {
        return Ok(vec![part(body, value)]);
    }
    let place = if fields.contains_key("field") { change_place(value, None) } else { Place::Main };
    Ok(vec![Part { account: None, elements: vec![element(body, value, place, None)] }])
}

fn part<'b>(body: &'b Body<'_>, entry: &'b RawValue) -> Part<'b> {
    let fields = members(entry).unwrap_or_default();
    // Only these two are parsed here; the lists are left as they are.
    let header = |name: &str| -> Option<Object> {
        let value = serde_json::from_str(fields.get(name)?.get()).ok()?;
        Some(Object([(name.to_owned(), value)].into_iter().collect()))
    };
    let account = header("id").and_then(|mut id| id.take_id("id").ok().flatten());
    let sent_at = header("time").and_then(|mut time| facebook_time(&time.take("time")?));
    let elements = entry_elements(body, entry, &fields, account.as_deref(), sent_at);
    Part { account, elements }
}

fn entry_elements<'b>(
    body: &'b Body<'_>,
    entry: &'b RawValue,
    fields: &HashMap<String, &'b RawValue>,
    account: Option<&str>,
    sent_at: Option<Millis>,
) -> Vec<Element<'b>> {
    let whole = |place| vec![element(body, entry, place, sent_at)];
    if account.is_none() {
        return whole(Place::Misshapen);
    }
    let mut found = Vec::new();
    let mut known = false;
    for (name, place) in LISTS {
        let Some(list) = fields.get(name).filter(|list| !is_null(list)) else { continue };
        let Some(list) = elements(list) else { return whole(Place::Misshapen) };
        known = true;
        found.extend(list.into_iter().map(|value| {
            let place = match place {
                Place::Change => change_place(value, account),
                _ if account == Some(TEST_PAGE) => Place::Test,
                place => place,
            };
            element(body, value, place, sent_at)
        }));
    }
    // An entry with nothing known in it says something new.
    if known { found } else { whole(Place::Unknown) }
}

/// A messaging field inside `changes` is what the dashboard's "Test" button sends (`facebook.md` §3.11).
fn change_place(change: &RawValue, account: Option<&str>) -> Place {
    let field = members(change).and_then(|fields| serde_json::from_str::<String>(fields.get("field")?.get()).ok());
    let is_messaging = field.is_some_and(|field| {
        field.starts_with("messag") // messages, message_echoes, messaging_postbacks, …
            || matches!(field.as_str(), "standby" | "send_cart" | "response_feedback")
    });
    if is_messaging || account == Some(TEST_PAGE) { Place::Test } else { Place::Change }
}

fn element<'b>(body: &'b Body<'_>, value: &'b RawValue, place: Place, sent_at: Option<Millis>) -> Element<'b> {
    Element { place, text: value.get(), bytes: body.bytes_of(value), sent_at }
}
