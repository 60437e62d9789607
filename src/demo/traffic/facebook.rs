//! A Messenger conversation, with the shop's answers as echoes.
use super::{
    cast::Shop,
    fact::Fact,
    item::{Instants, Item},
    phrases::{self, Phrases},
    random,
};
use crate::demo::payload::facebook::{self, BOT_APP, PAGE_INBOX};
use rand::{Rng, RngExt};
use schemas::kind::Kind;
use serde_json::{Value, json};

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;

/// Writes one conversation down.
pub struct FacebookTalk<'a, R> {
    pub rng: &'a mut R,
    pub instants: &'a mut Instants,
    pub shop: usize,
    pub of: &'a Shop,
    pub person: String,
    pub at: i64,
    /// What pauses are divided by.
    pub hurry: i64,
    pub items: Vec<Item>,
}

impl<R: Rng> FacebookTalk<'_, R> {
    /// Plays a whole conversation.
    pub fn play(mut self, phrases: &Phrases) -> Vec<Item> {
        match self.rng.random_range(0..20) {
            0 | 1 => self.postback(phrases),
            2 => self.other(
                Kind::Referral,
                json!({ "referral": {
                    "ref": "newsletter-14", "source": "SHORTLINK", "type": "OPEN_THREAD",
                }}),
            ),
            _ => {}
        }
        self.say(phrases, phrases.openings);
        if self.rng.random_bool(0.2) {
            self.pause(SECOND, 3 * SECOND);
            self.echo(phrases, BOT_APP);
        }
        let mut last = String::new();
        for _ in 0..self.rng.random_range(1..4) {
            // Most answers take minutes, some much longer.
            let slow = self.rng.random_bool(0.1);
            self.pause(20 * SECOND, if slow { 90 * MINUTE } else { 9 * MINUTE });
            last = self.echo(phrases, PAGE_INBOX);
            self.receipts(&last);
            self.pause(10 * SECOND, 8 * MINUTE);
            match self.rng.random_range(0..20) {
                0..=2 => self.media("sticker"),
                3 | 4 => self.media("image"),
                5 => self.media("file"),
                _ => self.say(phrases, phrases.follow_ups),
            }
        }
        if self.rng.random_bool(0.7) {
            self.pause(MINUTE, 15 * MINUTE);
            self.say(phrases, phrases.closings);
        }
        if self.rng.random_bool(0.15) {
            let said = json!({ "reaction": "love", "emoji": "❤️", "action": "react", "mid": last });
            self.other(Kind::Reaction, json!({ "reaction": said }));
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
        self.at = self.instants.take(self.shop, false, Some(kind), self.at + 1);
        self.at
    }

    fn push(&mut self, at: i64, from_page: bool, about: Value, fact: Fact) {
        let (person, page) = (self.person.as_str(), self.of.page.as_str());
        let (from, to) = if from_page { (page, person) } else { (person, page) };
        let written = facebook::write(&facebook::element(from, to, at, about));
        self.items.push(Item::new(self.shop, false, at, written, fact));
    }

    fn other(&mut self, kind: Kind, about: Value) {
        let at = self.now_of(kind);
        self.push(at, false, about, Fact::Other { kind, at });
    }

    fn postback(&mut self, phrases: &Phrases) {
        let (at, mid) = (self.now(), random::mid(self.rng));
        let about = json!({ "postback": { "mid": mid, "title": phrases.button, "payload": "HUMAN_HELP" } });
        self.push(at, false, about, Fact::Message { id: mid, text: Some(phrases.button.into()) });
    }

    fn media(&mut self, kind: &str) {
        let (at, mid) = (self.now(), random::mid(self.rng));
        let mut attachment = facebook::attachment(kind, &format!("{kind}.bin"));
        if kind == "sticker" {
            attachment["payload"]["sticker_id"] = 369_239_263_222_822_u64.into();
        }
        let about = json!({ "message": { "mid": mid, "attachments": [attachment] } });
        self.push(at, false, about, Fact::Message { id: mid, text: None });
    }

    /// The customer says something; some correct themselves.
    fn say(&mut self, phrases: &Phrases, of: &[&str]) {
        let (at, mid) = (self.now(), random::mid(self.rng));
        let mut text = phrases::fill(self.rng, phrases, of);
        let about = json!({ "message": { "mid": mid, "text": text } });
        self.push(at, false, about, Fact::Message { id: mid.clone(), text: Some(text.clone()) });
        let edits = if self.rng.random_bool(0.05) { self.rng.random_range(1..3) } else { 0 };
        for order in 1..=edits {
            self.pause(3 * SECOND, MINUTE);
            let at = self.now_of(Kind::Edit);
            text.push_str(" (!)");
            let about = json!({ "message_edit": { "mid": mid, "text": text, "num_edit": order } });
            self.push(at, false, about, Fact::Edit { message: mid.clone(), text: text.clone(), order, at });
        }
    }

    /// The shop answers through an app; returns the message's id.
    fn echo(&mut self, phrases: &Phrases, app: u64) -> String {
        let (at, mid) = (self.now(), random::mid(self.rng));
        let text = phrases::fill(self.rng, phrases, phrases.answers);
        let about = json!({ "message": { "mid": mid, "is_echo": true, "app_id": app, "text": text } });
        self.push(at, true, about, Fact::Message { id: mid.clone(), text: Some(text) });
        mid
    }

    /// The person's device received and, mostly, showed it.
    fn receipts(&mut self, mid: &str) {
        self.pause(SECOND, 4 * SECOND);
        let at = self.now_of(Kind::Delivery);
        let about = json!({ "delivery": { "mids": [mid], "watermark": at - 1 } });
        self.push(at, false, about, Fact::Other { kind: Kind::Delivery, at });
        if self.rng.random_bool(0.8) {
            self.pause(2 * SECOND, 2 * MINUTE);
            let at = self.now_of(Kind::Read);
            self.push(at, false, json!({ "read": { "watermark": at - 1 } }), Fact::Other { kind: Kind::Read, at });
        }
    }
}
