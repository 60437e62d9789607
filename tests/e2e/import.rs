//! `chatmai import`.
use crate::harness::{
    cli,
    compare::settle,
    line,
    metrics::Totals,
    now, rfc3339, wait_until,
    world::{Workspace, World},
};
use serde_json::{Value, json};

fn message(id: &str, connection: &Value, text: &str, at: i64) -> Value {
    json!({"id": id, "kind": "message", "connection": connection, "conversation": "c1",
        "contact": {"id": "k1", "name": "Ann"}, "author": {"kind": "customer"}, "event_at": rfc3339(at), "seq": 0,
        "type": "text", "text": text})
}

fn import(world: &World, shop: &Workspace, lines: &[String]) -> cli::Outcome {
    let input = lines.join("\n");
    let arguments = ["import", "--workspace", &shop.id, "-", "--json"];
    cli::run_with(world.node.dir(), world.node.settings(), &arguments, Some(input.as_bytes()))
}

#[test]
fn good_lines_come_in_once_and_bad_ones_are_named() {
    let mut world = World::start(&[("land.max_age", "100ms"), ("jobs.derive_interval", "200ms")]);
    let shop = world.workspace("Shop");
    let account = world.line(&shop, "Account");
    let (at, named) = (now() - 10 * 86_400_000, json!({"platform": "line", "name": "Old inbox"}));
    let own = json!(account.connection);
    let good = [
        message("1", &named, "hello", at),
        message("2", &own, "from the same account", at + 1000),
        json!({"id": "3", "kind": "message", "connection": named, "conversation": "c1", "event_at": rfc3339(at + 2000),
            "author": {"kind": "agent", "member": "alice"}, "text": "answer"}),
        json!({"id": "4", "kind": "assign", "connection": named, "conversation": "c1", "event_at": rfc3339(at + 3000),
            "author": {"kind": "agent", "member": "alice"}, "agent": "alice"}),
        json!({"id": "5", "kind": "close", "connection": named, "conversation": "c1", "event_at": rfc3339(at + 4000),
            "author": {"kind": "agent", "member": "alice"}, "reason": "resolved"}),
    ];
    let lines: Vec<String> = good.iter().map(Value::to_string).collect();
    let outcome = import(&world, &shop, &lines);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let summary = outcome.json();
    assert_eq!((&summary["lines"], &summary["appended"], &summary["bad"]), (&5.into(), &5.into(), &0.into()));
    let position = summary["position"].as_str().unwrap();
    let api = world.api(&shop);
    let page = api.json(&format!("/v1/conversations?min_position={position}"));
    assert_eq!(page["items"].as_array().unwrap().len(), 2);
    let old = page["items"].as_array().unwrap().iter().find(|c| c["connection"] != own).unwrap().clone();
    assert_eq!(old["contact"]["name"], "Ann");
    assert_eq!(
        (&old["status"], &old["assignee"], &old["message_count"]),
        (&"closed".into(), &"alice".into(), &2.into())
    );

    let bad = [
        "{".to_owned(),
        "[]".into(),
        message("6", &json!("0123456789abcdef0123456789abcdef"), "unknown connection", at).to_string(),
        json!({"id": "7", "kind": "dance", "connection": named, "conversation": "c", "event_at": rfc3339(at)})
            .to_string(),
        message("8", &named, "no time", at).to_string().replace("event_at", "event_when"),
        json!({"id": "9", "kind": "message", "connection": named, "event_at": rfc3339(at), "text": "x"}).to_string(),
    ];
    // Good lines a second time, between bad ones, with blank lines that are none.
    let mut mixed = vec![bad[0].clone(), lines[0].clone(), String::new()];
    mixed.extend(bad[1..].iter().cloned());
    mixed.extend(lines[1..].iter().cloned());
    let outcome = import(&world, &shop, &mixed);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    let summary = outcome.json();
    assert_eq!((&summary["lines"], &summary["appended"], &summary["bad"]), (&11.into(), &5.into(), &6.into()));
    for number in [1, 4, 5, 6, 7, 8] {
        assert!(outcome.stderr.contains(&format!("line {number}: ")), "{number}: {}", outcome.stderr);
    }
    assert!(!outcome.stderr.contains("unknown connection\""), "content in stderr: {}", outcome.stderr);
    settle(&mut world);
    let totals = Totals::read(world.endpoints());
    assert_eq!((totals.accepted, totals.committed, totals.duplicates), (10, 5, 5), "{totals:?}");
    assert_eq!(world.api(&shop).events().len(), 5);
    // A webhook brings what was imported under the same id: still one.
    account.send(world.endpoints(), &[line::text("2", "c1", "from the same account", at + 1000)]);
    settle(&mut world);
    assert_eq!(world.api(&shop).find("2").len(), 1);
    assert_eq!(world.api(&shop).events().len(), 5);
}

