//! What must be found, worked out from what the player sent.
use super::Found;
use crate::demo::traffic::{Fact, Sent};
use schemas::kind::Kind;
use std::collections::{HashMap, HashSet};

/// A shop's account: its number, and LINE or Facebook.
pub type Account = (usize, bool);

#[derive(Default)]
struct Message {
    /// `None` until the message itself was sent: edits may come first, or alone.
    text: Option<Option<String>>,
    edit: Option<(i64, i64, String)>,
    unsent: bool,
}

/// Collects what was sent. Copies of an element change nothing, as it should be.
#[derive(Default)]
pub struct Expectation {
    messages: HashMap<(Account, String), Message>,
    others: HashSet<(Account, Kind, i64)>,
    dead: HashSet<(Option<Account>, String)>,
    sent: u64,
}

impl Expectation {
    /// Notes an element of a post that was acknowledged.
    pub fn add(&mut self, sent: &Sent) {
        let account = (sent.shop, sent.line);
        self.sent += 1;
        match &sent.fact {
            Fact::Message { id, text } => {
                self.messages.entry((account, id.clone())).or_default().text = Some(text.clone());
            }
            Fact::Edit { message, text, order, at } => {
                self.others.insert((account, Kind::Edit, *at));
                let message = self.messages.entry((account, message.clone())).or_default();
                let edit = (*order, *at, text.clone());
                if message.edit.as_ref().is_none_or(|newest| *newest < edit) {
                    message.edit = Some(edit);
                }
            }
            Fact::Unsend { message, at } => {
                self.others.insert((account, Kind::Unsend, *at));
                self.messages.entry((account, message.clone())).or_default().unsent = true;
            }
            Fact::Other { kind, at } => {
                self.others.insert((account, *kind, *at));
            }
            Fact::Dead { bytes, system } => {
                self.dead.insert(((!system).then_some(account), bytes.clone()));
            }
            Fact::Ignored => {}
        }
    }

    /// Elements that were sent, copies included.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// The messages as they must be shown, once each.
    pub fn messages(&self) -> Vec<Found> {
        let shown = self.messages.iter().filter_map(|((account, id), message)| {
            let text = match (&message.text, &message.edit) {
                (None, _) => return None,
                (Some(_), _) if message.unsent => None,
                (Some(_), Some((_, _, text))) => Some(text.clone()),
                (Some(text), None) => text.clone(),
            };
            Some(Found::Message { account: *account, id: id.clone(), text })
        });
        shown.collect()
    }

    /// All events, once each.
    pub fn events(&self) -> Vec<Found> {
        let others =
            self.others.iter().map(|(account, kind, at)| Found::Event { account: *account, kind: *kind, at: *at });
        self.messages().into_iter().chain(others).collect()
    }

    /// What lies in the dead letters, once each.
    pub fn dead_letters(&self) -> Vec<Found> {
        self.dead
            .iter()
            .map(|(account, bytes)| Found::Dead { account: *account, bytes: bytes.clone().into() })
            .collect()
    }
}
