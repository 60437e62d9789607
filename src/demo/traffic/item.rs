//! Elements before they are put into posts.
use super::fact::{Fact, Sent};
use schemas::kind::Kind;
use std::collections::HashSet;

/// How an element travels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Envelope {
    /// In a post with others of its account.
    Shared,
    /// It is the body of a post by itself.
    Whole,
    /// On a page that nobody has connected.
    UnknownPage,
}

/// One element, as it is written.
#[derive(Clone, Debug)]
pub struct Item {
    /// Whose it is and what it means.
    pub sent: Sent,
    /// When it happened, in milliseconds; posts go out in about this order.
    pub at: i64,
    /// Its bytes.
    pub written: String,
    /// Its bytes when it is delivered again, where they differ.
    pub again: Option<String>,
    /// How it travels.
    pub envelope: Envelope,
}

impl Item {
    /// An element that travels with others.
    pub fn new(shop: usize, line: bool, at: i64, written: String, fact: Fact) -> Self {
        Self { sent: Sent { shop, line, fact }, at, written, again: None, envelope: Envelope::Shared }
    }
}

/// Instants that are taken: no two elements of one account and kind share one, so that each can be told from all others by
/// these alone. Messages have ids.
#[derive(Debug, Default)]
pub struct Instants(HashSet<(usize, bool, Option<Kind>, i64)>);

impl Instants {
    /// The first free instant of an account from `at` on, for something of a kind, or of none.
    pub fn take(&mut self, shop: usize, line: bool, kind: Option<Kind>, at: i64) -> i64 {
        let mut at = at;
        while !self.0.insert((shop, line, kind, at)) {
            at += 1;
        }
        at
    }

    /// How many are taken.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Forgets those before an instant, where nothing that counts happens any more.
    pub fn forget_before(&mut self, instant: i64) {
        self.0.retain(|(.., at)| *at >= instant);
    }
}
