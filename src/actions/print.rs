//! Prints the answers of commands.
use crate::{
    cli::{Action, DeadLetters},
    control::{CommandError, Outcome, Replies, Reply},
    output,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use std::io;

/// How the items of an answer appear on stdout.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Items {
    /// One JSON object a line.
    Lines,
    /// Their bytes, as they came.
    Bytes,
    /// Not by themselves.
    None,
}

/// Takes the lines of an answer: words to stderr, items to stdout or, with `--json`, into the last line.
pub struct Printer {
    json: bool,
    items: Items,
    collected: Option<Vec<Value>>,
}

impl Printer {
    /// A printer for what this command answers.
    pub fn new(action: &Action, json: bool) -> Self {
        let items = match action {
            Action::DeadLetters(DeadLetters::List(_)) => Items::Lines,
            Action::DeadLetters(DeadLetters::Show(_)) => Items::Bytes,
            _ => Items::None,
        };
        Self { json, items, collected: (json && items != Items::None).then(Vec::new) }
    }

    fn item(&mut self, value: Value) -> io::Result<()> {
        if let Some(collected) = &mut self.collected {
            collected.push(value);
            return Ok(());
        }
        match self.items {
            Items::Lines => output::json(&value),
            Items::Bytes => {
                let content = value["content"].as_str().and_then(|text| STANDARD.decode(text).ok()).unwrap_or_default();
                output::bytes(&content)?;
                output::bytes(b"\n")
            }
            Items::None => Ok(()),
        }
    }

    /// Prints the result.
    ///
    /// # Errors
    /// When stdout is closed.
    pub fn finish(self, outcome: &Outcome) -> Result<(), CommandError> {
        match (self.json, self.collected, self.items) {
            (true, Some(items), _) => output::json(&json!({ "dead_letters": items }))?,
            (true, None, _) => output::json(&outcome.value)?,
            (false, _, Items::None) => output::line(&output::human(&outcome.value))?,
            // The items were the answer.
            (false, ..) => {}
        }
        Ok(())
    }
}

impl Replies for Printer {
    async fn take(&mut self, reply: Reply) -> io::Result<()> {
        match reply {
            Reply::Note { text } => eprintln!("{text}"),
            Reply::Item { value } => self.item(value)?,
            Reply::Done { .. } | Reply::Failed { .. } => {}
        }
        Ok(())
    }
}
