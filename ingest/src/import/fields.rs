//! Taking typed fields out of a line, and the fields that each kind has besides those of every line.
use super::BadLine;
use crate::platforms::ID_MAX;
use schemas::{kind::Kind, time::Millis};
use serde_json::{Map, Value};

/// What a field of a kind must be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    /// A string; null and absence are the same.
    Text,
    /// One of these words, needed.
    Word(&'static [&'static str]),
    /// A list of strings.
    Texts,
    /// An instant, optional.
    Time,
    /// A number, needed.
    Number,
}

const CLOSE_REASONS: &[&str] =
    &["resolved", "no_reply_needed", "bot_resolved", "inactivity", "spam", "merged", "other"];

/// The fields of a kind that go to the details as they are, named as the conversation fold reads them
/// (`metrics.md` §1). Messages and amendments have fields of their own besides, see [`super::line`].
pub(super) fn of(kind: Kind) -> &'static [(&'static str, Form)] {
    match kind {
        Kind::Assign => &[("agent", Form::Text), ("team", Form::Text)],
        Kind::Snooze => &[("until", Form::Time)],
        Kind::Close => &[("reason", Form::Word(CLOSE_REASONS)), ("actor", Form::Text)],
        Kind::Reopen => &[("actor", Form::Text)],
        Kind::SurveySent => &[("survey", Form::Text)],
        Kind::SurveyRated => &[("survey", Form::Text), ("rating", Form::Number), ("comment", Form::Text)],
        // The author may name the agent instead.
        Kind::Focus | Kind::Activity | Kind::Blur => &[("agent", Form::Text)],
        Kind::Presence => &[("agent", Form::Text), ("status", Form::Word(&["online", "away", "offline"]))],
        Kind::Note => &[("text", Form::Text)],
        Kind::Tag => &[("add", Form::Texts), ("remove", Form::Texts)],
        Kind::MessageStatus => &[("status", Form::Word(&["sent", "delivered", "read", "failed"]))],
        Kind::Reaction => {
            &[("action", Form::Word(&["react", "unreact"])), ("reaction", Form::Text), ("emoji", Form::Text)]
        }
        _ => &[],
    }
}

/// The object of a line; taking a field removes it, so that what is left is unknown.
pub(super) struct Fields(pub Map<String, Value>);

impl Fields {
    /// Takes a field; null counts as absent.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| !value.is_null())
    }

    pub fn text(&mut self, name: &'static str) -> Result<Option<String>, BadLine> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(BadLine::Wrong(name, "a string")),
        }
    }

    /// An id or a name: a string that is not empty.
    pub fn name(&mut self, name: &'static str) -> Result<Option<String>, BadLine> {
        match self.text(name)? {
            Some(text) if text.is_empty() || text.len() > ID_MAX => {
                Err(BadLine::Wrong(name, "a string of 1 to 1024 bytes"))
            }
            text => Ok(text),
        }
    }

    pub fn need(&mut self, name: &'static str) -> Result<String, BadLine> {
        self.name(name)?.ok_or(BadLine::Missing(name))
    }

    pub fn object(&mut self, name: &'static str) -> Result<Option<Self>, BadLine> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Object(map)) => Ok(Some(Self(map))),
            Some(_) => Err(BadLine::Wrong(name, "an object")),
        }
    }

    pub fn time(&mut self, name: &'static str) -> Result<Option<Millis>, BadLine> {
        let wrong = BadLine::Wrong(name, "a time like 2026-11-22T08:15:30.123Z");
        self.text(name)?.map(|text| text.parse().map_err(|_| wrong)).transpose()
    }

    pub fn integer(&mut self, name: &'static str) -> Result<Option<i64>, BadLine> {
        self.take(name).map(|value| value.as_i64().ok_or(BadLine::Wrong(name, "a whole number"))).transpose()
    }

    /// Fails when a field is left.
    pub fn finish(self, kind: &str) -> Result<(), BadLine> {
        match self.0.into_iter().find(|(_, value)| !value.is_null()) {
            None => Ok(()),
            Some((field, _)) => {
                Err(BadLine::UnknownField { field: field.chars().take(64).collect(), kind: kind.to_owned() })
            }
        }
    }

    /// The fields of a kind, as its details.
    pub fn details(&mut self, kind: Kind) -> Result<Map<String, Value>, BadLine> {
        let mut details = Map::new();
        for (name, form) in of(kind) {
            if let Some(value) = self.detail(name, *form)? {
                details.insert((*name).to_owned(), value);
            }
        }
        Ok(details)
    }

    fn detail(&mut self, name: &'static str, form: Form) -> Result<Option<Value>, BadLine> {
        let found: Option<Value> = match form {
            Form::Text => self.text(name)?.map(Value::from),
            Form::Word(words) => match self.text(name)? {
                Some(word) if !words.contains(&word.as_str()) => {
                    return Err(BadLine::Wrong(name, "one of the words that it has"));
                }
                word => word.map(Value::from),
            },
            Form::Time => self.time(name)?.map(|at| at.to_string().into()),
            Form::Number => match self.take(name) {
                Some(value) if !value.is_number() => return Err(BadLine::Wrong(name, "a number")),
                value => value,
            },
            Form::Texts => match self.take(name) {
                Some(Value::Array(values)) if values.iter().all(Value::is_string) => Some(Value::Array(values)),
                Some(_) => return Err(BadLine::Wrong(name, "a list of strings")),
                None => None,
            },
        };
        let needed = matches!(form, Form::Word(_) | Form::Number);
        if needed && found.is_none() { Err(BadLine::Missing(name)) } else { Ok(found) }
    }
}
