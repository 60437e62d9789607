//! Elements of LINE's `events`, and posts of them.
use crate::demo::traffic::random;
use rand::Rng;
use serde_json::{Value, json};

/// Where something happens: with a user alone, or with a user in a group.
#[derive(Clone, Debug)]
pub struct Chat {
    /// The user.
    pub user: String,
    /// The group.
    pub group: Option<String>,
}

/// An element: LINE's common fields around `about`, an object with `type` and what belongs to it.
pub fn element(rng: &mut impl Rng, at: i64, chat: &Chat, mut about: Value) -> (Value, String) {
    let id = random::ulid(rng, at);
    let source = match &chat.group {
        None => json!({ "type": "user", "userId": chat.user }),
        Some(group) => json!({ "type": "group", "groupId": group, "userId": chat.user }),
    };
    about["webhookEventId"] = id.clone().into();
    about["deliveryContext"] = json!({ "isRedelivery": false });
    about["timestamp"] = at.into();
    about["source"] = source;
    about["mode"] = "active".into();
    if !matches!(about["type"].as_str(), Some("unsend" | "unfollow" | "leave")) {
        about["replyToken"] = random::hex(rng, 32).into();
    }
    (about, id)
}

/// The tokens that come with most messages.
fn tokens(rng: &mut impl Rng, mut message: Value) -> Value {
    message["quoteToken"] = format!("qt{}", random::hex(rng, 44)).into();
    message["markAsReadToken"] = format!("rt{}", random::hex(rng, 44)).into();
    message
}

/// Words.
pub fn text(rng: &mut impl Rng, id: &str, text: &str) -> Value {
    json!({ "type": "message", "message": tokens(rng, json!({ "type": "text", "id": id, "text": text })) })
}

/// A picture.
pub fn image(rng: &mut impl Rng, id: &str) -> Value {
    let message = json!({ "type": "image", "id": id, "contentProvider": { "type": "line" } });
    json!({ "type": "message", "message": tokens(rng, message) })
}

/// A sticker.
pub fn sticker(rng: &mut impl Rng, id: &str) -> Value {
    let message = json!({
        "type": "sticker", "id": id, "packageId": "11537", "stickerId": "52002734", "stickerResourceType": "ANIMATION",
        "keywords": ["hi", "wave", "hello"],
    });
    json!({ "type": "message", "message": tokens(rng, message) })
}

/// A place.
pub fn location(id: &str) -> Value {
    json!({ "type": "message", "message": {
        "type": "location", "id": id, "title": "Sample Cafe", "address": "1-2-3 Sample Road", "latitude": 13.7563,
        "longitude": 100.5018,
    }})
}

/// The same element, delivered again.
pub fn redelivered(element: &Value) -> Value {
    let mut copy = element.clone();
    copy["deliveryContext"] = json!({ "isRedelivery": true });
    copy
}

/// A post of elements, each already written.
pub fn body(destination: &str, elements: &[String]) -> String {
    format!("{{\"destination\":{},\"events\":[{}]}}", Value::from(destination), elements.join(","))
}
