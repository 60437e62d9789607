//! What was sent in signed posts, and whether it was acknowledged: the truth that answers are compared with.
use std::collections::BTreeMap;

/// What one element of a post means, in the sender's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A message with a text.
    Message { id: String, text: String },
    /// Another text for a message; the greatest order wins.
    Edit { message: String, text: String, order: i64, at: i64 },
    /// A message was taken back.
    Unsend { message: String, at: i64 },
    /// Anything else that is kept. No two of a connection and kind have the same time.
    Other { kind: &'static str, at: i64 },
    /// Signed, but of a type that nobody knows: a dead letter.
    Dead { at: i64 },
}

/// One element, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// Which of the test's workspaces.
    pub workspace: usize,
    pub connection: String,
    pub fact: Fact,
}

/// What makes two elements copies of each other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    Message { connection: String, id: String },
    Event { connection: String, kind: String, at: i64 },
    Dead { connection: String, at: i64 },
}

impl Element {
    pub fn key(&self) -> Key {
        let connection = self.connection.clone();
        let event = |kind: &str, at: i64| Key::Event { connection: self.connection.clone(), kind: kind.to_owned(), at };
        match &self.fact {
            Fact::Message { id, .. } => Key::Message { connection, id: id.clone() },
            Fact::Edit { at, .. } => event("edit", *at),
            Fact::Unsend { at, .. } => event("unsend", *at),
            Fact::Other { kind, at } => event(kind, *at),
            Fact::Dead { at } => Key::Dead { connection, at: *at },
        }
    }
}

/// An element that was sent.
#[derive(Clone, Debug)]
pub struct Entry {
    pub element: Element,
    /// False while no post with it was answered 200: it may be there once, or not at all.
    pub acknowledged: bool,
}

/// See the module's documentation.
#[derive(Default)]
pub struct Ledger {
    pub entries: BTreeMap<Key, Entry>,
    /// Posts sent, copies included.
    pub posts: u64,
    /// Posts answered with 200.
    pub acknowledged_posts: u64,
    /// Elements of those, copies included.
    pub acknowledged_elements: u64,
    /// Texts that must be read nowhere once the key's element is acknowledged, see [`Ledger::forbidden`].
    amendments: BTreeMap<(String, String), Vec<Key>>,
}

/// What a message may look like now.
#[derive(Debug, PartialEq, Eq)]
pub struct Expected {
    /// Any of these texts.
    pub texts: Vec<String>,
    pub unsent: Unsent,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Unsent {
    No,
    Perhaps,
    Yes,
}

impl Ledger {
    /// Notes a post before it is sent: from then on it may be in the log.
    pub fn sending(&mut self, elements: &[Element]) {
        self.posts += 1;
        for element in elements {
            let key = element.key();
            if let Fact::Edit { message, .. } | Fact::Unsend { message, .. } = &element.fact {
                let of = self.amendments.entry((element.connection.clone(), message.clone())).or_default();
                if !of.contains(&key) {
                    of.push(key.clone());
                }
            }
            self.entries.entry(key).or_insert_with(|| Entry { element: element.clone(), acknowledged: false });
        }
    }

    /// Notes that a post was answered 200.
    pub fn acknowledged(&mut self, elements: &[Element]) {
        self.acknowledged_posts += 1;
        self.acknowledged_elements += elements.len() as u64;
        for element in elements {
            self.entries.get_mut(&element.key()).unwrap().acknowledged = true;
        }
    }

    /// Distinct elements that were acknowledged.
    pub fn distinct(&self) -> usize {
        self.entries.values().filter(|entry| entry.acknowledged).count()
    }

    fn amendments_of(&self, connection: &str, message: &str) -> impl Iterator<Item = &Entry> {
        let keys = self.amendments.get(&(connection.to_owned(), message.to_owned()));
        keys.into_iter().flatten().map(|key| &self.entries[key])
    }

    /// What a message has to look like after all that was sent.
    pub fn expected(&self, connection: &str, message: &str, original: &str) -> Expected {
        let mut unsent = Unsent::No;
        // (order, text, certain), the original first of all.
        let mut versions = vec![(i64::MIN, original.to_owned(), true)];
        for entry in self.amendments_of(connection, message) {
            match &entry.element.fact {
                Fact::Unsend { .. } if entry.acknowledged => unsent = Unsent::Yes,
                Fact::Unsend { .. } if unsent == Unsent::No => unsent = Unsent::Perhaps,
                Fact::Edit { text, order, .. } => versions.push((*order, text.clone(), entry.acknowledged)),
                _ => {}
            }
        }
        let newest_certain = versions.iter().filter(|v| v.2).map(|v| v.0).max().unwrap_or(i64::MIN);
        let texts = versions.into_iter().filter(|v| v.0 >= newest_certain).map(|v| v.1).collect();
        Expected { texts, unsent }
    }

    /// Texts that no answer may hold any more: older versions of edited messages, all versions of unsent ones.
    pub fn forbidden(&self) -> Vec<String> {
        let mut texts = Vec::new();
        for entry in self.entries.values() {
            let Fact::Message { id, text } = &entry.element.fact else { continue };
            let connection = &entry.element.connection;
            let expected = self.expected(connection, id, text);
            let mut versions = vec![text.clone()];
            versions.extend(self.amendments_of(connection, id).filter_map(|a| match &a.element.fact {
                Fact::Edit { text, .. } => Some(text.clone()),
                _ => None,
            }));
            texts
                .extend(versions.into_iter().filter(|v| expected.unsent == Unsent::Yes || !expected.texts.contains(v)));
        }
        texts
    }
}
