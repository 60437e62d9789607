//! Events that claim an impossible time.
use crate::harness::{DAY, compare::settle, facebook, line, metrics::Totals, millis, now, rfc3339, world::World};
use serde_json::json;

#[test]
fn the_far_future_takes_the_receive_time_and_the_far_past_is_only_counted() {
    let mut world = World::start(&[("land.max_age", "100ms")]);
    let shop = world.workspace("Shop");
    let (account, page) = (world.line(&shop, "Account"), world.page(&shop, "Page"));
    let (in_2099, user) = (4_070_908_800_000, line::user(1));
    let before = now();
    let future =
        [line::text("1", &user, "from 2099", in_2099), line::text("2", &user, "nine minutes ahead", before + 540_000)];
    account.send(world.endpoints(), &future);
    page.send(world.endpoints(), &[page.text("m_1", "7", "from 2099", in_2099)]);
    settle(&mut world);
    // Copies of a claim are known, whenever they come.
    account.send(world.endpoints(), &[line::redelivery(&future[0])]);
    page.send(world.endpoints(), &[page.text("m_1", "7", "from 2099", in_2099)]);
    let past = [
        line::text("3", &user, "epoch", 0),
        line::text("4", &user, "1970", 86_400_000),
        line::text("5", &user, "minus", -5),
    ];
    account.send(world.endpoints(), &past);
    account.send(
        world.endpoints(),
        &[
            line::text("6", &user, "357 days", before - 357 * DAY),
            line::text("7", &user, "355 days", before - 355 * DAY),
        ],
    );
    page.send(
        world.endpoints(),
        &[page.text("m_2", "7", "1970", 100_000_000_000), page.text("m_3", "7", "seconds", before / 1000)],
    );
    for extreme in [i64::MAX, i64::MIN] {
        account.send(world.endpoints(), &[line::text(&format!("x{}", extreme > 0), &user, "extreme", extreme)]);
    }
    settle(&mut world);
    let api = world.api(&shop);
    let events = api.events();
    let at = |id: &str| {
        let of: Vec<_> = events.iter().filter(|e| e["body"]["platform_message_id"] == id).collect();
        assert!(of.len() <= 1, "{id} is there {} times", of.len());
        of.first().map(|e| millis(e["event_at"].as_str().unwrap()))
    };
    for id in ["1", "m_1", "xtrue"] {
        let at = at(id).unwrap();
        assert!((before..=now()).contains(&at), "{id}: {at}");
    }
    assert_eq!(at("2"), Some(before + 540_000), "within the tolerance the claim holds");
    assert_eq!(at("7"), Some(before - 355 * DAY));
    assert_eq!(at("m_3"), Some(before / 1000 * 1000));
    for gone in ["3", "4", "5", "6", "m_2", "xfalse"] {
        assert_eq!(at(gone), None, "{gone}");
    }
    let totals = Totals::read(world.endpoints());
    assert_eq!((totals.ignored, totals.duplicates, totals.committed), (6, 2, 6), "{totals:?}");
    assert!(totals.add_up());
    // The claim did not move the conversation to 2099.
    let newest = api.conversations();
    assert!(newest.iter().all(|c| millis(c["last_activity_at"].as_str().unwrap()) <= now() + 600_000), "{newest:?}");
}

#[test]
fn events_without_a_time_are_known_again_whenever_they_come() {
    let mut world = World::start(&[("land.max_age", "100ms")]);
    let shop = world.workspace("Shop");
    let (account, page) = (world.line(&shop, "Account"), world.page(&shop, "Page"));
    let mut message = line::text("1", &line::user(1), "no time", 0);
    let mut element = page.text("m_1", "7", "no time", 0);
    for event in [&mut message, &mut element] {
        event.as_object_mut().unwrap().remove("timestamp");
    }
    for round in 0..3i64 {
        account.send(world.endpoints(), &[line::redelivery(&message)]);
        let mut entry = page.entry(std::slice::from_ref(&element));
        // Another time of sending in each delivery.
        entry["time"] = (now() + round * 5000).into();
        assert_eq!(
            facebook::post(world.endpoints(), &world.endpoints().client, &facebook::body(&[entry])).unwrap(),
            200
        );
        settle(&mut world);
    }
    let api = world.api(&shop);
    assert_eq!(api.events().len(), 2);
    assert!(api.conversations().iter().all(|c| c["message_count"] == 1 && c["unread"] == 1));
    assert_eq!(Totals::read(world.endpoints()).duplicates, 4);
}

#[test]
fn our_own_record_and_the_echo_of_it_are_one_message() {
    let mut world = World::start(&[("land.max_age", "100ms")]);
    let shop = world.workspace("Shop");
    let page = world.page(&shop, "Page");
    let at = now() - 7_200_000;
    let line = json!({
        "id": "m_own", "kind": "message", "connection": page.connection, "conversation": "7",
        "contact": {"id": "7"}, "author": {"kind": "agent", "member": "alice"},
        "event_at": rfc3339(at), "type": "text", "text": "reserved",
    });
    let file = world.root().join("own.ndjson");
    std::fs::write(&file, line.to_string()).unwrap();
    world.ask(&["import", "--workspace", &shop.id, file.to_str().unwrap()]);
    settle(&mut world);
    page.send(world.endpoints(), &[page.echo("m_own", "7", "reserved", None, at + 1_700_000)]);
    settle(&mut world);
    let found = world.api(&shop).find("m_own");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["author"]["member"], "alice");
}

#[test]
fn an_edit_that_says_no_text_takes_none_away() {
    let mut world = World::start(&[("land.max_age", "100ms")]);
    let shop = world.workspace("Shop");
    let page = world.page(&shop, "Page");
    page.send(world.endpoints(), &[page.text("m_1", "7", "keep me", now())]);
    let mut edit = page.edit("m_1", "7", "", 1, now());
    edit["message_edit"].as_object_mut().unwrap().remove("text");
    page.send(world.endpoints(), &[edit]);
    settle(&mut world);
    let found = world.api(&shop).find("m_1");
    assert_eq!((found[0]["text"].as_str(), found[0]["edited_at"].is_null()), (Some("keep me"), true));
    assert_eq!(world.dead_letters(&shop.id).len(), 1);
}
