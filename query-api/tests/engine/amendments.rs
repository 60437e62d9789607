//! Edits, unsends, corrections, read marks: in every list at once, before and after what they speak of.
use crate::{
    build::{after, agent, amend, conversation, customer, edit, event, id},
    world::{NOON, World},
};
use query_api::engine::{
    Engine,
    types::{ConversationItem, InboxFilter, MessageItem, Order, Walk},
};
use schemas::{
    event::Change,
    ids::WorkspaceId,
    kind::{AuthorKind, Kind},
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
        amend(13, 1, after(NOON, 11), 3, Change::Author { member: "ann".into() }),
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
    let unsend = [amend(3, 1, after(NOON, 60), 2, Change::Unsend), amend(4, 1, after(NOON, 61), 2, edit("back", 1))];
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
    world.append(&ws, &[amend(2, 1, after(NOON, 1), 1, Change::Unsend)]).await;
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
