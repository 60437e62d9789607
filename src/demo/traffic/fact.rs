//! What the player sent, in its own words: what must come back, and how often.
use schemas::kind::Kind;

/// What one element of a post means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fact {
    /// A message.
    Message {
        /// The platform's id of it.
        id: String,
        /// Its words.
        text: Option<String>,
    },
    /// Another text for a message; the greatest order wins.
    Edit {
        /// The platform's id of the message.
        message: String,
        /// The new words.
        text: String,
        /// The platform's counter or instant.
        order: i64,
        /// When it was edited, in milliseconds.
        at: i64,
    },
    /// A message was taken back.
    Unsend {
        /// The platform's id of the message.
        message: String,
        /// When, in milliseconds.
        at: i64,
    },
    /// Anything else that happened. No two of one account and kind have the same time.
    Other {
        /// What.
        kind: Kind,
        /// When, in milliseconds.
        at: i64,
    },
    /// Something that no reader understands: it must be kept as it is.
    Dead {
        /// The bytes that must be kept.
        bytes: String,
        /// True when they belong to no connection, and so to the workspace `system`.
        system: bool,
    },
    /// Only counted, and never shown.
    Ignored,
}

/// One element of a post that was signed correctly.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sent {
    /// Of which shop.
    pub shop: usize,
    /// At LINE, else at Facebook.
    pub line: bool,
    /// What it means.
    pub fact: Fact,
}
