//! A platform delivers again after minutes, days and restarts; there is one row, whatever it does.
use crate::harness::{compare::settle, facebook, line, metrics::Totals, now, wait_until, world::World};
use std::slice;

#[test]
fn the_same_event_a_thousand_times_also_across_restarts_is_one_row() {
    let mut world = World::start(&[("land.max_age", "100ms"), ("jobs.derive_interval", "200ms")]);
    let shop = world.workspace("Shop");
    let account = world.line(&shop, "Account");
    let event = line::text("100", &line::user(1), "once", now() - 120_000);
    let (first, again) = (account.body(slice::from_ref(&event)), account.body(&[line::redelivery(&event)]));
    for round in 0..5 {
        for n in 0..200 {
            let body = if n == 0 && round == 0 { &first } else { &again };
            assert_eq!(account.post(world.endpoints(), &world.endpoints().client, body).unwrap(), 200);
        }
        match round {
            1 => world.node.restart(),
            2 | 3 => {
                world.node.kill9();
                world.node.start();
            }
            _ => {}
        }
    }
    settle(&mut world);
    assert_eq!(world.api(&shop).find("100").len(), 1);
    assert_eq!(world.api(&shop).events().len(), 1);
    assert_eq!(world.api(&shop).conversations()[0]["message_count"], 1);
    let totals = Totals::read(world.endpoints());
    assert_eq!((totals.accepted, totals.committed, totals.duplicates), (1000, 1, 999), "{totals:?}");
}

#[test]
fn copies_within_a_post_beside_others_and_of_every_kind_are_dropped() {
    let mut world = World::start(&[("land.max_age", "100ms")]);
    let shop = world.workspace("Shop");
    let (account, page) = (world.line(&shop, "Account"), world.page(&shop, "Page"));
    let (at, user) = (now() - 120_000, line::user(3));
    let mut joined = line::event("follow", &user, at + 5);
    joined["follow"] = serde_json::json!({"isUnblocked": false});
    let unknown = line::event("neverHeardOf", &user, at + 6);
    let events = [
        line::text("1", &user, "a", at),
        line::edit("1", &user, "b", at + 1),
        line::unsend("2", &user, at + 2),
        joined,
        unknown,
    ];
    let twice: Vec<_> = events.iter().chain(&events).cloned().collect();
    account.send(world.endpoints(), &twice);
    let elements = [
        page.text("m_1", "7", "hi", at),
        page.reaction("m_1", "7", at + 1),
        page.read("7", at + 2),
        page.edit("m_1", "7", "ho", 1, at + 3),
        page.echo("m_2", "7", "hello", None, at + 4),
    ];
    page.send(world.endpoints(), &elements.iter().chain(&elements).cloned().collect::<Vec<_>>());
    // The same message in `messaging` of one post and in `standby` of another.
    let mut standby = page.entry(&[page.text("m_1", "7", "hi", at)]);
    standby["standby"] = standby["messaging"].take();
    standby.as_object_mut().unwrap().remove("messaging");
    let endpoints = world.endpoints();
    assert_eq!(facebook::post(endpoints, &endpoints.client, &facebook::body(&[standby])).unwrap(), 200);
    settle(&mut world);
    for event in &events {
        account.send(world.endpoints(), &[line::redelivery(event)]);
    }
    settle(&mut world);
    let totals = Totals::read(world.endpoints());
    assert_eq!(totals.accepted, 10 + 10 + 1 + 5, "{totals:?}");
    assert_eq!((totals.committed, totals.dead_lettered, totals.duplicates), (4 + 5, 1, 26 - 10), "{totals:?}");
    assert!(totals.add_up(), "{totals:?}");
    assert_eq!(world.api(&shop).events().len(), 9);
    assert_eq!(world.dead_letters(&shop.id).len(), 1);
}

#[test]
fn a_copy_is_not_seen_twice_while_one_is_in_a_file_and_one_in_the_log() {
    // The first copy lands, the second stays in the log: land waits longer than this test runs.
    let mut world = World::start(&[("land.max_age", "100ms")]);
    let shop = world.workspace("Shop");
    let account = world.line(&shop, "Account");
    let event = line::text("1", &line::user(1), "once", now() - 60_000);
    account.send(world.endpoints(), slice::from_ref(&event));
    world.node.term();
    world.node.set("land.max_age", "1d");
    world.node.start();
    let before = Totals::read(world.endpoints()).committed;
    account
        .send(world.endpoints(), &[line::redelivery(&event), line::text("2", &line::user(1), "new", now() - 50_000)]);
    let api = world.api(&shop);
    wait_until("the new message", || api.find("2").len() == 1);
    assert_eq!(api.find("1").len(), 1);
    assert_eq!(api.events().len(), 2);
    assert_eq!(api.conversations()[0]["message_count"], 2);
    assert_eq!(Totals::read(world.endpoints()).committed, before, "nothing was to be landed yet");
}