#[test]
fn an_import_without_a_running_node_takes_the_lock_itself() {
    let mut world = World::start(&[]);
    let shop = world.workspace("Shop");
    world.node.term();
    let named = json!({"platform": "facebook", "name": "Old page"});
    let at = now() - 86_400_000;
    let lines: Vec<String> = (0..2500).map(|n| message(&n.to_string(), &named, "x", at + n).to_string()).collect();
    let outcome = import(&world, &shop, &lines);
    assert_eq!((outcome.code, outcome.json()["appended"].as_u64()), (Some(0), Some(2500)), "{outcome:?}");
    world.node.start();
    let events = world.api(&shop).events();
    assert_eq!(events.len(), 2500);
    let wrong = world.run(&["import", "--workspace", "0123456789abcdef0123456789abcdef", "-", "--json"]);
    assert_ne!(wrong.code, Some(0));
    let no_file = world.run(&["import", "--workspace", &shop.id, "/nowhere/at/all.ndjson", "--json"]);
    assert_ne!(no_file.code, Some(0));
}

#[test]
fn an_input_that_cannot_be_read_ends_the_command_beside_a_running_node_too() {
    let world = World::start(&[]);
    let shop = world.workspace("Shop");
    let directory = world.root().join("no-file");
    std::fs::create_dir(&directory).unwrap();
    let outcome = world.run(&["import", "--workspace", &shop.id, directory.to_str().unwrap(), "--json"]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stderr.contains("the input cannot be read"), "{outcome:?}");
}

#[test]
fn an_import_says_who_wrote_what_an_echo_brought() {
    let mut world = World::start(&[("land.max_age", "100ms"), ("jobs.derive_interval", "200ms")]);
    let shop = world.workspace("Shop");
    let page = world.page(&shop, "Page");
    let (own, at) = (json!(page.connection), now() - 3 * 86_400_000);
    let line = |id: &str, at: i64| {
        let line = json!({"id": id, "kind": "message", "connection": own, "conversation": "7", "event_at": rfc3339(at),
            "author": {"kind": "agent", "member": "alice"}, "text": "as the old inbox wrote it"});
        line.to_string()
    };
    // Before the echo (by a clock half an hour off), and after it (a day off); each twice, once across a crash.
    assert_eq!(import(&world, &shop, &[line("m_2", at + 2000)]).code, Some(0));
    let echoes = [
        page.text("m_0", "7", "hello", at),
        page.echo("m_1", "7", "as it was sent", None, at + 1000),
        page.echo("m_2", "7", "as it was sent", None, at + 2000 + 1_800_000),
    ];
    page.send(world.endpoints(), &echoes);
    let before = world.api(&shop);
    assert_eq!(import(&world, &shop, &[line("m_1", at - 86_400_000)]).code, Some(0));
    let check = |world: &World| {
        let api = world.api(&shop);
        let (one, two) = (api.find("m_1"), api.find("m_2"));
        assert_eq!((one.len(), two.len()), (1, 1));
        assert_eq!((&one[0]["text"], &two[0]["text"]), (&"as it was sent".into(), &"as the old inbox wrote it".into()));
        for message in [&one[0], &two[0]] {
            assert_eq!(message["author"]["kind"], "agent");
            assert_eq!(message["author"]["member"], "alice");
        }
        let events = api.events();
        let kinds: Vec<_> = events.iter().map(|event| event["kind"].as_str().unwrap_or_default()).collect();
        assert_eq!(kinds, ["message", "message", "message", "author_amendment"]);
        assert_eq!((&events[3]["body"]["message"], &events[3]["body"]["member"]), (&one[0]["id"], &"alice".into()));
        let conversations = api.conversations();
        assert_eq!((conversations.len(), &conversations[0]["message_count"]), (1, &3.into()));
    };
    wait_until("the name", || before.find("m_1").first().is_some_and(|m| m["author"]["member"] == "alice"));
    check(&world);
    settle(&mut world);
    check(&world);
    world.node.kill9();
    world.node.start();
    assert_eq!(import(&world, &shop, &[line("m_1", at - 86_400_000), line("m_2", at + 2000)]).code, Some(0));
    page.send(world.endpoints(), &echoes);
    settle(&mut world);
    check(&world);
    let totals = Totals::read(world.endpoints());
    assert_eq!((totals.accepted, totals.committed, totals.duplicates), (10, 3, 7), "{totals:?}");
    assert!(totals.add_up(), "{totals:?}");
}
