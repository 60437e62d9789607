//! A LINE conversation. LINE delivers no echo, so the shop's answers are not seen here.
use super::{
    fact::Fact,
    item::{Instants, Item},
    phrases::{self, Phrases},
    random,
};
use crate::demo::payload::line::{self, Chat};
use rand::{Rng, RngExt, rngs::StdRng};
use schemas::kind::Kind;
use serde_json::{Value, json};

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;

/// Writes one conversation down.
pub struct LineTalk<'a, R> {
    pub rng: &'a mut R,
    pub instants: &'a mut Instants,
    /// Gives the ids of who talks.
    pub people: StdRng,
    pub shop: usize,
    pub at: i64,
    /// What pauses are divided by.
    pub hurry: i64,
    pub items: Vec<Item>,
}

impl<R: Rng> LineTalk<'_, R> {
    /// Plays a whole conversation.
    pub fn play(mut self, phrases: &Phrases) -> Vec<Item> {
        let group = self.rng.random_bool(0.06).then(|| random::line_id(&mut self.people, 'C'));
        let people = if group.is_some() { 3 } else { 1 };
        let chats: Vec<Chat> =
            (0..people).map(|_| Chat { user: random::line_id(&mut self.people, 'U'), group: group.clone() }).collect();
        if group.is_some() {
            self.other(&chats[0], Kind::Join, json!({ "type": "join" }));
            let members: Vec<Value> = chats.iter().map(|c| json!({ "type": "user", "userId": c.user })).collect();
            self.other(
                &chats[0],
                Kind::MemberJoined,
                json!({ "type": "memberJoined", "joined": { "members": members } }),
            );
        } else if self.rng.random_bool(0.25) {
            self.other(&chats[0], Kind::Follow, json!({ "type": "follow", "follow": { "isUnblocked": false } }));
        }
        if self.rng.random_bool(0.08) {
            self.rich_menu(&chats[0]);
        }
        let turns = self.rng.random_range(1..4);
        self.say(&chats[0], phrases, phrases.openings);
        for _ in 0..turns {
            self.pause(20 * SECOND, 12 * MINUTE);
            let chat = random::pick(self.rng, &chats).clone();
            match self.rng.random_range(0..20) {
                0..=2 => self.media(&chat, "sticker"),
                3 | 4 => self.media(&chat, "image"),
                5 => self.media(&chat, "location"),
                6 => self.postback(&chat),
                _ => self.say(&chat, phrases, phrases.follow_ups),
            }
        }
        if self.rng.random_bool(0.6) {
            self.pause(MINUTE, 20 * MINUTE);
            self.say(&chats[0], phrases, phrases.closings);
        }
        if self.rng.random_bool(0.03) {
            let (kind, about) = match group {
                Some(_) => (Kind::Leave, json!({ "type": "leave" })),
                None => (Kind::Unfollow, json!({ "type": "unfollow" })),
            };
            self.other(&chats[0], kind, about);
        }
        self.items
    }

    fn pause(&mut self, least: i64, most: i64) {
        self.at += self.rng.random_range(least..most) / self.hurry;
    }

    /// The instant of a message.
    fn now(&mut self) -> i64 {
        self.at += 1;
        self.at
    }

    /// The instant of something else.
    fn now_of(&mut self, kind: Kind) -> i64 {
        self.at = self.instants.take(self.shop, true, Some(kind), self.at + 1);
        self.at
    }

    fn push(&mut self, at: i64, element: &Value, fact: Fact) {
        let mut item = Item::new(self.shop, true, at, element.to_string(), fact);
        item.again = Some(line::redelivered(element).to_string());
        self.items.push(item);
    }

    fn other(&mut self, chat: &Chat, kind: Kind, about: Value) {
        let at = self.now_of(kind);
        let (element, _) = line::element(self.rng, at, chat, about);
        self.push(at, &element, Fact::Other { kind, at });
    }

    fn rich_menu(&mut self, chat: &Chat) {
        let postback =
            json!({ "data": "menu-b", "params": { "newRichMenuAliasId": "menu-alias-b", "status": "SUCCESS" } });
        self.other(chat, Kind::RichMenuSwitch, json!({ "type": "postback", "postback": postback }));
    }

    /// A button without a title: LINE's event id stands for the message's.
    fn postback(&mut self, chat: &Chat) {
        let at = self.now();
        let data = format!("action=track&order={}", random::digits(self.rng, 5));
        let about = json!({ "type": "postback", "postback": { "data": data } });
        let (element, id) = line::element(self.rng, at, chat, about);
        self.push(at, &element, Fact::Message { id, text: None });
    }

    fn media(&mut self, chat: &Chat, kind: &str) {
        let (at, id) = (self.now(), random::digits(self.rng, 18));
        let about = match kind {
            "sticker" => line::sticker(self.rng, &id),
            "image" => line::image(self.rng, &id),
            _ => line::location(&id),
        };
        let (element, _) = line::element(self.rng, at, chat, about);
        self.push(at, &element, Fact::Message { id, text: None });
    }

    /// Says something; some take it back or say it better.
    fn say(&mut self, chat: &Chat, phrases: &Phrases, of: &[&str]) {
        let (at, id) = (self.now(), random::digits(self.rng, 18));
        let text = phrases::fill(self.rng, phrases, of);
        let about = line::text(self.rng, &id, &text);
        let (element, _) = line::element(self.rng, at, chat, about);
        self.push(at, &element, Fact::Message { id: id.clone(), text: Some(text.clone()) });
        if self.rng.random_bool(0.05) {
            self.pause(3 * SECOND, MINUTE);
            let (at, text) = (self.now_of(Kind::Edit), format!("{text} (!)"));
            let message = json!({ "type": "text", "id": id, "quoteToken": "qt", "text": text });
            let about = json!({ "type": "messageEdited", "message": message });
            let (element, _) = line::element(self.rng, at, chat, about);
            self.push(at, &element, Fact::Edit { message: id.clone(), text, order: at, at });
        }
        if self.rng.random_bool(0.03) {
            self.pause(3 * SECOND, MINUTE);
            let at = self.now_of(Kind::Unsend);
            let about = json!({ "type": "unsend", "unsend": { "messageId": id } });
            let (element, _) = line::element(self.rng, at, chat, about);
            self.push(at, &element, Fact::Unsend { message: id, at });
        }
    }
}
