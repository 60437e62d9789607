//! Open, snoozed, closed: the part of a conversation that depends on order (`metrics.md` §2).
use crate::{
    event::{Event, OrderKey},
    kind::Kind,
    time::Millis,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long after a close a message of the business belongs to the closed episode (`metrics.md` §2).
pub const REOPEN_WINDOW: Duration = Duration::from_secs(72 * 3600);

/// Where the conversation stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Status {
    /// No episode yet; shown as closed.
    #[default]
    None,
    /// An episode is open.
    Open,
    /// Open, and put aside until an instant; without one until somebody acts.
    Snoozed {
        /// When the snooze ends by itself.
        until: Option<Millis>,
    },
    /// The last episode is closed.
    Closed {
        /// When.
        at: Millis,
    },
}

impl Status {
    /// As the API shows it at an instant: a snooze that has ended is open.
    pub fn at(self, now: Millis) -> &'static str {
        match self {
            Self::Snoozed { until: Some(until) } if until <= now => "open",
            other => other.name(),
        }
    }

    /// As the API shows it, leaving the end of a snooze aside.
    pub fn name(self) -> &'static str {
        match self {
            Self::None | Self::Closed { .. } => "closed",
            Self::Open => "open",
            Self::Snoozed { .. } => "snoozed",
        }
    }
}

/// What moves the machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Input {
    /// A customer wrote.
    Customer,
    /// A person of the business wrote.
    Human,
    /// Explicit reopen.
    Reopen,
    /// Close.
    Close,
    /// Snooze, until an instant.
    Snooze(Option<Millis>),
    /// End of the snooze.
    Unsnooze,
}

impl Input {
    /// What an event is to the machine; most are nothing.
    pub fn of(event: &Event, until: Option<Millis>) -> Option<Self> {
        match event.kind {
            Kind::Message if event.is_customer_message() => Some(Self::Customer),
            Kind::Message if event.is_human_reply() => Some(Self::Human),
            Kind::Reopen => Some(Self::Reopen),
            Kind::Close => Some(Self::Close),
            Kind::Snooze => Some(Self::Snooze(until)),
            Kind::Unsnooze => Some(Self::Unsnooze),
            _ => None,
        }
    }

    fn opens(self) -> bool {
        matches!(self, Self::Customer | Self::Human | Self::Reopen)
    }
}

/// The machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Lifecycle {
    /// Where it stands.
    pub status: Status,
    /// The newest event that stepped it.
    pub last: Option<OrderKey>,
    /// True once a close, snooze or unsnooze has stepped it: from then on order matters.
    pub ordered: bool,
}

impl Lifecycle {
    /// True when the machine has already stepped over a later event.
    pub fn is_late(&self, key: OrderKey) -> bool {
        self.last.is_some_and(|last| key < last)
    }

    /// True when this input gives the same outcome wherever it is put.
    pub fn commutes(&self, input: Input) -> bool {
        !self.ordered && input.opens()
    }

    /// An opening, while order does not matter.
    pub fn open(&mut self, key: OrderKey) {
        if self.last.is_none_or(|last| last < key) {
            self.last = Some(key);
        }
        self.status = Status::Open;
    }

    /// Steps over the next event.
    pub fn step(&mut self, key: OrderKey, input: Input) {
        let status = match self.status {
            Status::Snoozed { until: Some(until) } if until <= key.at => Status::Open,
            other => other,
        };
        self.status = match (status, input) {
            (Status::None, i) if i.opens() => Status::Open,
            (Status::Closed { .. }, Input::Customer | Input::Reopen) => Status::Open,
            (Status::Closed { at }, Input::Human) if key.at >= at + REOPEN_WINDOW => Status::Open,
            (Status::Open | Status::Snoozed { .. }, Input::Close) => Status::Closed { at: key.at },
            (Status::Open | Status::Snoozed { .. }, Input::Snooze(until)) => Status::Snoozed { until },
            (Status::Snoozed { .. }, Input::Unsnooze | Input::Customer | Input::Reopen) => Status::Open,
            (status, _) => status,
        };
        self.ordered |= !input.opens();
        self.last = Some(key);
    }
}
