//! Elements become posts.
use super::{
    cast::Cast,
    fact::Sent,
    item::{Envelope, Item},
    noise,
};
use crate::demo::payload::{facebook, line, sign};
use rand::{Rng, RngExt};

/// Where a post goes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Target {
    /// The path of a shop's LINE connection.
    Line(usize),
    /// The one path of the Facebook app.
    Facebook,
}

/// A signed post.
#[derive(Clone, Debug)]
pub struct Post {
    /// Where it goes.
    pub target: Target,
    /// Its body.
    pub body: String,
    /// Header and value of its signature.
    pub signature: (&'static str, String),
    /// What it says; nothing when the signature is forged.
    pub sent: Vec<Sent>,
    /// True when the signature does not hold, and 401 is the right answer.
    pub forged: bool,
}

impl Post {
    /// Signs a body.
    pub fn new(cast: &Cast, target: Target, body: String, sent: Vec<Sent>) -> Self {
        let signature = match target {
            Target::Line(shop) => sign::line(&cast.shops[shop].channel_secret, body.as_bytes()),
            Target::Facebook => sign::facebook(&cast.app_secret, body.as_bytes()),
        };
        Self { target, body, signature, sent, forged: false }
    }

    /// The same post, as somebody sends it who does not know the secret.
    pub fn forged(mut self) -> Self {
        self.body.push(' ');
        self.sent.clear();
        self.forged = true;
        self
    }
}

/// Puts elements into posts of a few, each account's in their order.
pub fn gather(rng: &mut impl Rng, cast: &Cast, items: Vec<Item>) -> Vec<Post> {
    let mut posts = Vec::new();
    let mut waiting: Vec<Vec<Item>> = (0..=cast.shops.len()).map(|_| Vec::new()).collect();
    for item in items {
        let target = target(&item);
        if item.envelope == Envelope::Whole {
            posts.push(Post::new(cast, target, item.written, vec![item.sent]));
            continue;
        }
        let queue = &mut waiting[place(target, cast)];
        queue.push(item);
        // Most posts have one element, few have many.
        if rng.random_bool(0.55) || queue.len() >= 6 {
            posts.push(together(cast, target, std::mem::take(queue)));
        }
    }
    for queue in waiting {
        if let Some(first) = queue.first() {
            posts.push(together(cast, target(first), queue));
        }
    }
    posts
}

fn target(item: &Item) -> Target {
    if item.sent.line { Target::Line(item.sent.shop) } else { Target::Facebook }
}

fn place(target: Target, cast: &Cast) -> usize {
    match target {
        Target::Line(shop) => shop,
        Target::Facebook => cast.shops.len(),
    }
}

fn together(cast: &Cast, target: Target, items: Vec<Item>) -> Post {
    let body = match target {
        Target::Line(shop) => {
            let elements: Vec<String> = items.iter().map(|item| item.written.clone()).collect();
            line::body(&cast.shops[shop].destination, &elements)
        }
        Target::Facebook => {
            let entries: Vec<_> = items
                .iter()
                .map(|item| {
                    let known = item.envelope == Envelope::Shared;
                    let page = if known { cast.shops[item.sent.shop].page.clone() } else { noise::unknown_page() };
                    (page, item.at + 420, item.written.clone())
                })
                .collect();
            facebook::body(&entries)
        }
    };
    Post::new(cast, target, body, items.into_iter().map(|item| item.sent).collect())
}
