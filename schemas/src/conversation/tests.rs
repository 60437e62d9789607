use super::{lifecycle::Status, *};
use crate::{
    columns::{EventColumns, read_events_to_fold},
    event::{Attachment, Contact, Message},
    kind::{AuthorKind, MessageType, Source},
};
use proptest::prelude::*;

const HOUR: i64 = 3_600_000;

fn event(n: u8, at: i64, kind: Kind, author: AuthorKind, details: &str) -> Event {
    Event {
        id: EventId([n; 16]),
        kind,
        source: Source::Import,
        connection: ConnectionId([1; 16]),
        platform: Platform::Line,
        conversation: Some(ConversationId([2; 16])),
        contact: Some(Contact { id: ContactId([3; 16]), name: n.is_multiple_of(3).then(|| format!("name {n}")) }),
        author: Some(Author { kind: author, member: None, contact: None, name: None }),
        event_at: Millis(at),
        claimed_at: None,
        received_at: Millis(at),
        seq: 0,
        message: (kind == Kind::Message).then(|| Message {
            platform_id: n.to_string(),
            kind: MessageType::Text,
            text: Some(format!("text {n}")),
            attachments: Vec::new(),
            reply_to: None,
        }),
        amends: None,
        details: details.into(),
    }
}

fn any_event() -> impl Strategy<Value = (Kind, AuthorKind, i64, &'static str)> {
    let kinds = prop_oneof![
        4 => Just((Kind::Message, AuthorKind::Customer, "{}")),
        3 => Just((Kind::Message, AuthorKind::Agent, "{}")),
        1 => Just((Kind::Message, AuthorKind::Bot, "{}")),
        1 => Just((Kind::Close, AuthorKind::Agent, "{}")),
        1 => Just((Kind::Reopen, AuthorKind::Agent, "{}")),
        1 => Just((Kind::Snooze, AuthorKind::Agent, r#"{"until":"1970-01-05T00:00:00Z"}"#)),
        1 => Just((Kind::Unsnooze, AuthorKind::Agent, "{}")),
        1 => Just((Kind::Follow, AuthorKind::Customer, "{}")),
        1 => Just((Kind::Assign, AuthorKind::System, r#"{"agent":"ann"}"#)),
        1 => Just((Kind::Assign, AuthorKind::System, r#"{"team":"night"}"#)),
        1 => Just((Kind::Tag, AuthorKind::Agent, r#"{"add":["vip"],"remove":["new"]}"#)),
        1 => Just((Kind::Tag, AuthorKind::Agent, r#"{"add":["new"],"remove":["vip"]}"#)),
        1 => Just((Kind::MemberRead, AuthorKind::Agent, r#"{"until":"1970-01-03T00:00:00Z"}"#)),
    ];
    (kinds, 0..(10 * 24 * HOUR)).prop_map(|((kind, author, details), at)| (kind, author, at / HOUR * HOUR, details))
}

fn fold_all(events: &[Event]) -> ConversationState {
    let mut state = ConversationState::new(ConversationId([2; 16]), ConnectionId([1; 16]), Platform::Line);
    let mut seen: Vec<&Event> = Vec::new();
    for event in events {
        state.fold(event);
        seen.push(event);
        if state.stale {
            state.refold(Millis(0), seen.iter().copied());
        }
    }
    state
}

/// What an answer can show of a state.
fn shown(state: &ConversationState) -> impl PartialEq + std::fmt::Debug + use<> {
    (
        state.last_message.clone(),
        state.last_activity_at,
        state.unread(Millis(0)),
        state.message_count(),
        state.lifecycle.status,
        state.assigned.clone(),
        state.tags().map(str::to_owned).collect::<Vec<_>>(),
        (state.name.clone(), state.contact),
        state.days.iter().map(|d| (d.day, d.messages)).collect::<Vec<_>>(),
    )
}

proptest! {
    #[test]
    fn any_order_of_arrival_gives_what_folding_in_order_gives(
        list in proptest::collection::vec(any_event(), 1..40), seed: u64,
    ) {
        let mut events: Vec<Event> = list
            .into_iter()
            .enumerate()
            .map(|(n, (kind, author, at, details))| event(u8::try_from(n).unwrap_or(0), at, kind, author, details))
            .collect();
        events.sort_by_key(Event::order_key);
        let ordered = fold_all(&events);
        let mut arrived = events.clone();
        let mut random = seed;
        for i in (1..arrived.len()).rev() {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            arrived.swap(i, usize::try_from(random >> 33).unwrap_or(0) % (i + 1));
        }
        prop_assert_eq!(shown(&fold_all(&arrived)), shown(&ordered));
    }

    #[test]
    fn what_is_still_open_outlives_the_expiry_of_its_first_day(
        list in proptest::collection::vec(any_event(), 1..30), cut_day in 1i32..9,
    ) {
        let mut events: Vec<Event> = list
            .into_iter()
            .enumerate()
            .map(|(n, (kind, author, at, details))| event(u8::try_from(n).unwrap_or(0), at, kind, author, details))
            .collect();
        events.sort_by_key(Event::order_key);
        let whole = fold_all(&events);
        let mut cut = whole.clone();
        if cut.expire(PartitionDay(cut_day).start()) {
            prop_assert_eq!(cut.lifecycle.status, whole.lifecycle.status);
            let kept: Vec<&Event> = events.iter().filter(|e| cut.days.iter().any(|d| d.day == e.partition_day())).collect();
            cut.refold(PartitionDay(cut_day).start(), kept);
            prop_assert_eq!(cut.lifecycle.status, whole.lifecycle.status);
            prop_assert!(cut.last_message.iter().all(|m| m.key.at >= PartitionDay(cut_day).start()));
        }
    }
}

proptest! {
    #[test]
    fn a_sketch_of_the_bytes_is_a_sketch_of_the_state(list in proptest::collection::vec(any_event(), 0..20), hung in 0usize..3) {
        let mut state = ConversationState::new(ConversationId([2; 16]), ConnectionId([1; 16]), Platform::Line);
        for (n, (kind, author, at, details)) in list.into_iter().enumerate() {
            let mut event = event(u8::try_from(n).unwrap_or(0), at, kind, author, details);
            if let Some(message) = &mut event.message {
                let one = Attachment { kind: MessageType::Image, url: Some("https://a.example".into()), media: None };
                message.attachments = vec![one; hung];
                message.reply_to = (hung == 1).then_some(EventId([9; 16]));
            }
            state.fold(&event);
        }
        let bytes = state.encode(vec![7]).expect("encodes");
        prop_assert_eq!(Sketch::read(&bytes[1..]), Ok(Sketch::of(&state)));
        prop_assert_eq!(ConversationState::decode(&bytes[1..]), Ok(state));
    }
}

proptest! {
    #[test]
    fn rows_read_to_fold_give_the_state_that_whole_rows_give(
        list in proptest::collection::vec((any_event(), 0u8..3), 1..40), batch in 1usize..15, from in 0u64..20, sorted: bool,
    ) {
        let mut rows: Vec<EventRow> = list
            .into_iter()
            .enumerate()
            .map(|(n, ((kind, author, at, details), conversation))| {
                let mut event = event(u8::try_from(n).unwrap_or(0), at, kind, author, details);
                event.conversation = (conversation > 0).then_some(ConversationId([conversation; 16]));
                let mut row = EventRow::new(Offset(n as u64), event);
                row.edited_at = n.is_multiple_of(5).then_some(Millis(1));
                row
            })
            .collect();
        if sorted {
            rows.sort_by_key(|row| (row.event.conversation, row.event.order_key()));
        }
        let first = |id: ConversationId| Offset(from * u64::from(id.0[0] % 2));
        let fold = |rows: &[EventRow]| {
            let mut states: BTreeMap<ConversationId, ConversationState> = BTreeMap::new();
            for row in rows {
                let Some(id) = row.event.conversation.filter(|id| row.offset >= first(*id)) else { continue };
                let new = || ConversationState::new(id, row.event.connection, row.event.platform);
                states.entry(id).or_insert_with(new).fold_row(row);
            }
            states
        };
        let mut read = Vec::new();
        for rows in rows.chunks(batch) {
            let mut columns = EventColumns::with_capacity(rows.len());
            rows.iter().for_each(|row| columns.push(row).expect("pushed"));
            read.extend(read_events_to_fold(&columns.finish().expect("a batch"), first).expect("read"));
        }
        read.sort_by_key(|row| row.event.order_key());
        rows.sort_by_key(|row| row.event.order_key());
        prop_assert_eq!(fold(&read), fold(&rows));
    }
}

#[test]
fn a_business_message_reopens_only_after_the_window() {
    let close = event(1, HOUR, Kind::Close, AuthorKind::Agent, "{}");
    let first = event(0, 0, Kind::Message, AuthorKind::Customer, "{}");
    let soon = event(2, 73 * HOUR - 1, Kind::Message, AuthorKind::Agent, "{}");
    let late = event(3, 73 * HOUR, Kind::Message, AuthorKind::Agent, "{}");
    assert_eq!(
        fold_all(&[first.clone(), close.clone(), soon.clone()]).lifecycle.status,
        Status::Closed { at: Millis(HOUR) }
    );
    assert_eq!(fold_all(&[first, close, soon, late]).lifecycle.status, Status::Open);
}

#[test]
fn unread_counts_customer_messages_after_read_mark_and_human_reply() {
    let mut state = ConversationState::new(ConversationId([2; 16]), ConnectionId([1; 16]), Platform::Line);
    for n in 0..120u8 {
        state.fold(&event(n, i64::from(n) * 1000, Kind::Message, AuthorKind::Customer, "{}"));
    }
    assert_eq!(state.unread(Millis(0)), UNREAD_MAX);
    assert_eq!(state.unread(Millis(110_000)), 10);
    state.fold(&event(200, 117_500, Kind::Message, AuthorKind::AgentExternal, "{}"));
    assert_eq!(state.unread(Millis(0)), 2);
    assert_eq!(state.message_count(), 121);
}
