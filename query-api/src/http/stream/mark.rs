//! The `id` of a live event: how far a client has got.
//!
//! One record can change a message and its conversation. Both changes have the position after the record; a client that
//! leaves between them has to hear the second one, and not the first one again. So the first one's id is the position
//! with [`MESSAGE`] behind it.
use crate::engine::types::Change;
use records::{InvalidPosition, Position};
use schemas::log::Offset;
use std::{fmt, str::FromStr};

const MESSAGE: &str = ".m";

/// A position, or a place inside the record before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Mark {
    pub(in super::super) position: Position,
    /// Only the record's message was told.
    message_only: bool,
}

fn is_message(change: &Change) -> bool {
    matches!(change, Change::MessageCreated(_) | Change::MessageAmended(_))
}

impl Mark {
    pub(super) fn of(position: Position, change: &Change) -> Self {
        Self { position, message_only: is_message(change) }
    }

    /// Where a replay has to begin.
    pub(super) fn replay_from(self) -> Position {
        let next = self.position.next.0;
        let next = if self.message_only { next.saturating_sub(1) } else { next };
        Position { next: Offset(next), ..self.position }
    }

    /// True for what such a replay brings and the client has.
    pub(super) fn covers(self, position: Position, change: &Change) -> bool {
        self.message_only && position == self.position && is_message(change)
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rest = if self.message_only { MESSAGE } else { "" };
        write!(f, "{}{rest}", self.position)
    }
}

impl FromStr for Mark {
    type Err = InvalidPosition;
    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        let (position, message_only) = match text.strip_suffix(MESSAGE) {
            Some(position) => (position, true),
            None => (text, false),
        };
        Ok(Self { position: position.parse()?, message_only })
    }
}
