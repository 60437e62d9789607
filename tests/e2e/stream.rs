//! The live stream: says what the lists will say, resumes where it was left, ends with its key and its node.
use crate::harness::{line, now, rfc3339, stream::Stream, wait_until, world::World};

#[test]
fn the_stream_tells_of_new_and_amended_messages_and_resumes_without_a_gap() {
    let world = World::start(&[("land.max_age", "300ms")]);
    let shop = world.workspace("Shop");
    let account = world.line(&shop, "Account");
    let (api, user, at) = (world.api(&shop), line::user(1), now() - 3_600_000);
    let stream = Stream::open(&api, None);
    let send = |event| account.send(world.endpoints(), &[event]);
    let of = |id: &'static str, event: &'static str| {
        move |said: &crate::harness::stream::Said| said.event == event && said.data["platform_message_id"] == id
    };
    send(line::text("1", &user, "one", at));
    let created = stream.next("message 1", of("1", "message.created"));
    assert_eq!(created.data["text"], "one");
    assert_eq!(created.data, api.find("1")[0], "the item of the list");
    let changed = stream.next("the conversation", |said| said.event == "conversation.changed");
    assert_eq!(changed.data["message_count"], 1);
    let listed = api.conversations().remove(0);
    assert_eq!(changed.data, listed, "the item of the list");

    send(line::edit("1", &user, "one, better", at + 1000));
    let amended = stream.next("the edit", of("1", "message.amended"));
    assert_eq!(amended.data["text"], "one, better");
    drop(stream);

    // What happens while nobody listens is made up for.
    for (n, id) in ["2", "3", "4"].into_iter().enumerate() {
        send(line::text(id, &user, "meanwhile", at + 2000 + n as i64));
    }
    wait_until("the messages in the list", || api.find("4").len() == 1);
    let resumed = Stream::open(&api, Some(&amended.id));
    for id in ["2", "3", "4"] {
        resumed.next("what was missed", of(id, "message.created"));
    }
    send(line::unsend("3", &user, at + 9000));
    let unsent = resumed.next("the unsend", of("3", "message.amended"));
    assert!(unsent.data["text"].is_null() && unsent.data["unsent_at"].is_string(), "{}", unsent.data);
    // A read mark moves the conversation too.
    let id = created.data["conversation"].as_str().unwrap();
    let marked = api.post(&format!("/v1/conversations/{id}/read"), &serde_json::json!({"until": rfc3339(now())}));
    assert_eq!(marked.status, 200, "{}", marked.text());
    resumed.next("the read mark", |said| said.event == "conversation.changed" && said.data["unread"] == 0);
}

#[test]
fn a_stream_resumes_over_a_restart_or_says_reset_and_ends_with_its_key() {
    let mut world = World::start(&[("land.max_age", "100ms")]);
    let shop = world.workspace("Shop");
    let account = world.line(&shop, "Account");
    let (user, at) = (line::user(1), now() - 3_600_000);
    let stream = Stream::open(&world.api(&shop), None);
    account.send(world.endpoints(), &[line::text("1", &user, "one", at)]);
    let last = stream.next("message 1", |said| said.event == "message.created");
    world.node.term();
    assert!(stream.ended(), "the stream ends with the node");
    world.node.start();
    account.send(world.endpoints(), &[line::text("2", &user, "two", at + 1)]);
    let resumed = Stream::open(&world.api(&shop), Some(&last.id));
    let said = resumed.next("message 2 or reset", |said| {
        said.event == "reset" || (said.event == "message.created" && said.data["platform_message_id"] == "2")
    });
    assert!(!said.id.is_empty());

    let bad = world.endpoints().client.get(
        &format!("{}/v1/events/stream", world.endpoints().api),
        &[("authorization", &format!("Bearer {}", shop.key)), ("last-event-id", "nonsense")],
    );
    assert_eq!(bad.unwrap().status, 400);
    world.ask(&["key", "revoke", &shop.key_id]);
    assert!(resumed.ended(), "the stream ends with its key");
}
