//! `{"destination", "events": […]}` (`line.md` §3.0).
use crate::platforms::{
    Body, ELEMENTS_MAX, Element, Part, Place,
    body::{elements, members},
    json::{Object, canonical},
};
use schemas::kind::DeadLetterReason;
use serde_json::{Value, value::RawValue};

/// Takes a post apart. `destination` is looked at for its shape alone: that the post is the connection's is what its
/// signature says, whose secret no other channel has (`security.md` §9.6: nothing is routed by the payload).
pub(super) fn split<'b>(body: &'b Body<'_>) -> Result<Vec<Part<'b>>, DeadLetterReason> {
    let wrong = DeadLetterReason::WrongSchema;
    let envelope = members(body.value()?).ok_or(wrong)?;
    if let Some(destination) = envelope.get("destination") {
        serde_json::from_str::<Option<String>>(destination.get()).map_err(|_| wrong)?;
    }
    let events = envelope.get("events").and_then(|events| elements(events)).ok_or(wrong)?;
    if events.len() > ELEMENTS_MAX {
        return Err(wrong);
    }
    let elements = events.into_iter().map(|event| element(body, event)).collect();
    Ok(vec![Part { account: None, elements }])
}

/// A single element of `events`, as dead letters hold it.
pub(super) fn single<'b>(body: &'b Body<'_>) -> Result<Vec<Part<'b>>, DeadLetterReason> {
    let value = body.value()?;
    let fields = members(value).ok_or(DeadLetterReason::WrongSchema)?;
    if fields.contains_key("events") || !fields.contains_key("type") {
        return Err(DeadLetterReason::WrongSchema);
    }
    Ok(vec![Part { account: None, elements: vec![element(body, value)] }])
}

fn element<'b>(body: &'b Body<'_>, value: &'b RawValue) -> Element<'b> {
    Element { place: Place::Main, text: value.get(), bytes: body.bytes_of(value), sent_at: None }
}

/// The event's own id where it has one, else the value without the mark of a redelivery.
pub(super) fn raw_key(bytes: &[u8]) -> Vec<u8> {
    let Ok(value) = Body::open(bytes)
        .and_then(|body| serde_json::from_str::<Value>(body.value()?.get()).map_err(|_| DeadLetterReason::NotJson))
    else {
        return bytes.to_vec();
    };
    let id = value.as_object().and_then(|o| Object(o.clone()).take_id("webhookEventId").ok().flatten());
    id.unwrap_or_else(|| canonical(&value)).into_bytes()
}
