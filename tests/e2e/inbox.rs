//! From a signed post to the inbox.
use crate::harness::{
    facebook::{self, PAGE_INBOX},
    line,
    metrics::Totals,
    now, wait_for, wait_until,
    world::World,
};

#[test]
fn the_first_line_message_is_in_the_inbox_and_in_its_conversation() {
    let world = World::start(&[]);
    let shop = world.workspace("Shop");
    let account = world.line(&shop, "Official account");
    let api = world.api(&shop);
    assert_eq!(api.conversations(), Vec::<serde_json::Value>::new());

    let at = now() - 60_000;
    account.send(world.endpoints(), &[line::text("610830548529053001", &line::user(7), "こんにちは 😊", at)]);
    let item = wait_for("the conversation in the inbox", || api.conversations().into_iter().next());
    assert_eq!(item["platform"], "line");
    assert_eq!(item["connection"], account.connection.as_str());
    assert_eq!((&item["status"], &item["unread"], &item["message_count"]), (&"open".into(), &1.into(), &1.into()));
    assert_eq!(item["last_message"]["text"], "こんにちは 😊");
    assert_eq!((&item["assignee"], &item["team"], &item["tags"]), (&().into(), &().into(), &serde_json::json!([])));
    let id = item["id"].as_str().unwrap();
    assert!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)), "{id}");

    let one = api.json(&format!("/v1/conversations/{id}"));
    assert_eq!(one["last_message"], item["last_message"]);
    let messages = api.messages(id, "newest");
    assert_eq!(messages.len(), 1);
    let message = &messages[0];
    assert_eq!(message["platform_message_id"], "610830548529053001");
    assert_eq!((&message["direction"], &message["type"]), (&"in".into(), &"text".into()));
    assert_eq!(message["author"]["kind"], "customer");
    assert_eq!(message["conversation"], id);
    assert_eq!(message["event_at"], crate::harness::rfc3339(at));
    assert_eq!(item["last_activity_at"], message["event_at"]);
    for nothing in ["edited_at", "unsent_at", "reply_to"] {
        assert!(message[nothing].is_null(), "{nothing}: {message}");
    }
}

#[test]
fn facebook_messages_echoes_and_edits_meet_in_one_conversation() {
    let world = World::start(&[("platforms.facebook.human_app_ids", "[\"112233\"]")]);
    let shop = world.workspace("Shop");
    let page = world.page(&shop, "Page");
    let (api, at, person) = (world.api(&shop), now() - 60_000, "7012345678901234");
    let app: u64 = facebook::APP_ID.parse().unwrap();
    page.send(world.endpoints(), &[page.text("m_1", person, "Is the blue mug back? ☕", at)]);
    for (n, (mid, said, by)) in [
        ("m_2", "from the page inbox", Some(PAGE_INBOX)),
        ("m_3", "from nobody known", None),
        ("m_4", "from another app", Some(555)),
        ("m_5", "from a human's app", Some(112_233)),
        ("m_6", "from our own app", Some(app)),
    ]
    .into_iter()
    .enumerate()
    {
        page.send(world.endpoints(), &[page.echo(mid, person, said, by, at + 1000 * (n as i64 + 1))]);
    }
    page.send(world.endpoints(), &[page.edit("m_1", person, "Is the green mug back?", 1, at + 9000)]);

    let amended = || Some(api.find("m_1").into_iter().next()?["text"] == "Is the green mug back?");
    wait_until("the edit", || amended() == Some(true));
    let conversations = api.conversations();
    assert_eq!(conversations.len(), 1);
    assert_eq!(conversations[0]["unread"], 0, "people answered");
    let messages = api.messages(conversations[0]["id"].as_str().unwrap(), "oldest");
    let told: Vec<_> =
        messages.iter().map(|m| (m["direction"].as_str().unwrap(), m["author"]["kind"].as_str().unwrap())).collect();
    let external = ("out", "agent_external");
    assert_eq!(told, [("in", "customer"), external, external, ("out", "bot"), external, external]);
    assert!(messages[0]["edited_at"].is_string());
}

#[test]
fn a_facebook_batch_reaches_each_workspace_and_unknown_pages_are_only_counted() {
    let world = World::start(&[("land.max_age", "200ms")]);
    let (one, two) = (world.workspace("One"), world.workspace("Two"));
    let (page_one, page_two) = (world.page(&one, "Page"), world.page(&two, "Page"));
    let at = now() - 60_000;
    let post = facebook::body(&[
        page_one.entry(&[page_one.text("m_same", "42", "for one", at), page_one.read("42", at + 1)]),
        page_two.entry(&[page_two.text("m_same", "42", "for two", at)]),
        facebook::entry("999999999999", &[page_one.text("m_nobody", "42", "for nobody", at)]),
    ]);
    let endpoints = world.endpoints();
    assert_eq!(facebook::post(endpoints, &endpoints.client, &post).unwrap(), 200);
    for (workspace, text) in [(&one, "for one"), (&two, "for two")] {
        let api = world.api(workspace);
        let found = wait_for("the message of the batch", || api.find("m_same").into_iter().next());
        assert_eq!(found["text"], text);
        assert!(api.find("m_nobody").is_empty());
    }
    let only_unknown = facebook::body(&[facebook::entry("999999999999", &[page_one.text("m_x", "1", "x", at)])]);
    assert_eq!(facebook::post(endpoints, &endpoints.client, &only_unknown).unwrap(), 200);
    let totals =
        wait_for("5 events at their end", || Some(Totals::read(endpoints)).filter(|t| t.accepted >= 5 && t.add_up()));
    assert_eq!((totals.committed, totals.ignored, totals.accepted), (3, 2, 5));
}

#[test]
fn the_facebook_handshake_echoes_its_challenge() {
    let world = World::start(&[]);
    let ask = |query: &str| {
        let url = format!("{}/webhooks/facebook?{query}", world.endpoints().ingest);
        world.endpoints().client.get(&url, &[]).unwrap()
    };
    let query =
        |token: &str, challenge: &str| format!("hub.mode=subscribe&hub.challenge={challenge}&hub.verify_token={token}");
    let good = ask(&query(facebook::VERIFY_TOKEN, "1158201444"));
    assert_eq!((good.status, good.text().as_str()), (200, "1158201444"));
    assert!(good.header("content-type").is_some_and(|t| t.starts_with("text/plain")), "{good:?}");
    for bad in [query("wrong", "1"), query(facebook::VERIFY_TOKEN, &"9".repeat(257)), String::new()] {
        let answer = ask(&bad);
        assert_eq!((answer.status, answer.body.len()), (403, 0), "{bad}");
    }
    assert_eq!(
        ask(&format!("hub.mode=unsubscribe&hub.challenge=1&hub.verify_token={}", facebook::VERIFY_TOKEN)).status,
        403
    );
}
