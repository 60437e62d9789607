//! What must be found, worked out from what the player sent.
use super::{Account, Digest, DigestState};
use crate::demo::traffic::{Fact, Sent};
use schemas::kind::Kind;
use std::collections::{HashMap, HashSet};

#[derive(Default)]
struct Message {
    /// As it was sent. `None` until then: edits may come first, or alone.
    first: Option<Digest>,
    /// Few messages have any.
    changes: Option<Box<Changes>>,
}

#[derive(Default)]
struct Changes {
    edit: Option<Edit>,
    /// As it is shown once it was taken back.
    unsent: Option<Digest>,
}

struct Edit {
    rank: (i64, i64, String),
    shown: Digest,
}

impl Message {
    fn shown(&self) -> Option<Digest> {
        let first = self.first?;
        let Some(changes) = &self.changes else { return Some(first) };
        Some(changes.unsent.or_else(|| changes.edit.as_ref().map(|edit| edit.shown)).unwrap_or(first))
    }
}

/// Collects what was sent. Copies of an element change nothing, as it should be.
#[derive(Default)]
pub struct Expectation {
    messages: HashMap<Digest, Message, DigestState>,
    others: HashSet<Digest, DigestState>,
    dead: HashSet<Digest, DigestState>,
    sent: u64,
}

impl Expectation {
    /// Notes an element of a post that was acknowledged.
    pub fn add(&mut self, sent: &Sent) {
        let account = (sent.shop, sent.line);
        self.sent += 1;
        match &sent.fact {
            Fact::Message { id, text } => {
                self.message(account, id).first = Some(Digest::message(account, id, text.as_deref()));
            }
            Fact::Edit { message: id, text, order, at } => {
                self.others.insert(Digest::event(account, Kind::Edit, *at));
                let edit = &mut self.message(account, id).changes.get_or_insert_default().edit;
                let rank = (*order, *at, text.clone());
                if edit.as_ref().is_none_or(|newest| newest.rank < rank) {
                    *edit = Some(Edit { rank, shown: Digest::message(account, id, Some(text)) });
                }
            }
            Fact::Unsend { message: id, at } => {
                self.others.insert(Digest::event(account, Kind::Unsend, *at));
                let shown = Digest::message(account, id, None);
                self.message(account, id).changes.get_or_insert_default().unsent = Some(shown);
            }
            Fact::Other { kind, at } => {
                self.others.insert(Digest::event(account, *kind, *at));
            }
            Fact::Dead { bytes, system } => {
                self.dead.insert(Digest::dead((!system).then_some(account), bytes.as_bytes()));
            }
            Fact::Ignored => {}
        }
    }

    fn message(&mut self, account: Account, id: &str) -> &mut Message {
        self.messages.entry(Digest::identity(account, id)).or_default()
    }

    /// Elements that were sent, copies included.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// The messages as they must be shown, once each.
    pub fn messages(&self) -> impl Iterator<Item = Digest> {
        self.messages.values().filter_map(Message::shown)
    }

    /// All events, once each.
    pub fn events(&self) -> impl Iterator<Item = Digest> {
        self.messages().chain(self.others.iter().copied())
    }

    /// What lies in the dead letters, once each.
    pub fn dead_letters(&self) -> impl Iterator<Item = Digest> {
        self.dead.iter().copied()
    }

    /// Bytes that are kept for all this, nearly: the client's part of a process's memory.
    pub fn bytes(&self) -> u64 {
        // Few messages are changed; what is kept of a change is left out.
        let messages = self.messages.capacity() * size_of::<(Digest, Message)>();
        let others = (self.others.capacity() + self.dead.capacity()) * size_of::<Digest>();
        (messages + others) as u64
    }
}
