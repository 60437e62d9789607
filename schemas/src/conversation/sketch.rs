//! What an index needs of a stored state, read without owning anything of it: a workspace in use reads a million states
//! at once, and most of what they hold is wanted only when the conversation is shown.
#![allow(dead_code, reason = "fields that are only passed over have to be there")]
use super::{Assigned, ConversationState, lifecycle::Lifecycle, lifecycle::Status};
use crate::{
    columns::ColumnError,
    event::OrderKey,
    ids::{ConnectionId, ContactId, ConversationId, EventId},
    kind::{AuthorKind, MessageType, Platform},
    log::Offset,
    partition::PartitionDay,
    time::Millis,
};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use std::{fmt, marker::PhantomData};

/// See the module's documentation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sketch<'a> {
    /// Which conversation.
    pub conversation: ConversationId,
    /// Of which connection.
    pub connection: ConnectionId,
    /// The connection's platform.
    pub platform: Platform,
    /// Newest message or member action.
    pub last_activity_at: Option<Millis>,
    /// The newest customer message.
    pub customer_at: Option<Millis>,
    /// The newest of read mark and human reply.
    pub seen_at: Option<Millis>,
    /// The newest partition day that holds its events.
    pub newest_day: Option<PartitionDay>,
    /// Where it stands.
    pub status: Status,
    /// The agent it is assigned to.
    pub agent: Option<&'a str>,
    /// True while the lifecycle must be folded again.
    pub stale: bool,
}

impl<'a> Sketch<'a> {
    /// Of a state.
    pub fn of(state: &'a ConversationState) -> Self {
        Self {
            conversation: state.conversation,
            connection: state.connection,
            platform: state.platform,
            last_activity_at: state.last_activity_at,
            customer_at: state.customer_at.first().copied(),
            seen_at: state.read_until.max(state.human_reply_at),
            newest_day: state.days.last().map(|d| d.day),
            status: state.lifecycle.status,
            agent: state.assigned.as_ref().and_then(|Assigned { agent, .. }| agent.as_deref()),
            stale: state.stale,
        }
    }

    /// Of a state's bytes, as [`ConversationState::encode`] wrote them.
    ///
    /// # Errors
    /// [`ColumnError`] when they do not read.
    pub fn read(bytes: &'a [u8]) -> Result<Self, ColumnError> {
        let state: Stored<'a> = postcard::from_bytes(bytes).map_err(|_| ColumnError("state"))?;
        Ok(Self {
            conversation: state.conversation,
            connection: state.connection,
            platform: state.platform,
            last_activity_at: state.last_activity_at,
            customer_at: state.customer_at.first,
            seen_at: state.read_until.max(state.human_reply_at),
            newest_day: state.days.last.or(state.days.first).map(|d| d.day),
            status: state.lifecycle.status,
            agent: state.assigned.and_then(|a| a.agent),
            stale: state.stale,
        })
    }
}

/// [`ConversationState`] field by field, borrowed.
#[derive(Deserialize)]
struct Stored<'a> {
    conversation: ConversationId,
    connection: ConnectionId,
    platform: Platform,
    version: Offset,
    contact: Option<ContactId>,
    #[serde(borrow)]
    name: Option<(OrderKey, &'a str)>,
    #[serde(borrow)]
    last_message: Option<LastMessage<'a>>,
    last_activity_at: Option<Millis>,
    customer_at: Ends<Millis>,
    read_until: Option<Millis>,
    human_reply_at: Option<Millis>,
    days: Ends<Day>,
    lifecycle: Lifecycle,
    #[serde(borrow)]
    assigned: Option<AssignedTo<'a>>,
    #[serde(borrow)]
    tags: Passed<(&'a str, (OrderKey, bool))>,
    stale: bool,
}

#[derive(Deserialize)]
struct LastMessage<'a>(
    OrderKey,
    Millis,
    PartitionDay,
    #[serde(borrow)] Option<Author<'a>>,
    #[serde(borrow)] Message<'a>,
    Option<Millis>,
    Option<i64>,
    Option<EventId>,
    Option<Millis>,
);

#[derive(Deserialize)]
struct Author<'a>(AuthorKind, #[serde(borrow)] Option<&'a str>, Option<ContactId>, #[serde(borrow)] Option<&'a str>);

#[derive(Deserialize)]
struct Message<'a>(
    &'a str,
    MessageType,
    #[serde(borrow)] Option<&'a str>,
    #[serde(borrow)] Ends<Attachment<'a>>,
    Option<EventId>,
);

#[derive(Deserialize)]
struct Attachment<'a>(MessageType, #[serde(borrow)] Option<&'a str>, #[serde(borrow)] Option<&'a str>);

#[derive(Deserialize)]
struct AssignedTo<'a> {
    key: OrderKey,
    #[serde(borrow)]
    agent: Option<&'a str>,
    #[serde(borrow)]
    team: Option<&'a str>,
}

#[derive(Deserialize, Clone, Copy)]
struct Day {
    day: PartitionDay,
    messages: u32,
    before: Lifecycle,
}

/// The first of a list, and the last where that is another.
struct Ends<T> {
    first: Option<T>,
    last: Option<T>,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Ends<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Each<T> {
            type Value = Ends<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut ends = Ends { first: list.next_element()?, last: None };
                while let Some(item) = list.next_element()? {
                    ends.last = Some(item);
                }
                Ok(ends)
            }
        }
        deserializer.deserialize_seq(Each(PhantomData))
    }
}

/// A map that is passed over.
struct Passed<T>(PhantomData<T>);

impl<'de, K: Deserialize<'de>, V: Deserialize<'de>> Deserialize<'de> for Passed<(K, V)> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each<T>(PhantomData<T>);
        impl<'de, K: Deserialize<'de>, V: Deserialize<'de>> Visitor<'de> for Each<(K, V)> {
            type Value = Passed<(K, V)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                while map.next_entry::<K, V>()?.is_some() {}
                Ok(Passed(PhantomData))
            }
        }
        deserializer.deserialize_map(Each(PhantomData))
    }
}
