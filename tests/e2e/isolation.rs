//! Two workspaces with equal platform ids, members and texts see nothing of each other, on any route.
use crate::harness::{
    compare::settle,
    facebook, line, now,
    stream::Stream,
    world::{World, text},
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Every id of the API in a value: 32 hex characters.
fn ids(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit()) => {
            found.insert(text.clone());
        }
        Value::Array(values) => values.iter().for_each(|value| ids(value, found)),
        Value::Object(map) => map.values().for_each(|value| ids(value, found)),
        _ => {}
    }
}

#[test]
fn equal_workspaces_see_nothing_of_each_other() {
    let mut world = World::start(&[("land.max_age", "100ms"), ("jobs.derive_interval", "200ms")]);
    let shops = [world.workspace("Same name"), world.workspace("Same name")];
    let (at, user) = (now() - 3_600_000, line::user(77));
    let destination = line::user(0xd0d0);
    let mut connections = Vec::new();
    for (n, shop) in shops.iter().enumerate() {
        // Equal in everything but the secret and, as one page belongs to one workspace, the page.
        let account = world.line_with(shop, "Same account", &format!("secret-of-{n}"), &destination);
        let page = world.page(shop, "Same page");
        account.send(
            world.endpoints(),
            &[line::text("1", &user, "same words", at), line::text("2", &user, "more", at + 1)],
        );
        page.send(world.endpoints(), &[page.text("m_1", "7", "same words", at)]);
        let import = json!({"id": "i1", "kind": "assign", "connection": account.connection, "conversation": user,
            "author": {"kind": "agent", "member": "alice"}, "agent": "alice", "event_at": crate::harness::rfc3339(at + 5)});
        let file = world.root().join("lines.ndjson");
        std::fs::write(&file, format!("{import}\n")).unwrap();
        assert_eq!(world.ask(&["import", "--workspace", &shop.id, file.to_str().unwrap()])["appended"], 1);
        connections.push((account, page));
    }
    settle(&mut world);
    let apis = shops.each_ref().map(|shop| world.api(shop));
    let seen = apis.each_ref().map(|api| {
        let mut found = BTreeSet::new();
        assert_eq!(api.conversations().len(), 2);
        assert_eq!(api.events().len(), 4);
        ids(&json!([api.conversations(), api.events(), api.json("/v1/conversations/counts")]), &mut found);
        assert!(found.len() >= 8, "{found:?}");
        found
    });
    assert!(seen[0].is_disjoint(&seen[1]), "shared: {:?}", seen[0].intersection(&seen[1]).collect::<Vec<_>>());

    // What is the other's is as unknown as what nobody has: status and body.
    let body = |answer: crate::harness::client::Answer| {
        let mut problem = answer.json();
        problem.as_object_mut().unwrap().remove("request_id");
        (answer.status, problem)
    };
    let unknown = "0123456789abcdef0123456789abcdef";
    let mark = json!({"until": crate::harness::rfc3339(now())});
    let theirs: Vec<String> = apis[1].conversations().iter().map(|c| text(c, "id")).collect();
    for id in theirs.iter().map(String::as_str).chain([unknown, "not-an-id", "%2e%2e"]) {
        for path in ["", "/messages"] {
            let answer = body(apis[0].get(&format!("/v1/conversations/{id}{path}")));
            assert_eq!(answer, body(apis[0].get(&format!("/v1/conversations/{unknown}{path}"))), "{id}{path}");
            assert_eq!(answer.0, 404);
        }
        let answer = body(apis[0].post(&format!("/v1/conversations/{id}/read"), &mark));
        assert_eq!(answer, body(apis[0].post(&format!("/v1/conversations/{unknown}/read"), &mark)), "{id}");
        assert_eq!(answer.0, 404);
    }
    for filter in ["/v1/conversations?connection=", "/v1/conversations/counts?connection="] {
        let foreign = body(apis[0].get(&format!("{filter}{}", connections[1].0.connection)));
        assert_eq!(foreign, body(apis[0].get(&format!("{filter}{unknown}"))), "{filter}");
        assert_eq!(foreign.0, 404);
    }
    // Cursors are bound to their workspace.
    let cursor = text(&apis[1].json("/v1/conversations?limit=1"), "next_cursor");
    assert_eq!(apis[0].get(&format!("/v1/conversations?limit=1&cursor={cursor}")).status, 400);
    let after = text(&apis[1].json("/v1/events?limit=1"), "next_cursor");
    assert_eq!(apis[0].get(&format!("/v1/events?after={after}")).status, 400);

    // The stream of one says nothing of the other's.
    let stream = Stream::open(&apis[0], None);
    connections[1].0.send(world.endpoints(), &[line::text("9", &user, "theirs", at + 10)]);
    connections[0].0.send(world.endpoints(), &[line::text("9", &user, "ours", at + 10)]);
    let said = stream.next("a message", |said| said.event == "message.created");
    assert_eq!(said.data["text"], "ours");
    // An unsend of one does not touch the other's equal message.
    connections[0].0.send(world.endpoints(), &[line::unsend("1", &user, at + 20)]);
    stream.next("the unsend", |said| said.event == "message.amended");
    settle(&mut world);
    assert!(world.api(&shops[0]).find("1")[0]["text"].is_null());
    assert_eq!(world.api(&shops[1]).find("1")[0]["text"], "same words");

    // A page is active in one workspace only, and the other's connection is unknown to imports.
    let taken =
        ["connection", "add", "--workspace", &shops[0].id, "--platform", "facebook", "--name", "Taken", "--page-id"];
    let refused = world.run(&[&taken[..], &[&connections[1].1.id, "--json"]].concat());
    assert_ne!(refused.code, Some(0), "{refused:?}");
    let line = json!({"id": "x", "kind": "message", "connection": connections[1].0.connection, "conversation": user,
        "author": {"kind": "customer"}, "event_at": crate::harness::rfc3339(at), "text": "x"});
    let file = world.root().join("foreign.ndjson");
    std::fs::write(&file, format!("{line}\n")).unwrap();
    let outcome = world.run(&["import", "--workspace", &shops[0].id, file.to_str().unwrap(), "--json"]);
    assert_eq!((outcome.code, outcome.json()["bad"].as_u64()), (Some(1), Some(1)), "{outcome:?}");
    let misdirected =
        facebook::body(&[connections[0].1.entry(&[connections[1].1.text("m_2", "7", "to another page", at)])]);
    assert_eq!(facebook::post(world.endpoints(), &world.endpoints().client, &misdirected).unwrap(), 200);
    assert!(world.api(&shops[1]).find("m_2").is_empty());
}
