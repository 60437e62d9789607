//! What is answered to a command.
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::future::Future;

/// One line of an answer. The last one is `Done` or `Failed`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
pub enum Reply {
    /// Words for the operator.
    Note {
        /// The words.
        text: String,
    },
    /// One of several things.
    Item {
        /// The thing.
        value: Value,
    },
    /// It is done.
    Done {
        /// The result.
        value: Value,
        /// False when it was done, but not all of it could be.
        clean: bool,
    },
    /// It is not done.
    Failed {
        /// Why.
        why: String,
        /// True when it was asked for wrongly.
        usage: bool,
    },
}

/// Takes the lines of an answer before the last one.
pub trait Replies: Send {
    /// Takes one.
    fn take(&mut self, reply: Reply) -> impl Future<Output = std::io::Result<()>> + Send;
}

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct CommandError {
    text: String,
    /// True when it was asked for wrongly: exit code 2.
    pub usage: bool,
}

impl CommandError {
    /// It failed.
    pub fn failed(text: impl ToString) -> Self {
        Self { text: text.to_string(), usage: false }
    }

    /// It was asked for wrongly.
    pub fn usage(text: impl ToString) -> Self {
        Self { text: text.to_string(), usage: true }
    }
}

/// The result of a command that was carried out.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The result.
    pub value: Value,
    /// False when not all of it could be done: exit code 1.
    pub clean: bool,
}

impl From<Value> for Outcome {
    fn from(value: Value) -> Self {
        Self { value, clean: true }
    }
}

/// Keeps the items, for callers that want the answer as a whole.
#[derive(Debug, Default)]
pub struct Collected {
    /// The items, in order.
    pub items: Vec<Value>,
}

impl Replies for Collected {
    async fn take(&mut self, reply: Reply) -> std::io::Result<()> {
        if let Reply::Item { value } = reply {
            self.items.push(value);
        }
        Ok(())
    }
}
