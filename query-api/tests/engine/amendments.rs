//! Edits, unsends, corrections, read marks: in every list at once, before and after what they speak of.
use crate::{
    build::{after, agent, amend, conversation, customer, edit, event, id},
    world::{NOON, World},
};
use query_api::engine::{
    Engine, Live,
    types::{Change, ConversationItem, InboxFilter, MessageItem, Order, Walk},
};
use schemas::{
    event::Change as Changed,
    ids::WorkspaceId,
    kind::{AuthorKind, Kind, Source},
    log::Offset,
};

async fn messages(engine: &Engine, ws: WorkspaceId) -> Vec<MessageItem> {
    engine.messages(ws, conversation(1), Order::Oldest, Walk::Start, 200).await.expect("messages").items
}

async fn row(engine: &Engine, ws: WorkspaceId) -> ConversationItem {
    engine.conversation(ws, conversation(1)).await.expect("there")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn amendments_are_applied_whether_they_come_before_or_after() {
    let world = World::new().await;
    let ws = world.workspace("a", None).await;
    let engine = world.engine().await;
    let mut external = agent(3, 1, after(NOON, 3));
    external.author.as_mut().expect("an author").kind = AuthorKind::AgentExternal;
    let events = [
        amend(10, 1, after(NOON, 9), 2, edit("new 2", 1)),
        customer(1, 1, after(NOON, 1)),
        customer(2, 1, after(NOON, 2)),
        external,
        amend(11, 1, after(NOON, 10), 1, edit("newer 1", 2)),
        amend(12, 1, after(NOON, 8), 1, edit("older 1", 1)),
        amend(13, 1, after(NOON, 11), 3, Changed::Author { member: "ann".into() }),
    ];
    world.tell(&engine, &ws, &events).await;
    let check = async |engine: &Engine| {
        let messages = messages(engine, ws.id).await;
        let texts: Vec<_> = messages.iter().map(|m| m.text.as_deref()).collect();
        assert_eq!(texts, [Some("newer 1"), Some("new 2"), Some("text 3")]);
        assert_eq!(messages[0].edited_at, Some(after(NOON, 10)));
        let author = messages[2].author.clone().expect("an author");
        assert_eq!((author.kind, author.member.as_deref()), (AuthorKind::Agent, Some("ann")));
        let last = row(engine, ws.id).await.last_message.expect("a message");
        assert_eq!(Some(&last), messages.last());
        let (items, _) = engine.events(ws.id, None, 100).await.expect("events");
        assert_eq!(items.len(), 7);
        assert_eq!(items[0].body["message"], id(2).to_string());
        assert_eq!(items[1].body["text"], "newer 1");
        assert_eq!(items[5].body["text"], serde_json::Value::Null, "an edit that no longer holds shows nothing");
    };
    check(&engine).await;
    world.land(ws.slot, schemas::log::Offset(3)).await;
    engine.refresh().await.expect("refreshed");
    check(&engine).await;
    world.land(ws.slot, world.end(&ws).await).await;
    check(&world.engine().await.engine).await;
    world.derive(ws.id, ws.slot).await;
    world.compact(ws.id, ws.slot).await;
    engine.refresh().await.expect("refreshed");
    check(&engine).await;
    check(&world.engine().await.engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_taken_back_is_gone_from_the_inbox_at_once() {
    let world = World::new().await;
    let ws = world.workspace("a", None).await;
    let engine = world.engine().await;
    world.tell(&engine, &ws, &[customer(1, 1, NOON), customer(2, 1, after(NOON, 1))]).await;
    world.land(ws.slot, world.end(&ws).await).await;
    world.derive(ws.id, ws.slot).await;
    engine.refresh().await.expect("refreshed");
    let other = world.engine().await;
    assert_eq!(row(&other, ws.id).await.last_message.and_then(|m| m.text).as_deref(), Some("text 2"));
    let unsend = [amend(3, 1, after(NOON, 60), 2, Changed::Unsend), amend(4, 1, after(NOON, 61), 2, edit("back", 1))];
    let position = world.tell(&engine, &ws, &unsend).await;
    other.reach(ws.id, position, crate::world::LONG).await.expect("reached");
    for engine in [&engine, &other] {
        let last = row(engine, ws.id).await.last_message.expect("a message");
        assert_eq!((last.text, last.unsent_at), (None, Some(after(NOON, 60))));
        assert_eq!(messages(engine, ws.id).await[1].text, None);
        let (items, _) = engine.events(ws.id, None, 100).await.expect("events");
        assert!(!serde_json::to_string(&items).expect("json").contains("back"));
        assert_eq!(items.len(), 4);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_amendment_that_was_compacted_before_it_was_derived_is_not_lost() {
    let world = World::new().await;
    let ws = world.workspace("a", None).await;
    world.append(&ws, &[customer(1, 1, NOON)]).await;
    world.land(ws.slot, world.end(&ws).await).await;
    world.derive(ws.id, ws.slot).await;
    world.append(&ws, &[amend(2, 1, after(NOON, 1), 1, Changed::Unsend)]).await;
    world.land(ws.slot, world.end(&ws).await).await;
    world.compact(ws.id, ws.slot).await;
    let engine = world.engine().await;
    let last = row(&engine, ws.id).await.last_message.expect("a message");
    assert_eq!((last.text, last.unsent_at), (None, Some(after(NOON, 1))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_mark_and_a_reply_clear_what_is_unread() {
    let world = World::new().await;
    let ws = world.workspace("a", None).await;
    let engine = world.engine().await;
    let unread = async || {
        let filter = InboxFilter { unread: Some(true), ..InboxFilter::default() };
        let page = engine.conversations(ws.id, &filter, Walk::Start, 10).await.expect("a page");
        let counts = engine.counts(ws.id, &InboxFilter::default()).await.expect("counts");
        assert_eq!(counts.unread, page.items.len() as u64);
        (row(&engine, ws.id).await.unread, page.items.len())
    };
    world.tell(&engine, &ws, &[customer(1, 1, NOON), customer(2, 1, after(NOON, 10)), customer(3, 2, NOON)]).await;
    assert_eq!(unread().await, (2, 2));
    let until = format!(r#"{{"until":"{}"}}"#, after(NOON, 5));
    world.tell(&engine, &ws, &[event(4, 1, after(NOON, 20), Kind::MemberRead, &until)]).await;
    assert_eq!(unread().await, (1, 2));
    world.tell(&engine, &ws, &[agent(5, 1, after(NOON, 30))]).await;
    assert_eq!(unread().await, (0, 1));
    world.tell(&engine, &ws, &[customer(6, 1, after(NOON, 40))]).await;
    assert_eq!(unread().await, (1, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_later_copy_that_names_the_member_says_who_wrote_it() {
    let world = World::new().await;
    let ws = world.workspace("a", None).await;
    let engine = world.engine().await;
    let external = |n: u32, at| {
        let mut event = agent(n, 1, after(NOON, at));
        event.author.as_mut().expect("an author").kind = AuthorKind::AgentExternal;
        event
    };
    let named = |n: u32, at, source| {
        let mut event = agent(n, 1, after(NOON, at));
        event.author.as_mut().expect("an author").member = Some("ann".into());
        event.message.as_mut().expect("a message").text = Some("another wording".into());
        event.source = source;
        event
    };
    let (webhook, import) = (Source::Webhooks, Source::Import);
    let position = world.tell(&engine, &ws, &[customer(1, 1, NOON), external(2, 10), external(3, 20)]).await;
    let mut changes = engine.subscribe(ws.id).await.expect("subscribed");
    // By our own clock half an hour off; again; by an import a day off; and the member's copy first, the echo later.
    let copies = [
        named(2, 1800, webhook),
        named(2, 1800, webhook),
        named(3, -86_400, import),
        named(3, -86_400, import),
        named(4, 30, webhook),
        external(4, 40),
    ];
    let end = world.tell(&engine, &ws, &copies).await;
    let mut told = Vec::new();
    while told.last() != Some(&id(4)) {
        match changes.next().await {
            Some(Live::Change(_, change)) => match *change {
                Change::MessageAmended(item) | Change::MessageCreated(item) => told.push(item.id),
                Change::ConversationChanged(_) => {}
            },
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(told, [id(2), id(3), id(4)]);
    let check = async |engine: &Engine| {
        let messages = messages(engine, ws.id).await;
        let texts: Vec<_> = messages.iter().map(|m| m.text.as_deref().unwrap_or_default()).collect();
        assert_eq!(texts, ["text 1", "text 2", "text 3", "another wording"], "the first gives the content");
        for message in &messages[1..] {
            let author = message.author.clone().expect("an author");
            assert_eq!((author.kind, author.member.as_deref()), (AuthorKind::Agent, Some("ann")));
        }
        let row = row(engine, ws.id).await;
        assert_eq!((row.message_count, row.unread), (4, 0));
        assert_eq!(row.last_message.as_ref(), messages.last());
        let (items, _) = engine.events(ws.id, None, 100).await.expect("events");
        let kinds: Vec<_> = items.iter().map(|item| item.kind).collect();
        let (message, amendment) = (Kind::Message, Kind::AuthorAmendment);
        assert_eq!(kinds, [message, message, message, amendment, amendment, message]);
        assert_eq!(
            (&items[1].body["author"]["kind"], &items[1].body["author"]["member"]),
            (&"agent".into(), &"ann".into())
        );
        assert_eq!((&items[3].body["message"], &items[3].body["member"]), (&id(2).to_string().into(), &"ann".into()));
        assert_eq!((items[3].id, items[3].event_at), (id(2).of_author_amendment(), after(NOON, 10)));
        assert!(items[3].body.get("text").is_none(), "no content twice");
    };
    check(&engine).await;
    // The first ones land, the copies are in the tail; then between the copies; then all of it.
    for to in [position.next, Offset(position.next.0 + 1), Offset(position.next.0 + 4), end.next] {
        world.land(ws.slot, to).await;
        check(&engine).await;
        engine.refresh().await.expect("refreshed");
        check(&engine).await;
        check(&world.engine().await.engine).await;
    }
    world.derive(ws.id, ws.slot).await;
    check(&world.engine().await.engine).await;
    // Folded into the rows: a copy that comes now leaves nothing either.
    world.compact(ws.id, ws.slot).await;
    world.tell(&engine, &ws, &[named(2, 1800, webhook), named(3, 86_400, import)]).await;
    check(&engine).await;
    engine.refresh().await.expect("refreshed");
    check(&engine).await;
    world.land(ws.slot, world.end(&ws).await).await;
    check(&world.engine().await.engine).await;
}
