//! What no reader understands, and what is only counted.
use super::{
    cast::Cast,
    fact::Fact,
    item::{Envelope, Instants, Item},
    random,
};
use crate::demo::payload::{
    facebook,
    line::{self, Chat},
};
use rand::{Rng, RngExt};
use serde_json::json;

const DAY: i64 = 86_400_000;

/// Something that has to be kept as it is, of one of several shapes.
pub fn dead(rng: &mut impl Rng, cast: &Cast, instants: &mut Instants, at: i64) -> Item {
    let shop = rng.random_range(0..cast.shops.len());
    let chat = Chat { user: random::line_id(rng, 'U'), group: None };
    let of = &cast.shops[shop];
    let kept = |written: &str, system| Fact::Dead { bytes: written.to_owned(), system };
    match rng.random_range(0..6) {
        // Types that come next year.
        0 | 1 => {
            let at = instants.take(shop, true, None, at);
            let about = json!({ "type": "someFutureEvent", "someFutureEvent": { "note": "kept as it is" } });
            let written = line::element(rng, at, &chat, about).0.to_string();
            Item::new(shop, true, at, written.clone(), kept(&written, false))
        }
        2 => {
            let at = instants.take(shop, false, None, at);
            let about = json!({ "some_future_event": { "mid": random::mid(rng), "note": "ยังไม่รู้จัก" } });
            let written = facebook::write(&facebook::element(&random::digits(rng, 16), &of.page, at, about));
            Item::new(shop, false, at, written.clone(), kept(&written, false))
        }
        // A known type in a shape that it never has.
        3 => {
            let at = instants.take(shop, true, None, at);
            let written = line::element(rng, at, &chat, json!({ "type": "message", "message": "hello" })).0.to_string();
            Item::new(shop, true, at, written.clone(), kept(&written, false))
        }
        // Bodies that end early.
        4 => {
            let at = instants.take(shop, true, None, at);
            let id = random::digits(rng, 18);
            let about = line::text(rng, &id, "cut short");
            let element = line::element(rng, at, &chat, about).0.to_string();
            let body = line::body(&of.destination, &[element]);
            let written = body[..body.len() - 2].to_owned();
            let mut item = Item::new(shop, true, at, written.clone(), kept(&written, false));
            item.envelope = Envelope::Whole;
            item
        }
        _ => {
            let at = instants.take(shop, false, None, at);
            let about = json!({ "message": { "mid": random::mid(rng), "text": "cut short" } });
            let element = facebook::write(&facebook::element(&random::digits(rng, 16), &of.page, at, about));
            let body = facebook::body(&[(of.page.clone(), at + 420, element)]);
            let written = body[..body.len() - 2].to_owned();
            // Without an entry nobody knows which page it was for.
            let mut item = Item::new(shop, false, at, written.clone(), kept(&written, true));
            item.envelope = Envelope::Whole;
            item
        }
    }
}

/// Something that is acknowledged and only counted.
pub fn ignored(rng: &mut impl Rng, cast: &Cast, instants: &mut Instants, at: i64) -> Item {
    let shop = rng.random_range(0..cast.shops.len());
    match rng.random_range(0..3) {
        0 => {
            let at = instants.take(shop, false, None, at);
            let mut item = Item::new(shop, false, at, facebook::dashboard_test(at), Fact::Ignored);
            item.envelope = Envelope::Whole;
            item
        }
        1 => {
            let at = instants.take(shop, false, None, at);
            let page = unknown_page();
            let about = json!({ "message": { "mid": random::mid(rng), "text": "nobody connected this page" } });
            let written = facebook::write(&facebook::element(&random::digits(rng, 16), &page, at, about));
            let mut item = Item::new(shop, false, at, written, Fact::Ignored);
            item.envelope = Envelope::UnknownPage;
            item
        }
        _ => {
            let sent_at = at;
            let at = instants.take(shop, true, None, at - 400 * DAY);
            let chat = Chat { user: random::line_id(rng, 'U'), group: None };
            let id = random::digits(rng, 18);
            let about = line::text(rng, &id, "older than anything may be");
            let written = line::element(rng, at, &chat, about).0.to_string();
            let mut item = Item::new(shop, true, at, written, Fact::Ignored);
            item.at = sent_at;
            item
        }
    }
}

/// A page that belongs to no shop of any cast.
pub fn unknown_page() -> String {
    "999999999999999".into()
}
