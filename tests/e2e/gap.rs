//! A log that let go of records before they were landed: nothing starts, until an operator says to go on without them.
use crate::harness::{
    catalog::files,
    kafka::Kafka,
    line::{self, Account},
    metrics, now, wait_until,
    world::{Workspace, World},
};

/// Events and bytes of the text of each: three segments of the log and more.
const EVENTS: u64 = 600;
const TEXT: usize = 4000;

#[test]
fn a_gap_in_the_log_stops_a_start_until_it_is_passed_and_what_is_lost_is_counted() {
    let (world, shop, account) = unlanded(&[("log.segment_bytes", "1MiB")]);
    let mut segments: Vec<_> = files(&world.dir().join("log")).into_iter().filter(|file| is_large(file)).collect();
    segments.sort();
    assert!(segments.len() > 2, "{segments:?}");
    std::fs::remove_file(&segments[0]).unwrap();
    is_passed(world, &shop, &account);
}

#[test]
fn on_kafka_a_gap_stops_a_start_until_it_is_passed_and_so_does_a_topic_that_was_made_again() {
    let Some(kafka) = Kafka::start(1) else { return };
    let settings = kafka.node();
    let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let (world, shop, account) = unlanded(&settings);
    kafka.forget("events", EVENTS / 4);
    let mut world = is_passed(world, &shop, &account);
    world.node.term();
    kafka.make_again("events");
    assert_eq!(world.node.try_start().expect("it must not start").code(), Some(1));
    assert!(world.node.log().contains("another event log"), "{}", world.node.log());
}

/// A world that was killed before it landed its events.
fn unlanded(settings: &[(&str, &str)]) -> (World, Workspace, Account) {
    let mut world = World::start(&[&[("land.max_age", "1h"), ("log.slots", "1")], settings].concat());
    let shop = world.workspace("Shop");
    let account = world.line(&shop, "Account");
    let text = "x".repeat(TEXT);
    let ids: Vec<u64> = (0..EVENTS).collect();
    let at = now() - 60_000;
    for ids in ids.chunks(50) {
        let events: Vec<_> =
            ids.iter().map(|id| line::text(&id.to_string(), &line::user(1), &text, at + *id as i64)).collect();
        account.send(world.endpoints(), &events);
    }
    // Nothing is landed, and no end lands it.
    world.node.kill9();
    (world, shop, account)
}

fn is_passed(mut world: World, shop: &Workspace, account: &Account) -> World {
    assert_eq!(world.node.try_start().expect("it must not start").code(), Some(1));
    let said = world.node.log();
    let command = said.split_once("`chatmai log pass-gap --slot 0 --to ").expect("the command").1;
    let to = command.split_once('`').expect("its end").0.to_owned();
    let lost: u64 = to.parse().unwrap();
    assert!(0 < lost && lost < EVENTS, "{said}");

    let elsewhere = (lost + 1).to_string();
    let refused = world.run(&["log", "pass-gap", "--slot", "0", "--to", &elsewhere]);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(world.node.try_start().is_some(), "a refused command changes nothing");
    let passed = world.ask(&["log", "pass-gap", "--slot", "0", "--to", &to]);
    assert_eq!(passed["lost"], lost);
    let again = world.run(&["log", "pass-gap", "--slot", "0", "--to", &to]);
    assert_eq!(again.code, Some(2), "{}", again.stderr);
    assert!(again.stderr.contains("has no gap"), "{}", again.stderr);

    world.node.set("land.max_age", "100ms");
    world.node.start();
    let count = |word: &str| metrics::labelled(world.endpoints(), "chatmai_events_total", word);
    wait_until("all that is left", || count("committed") as u64 == EVENTS - lost);
    assert_eq!((count("lost") as u64, count("accepted") as u64), (lost, EVENTS));
    let events = world.api(shop).events();
    assert_eq!(events.len() as u64, EVENTS - lost);
    account.send(world.endpoints(), &[line::text("new", &line::user(1), "it goes on", now())]);
    wait_until("the new one", || count("committed") as u64 == EVENTS - lost + 1);
    world
}

/// A segment, and none of the small files beside them.
fn is_large(file: &std::path::Path) -> bool {
    std::fs::metadata(file).is_ok_and(|data| data.len() > 100_000)
}
