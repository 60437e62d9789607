//! Dies in the middle of an expiry, at each of its edges. Time passes by shortening the workspace's retention in its row.
use crate::{
    crash_load::FAST,
    harness::{DAY, catalog, compare::settle, line, millis, now, wait_until, world::World},
};
use std::{collections::BTreeSet, time::Duration};
use transform::faults::POINTS;

#[test]
fn an_expiry_that_dies_at_each_point_is_completed_and_takes_only_what_is_due() {
    let mut world = World::start(FAST);
    let (shop, other) = (world.workspace("Shop"), world.workspace("Other"));
    let (account, foreign) = (world.line(&shop, "Account"), world.line(&other, "Account"));
    // Ten to two days old: with each point one more day expires.
    let days: Vec<i64> = (2..12).collect();
    let at = |age: i64| now() - age * DAY;
    for age in &days {
        for n in 0..3 {
            let id = format!("{age}-{n}");
            let event = line::text(&id, &line::user(u64::try_from(n).unwrap()), "words", at(*age) + n);
            account.send(world.endpoints(), std::slice::from_ref(&event));
            foreign.send(world.endpoints(), &[event]);
        }
    }
    settle(&mut world);
    assert_eq!(world.api(&shop).events().len(), days.len() * 3);
    let database = catalog::databases_with(&world.dir(), "files").remove(0);
    let live = |condition: &str| {
        let live =
            format!("SELECT count(*) FROM files WHERE removed_at IS NULL AND workspace = X'{}' {condition}", shop.id);
        catalog::sql(&database, &[&live]).trim().parse::<usize>().unwrap()
    };
    let points = POINTS.iter().filter(|point| point.starts_with("expire/"));
    let mut retention = 9;
    for point in points {
        world.node.kill9();
        let shorten = format!("UPDATE workspaces SET retention_days = {retention} WHERE id = X'{}'", shop.id);
        catalog::sql(&database, &[&shorten]);
        world.node.set("testing.fault", point);
        // It may die before it listens.
        world.node.spawn();
        assert!(world.node.wait_for_death(Duration::from_secs(60)), "{point} was not reached");
        world.node.unset("testing.fault");
        world.node.start();
        let cut = now() - i64::from(retention) * DAY;
        // Answers are cut to the instant, whatever expiry has come to.
        let left: BTreeSet<String> = world
            .api(&shop)
            .events()
            .iter()
            .inspect(|event| assert!(millis(event["event_at"].as_str().unwrap()) >= cut, "{event}"))
            .map(|event| event["body"]["platform_message_id"].as_str().unwrap().to_owned())
            .collect();
        let due: BTreeSet<String> = days
            .iter()
            .filter(|age| **age < i64::from(retention))
            .flat_map(|age| (0..3).map(move |n| format!("{age}-{n}")))
            .collect();
        assert!(due.is_subset(&left), "{point}: lost {:?}", due.difference(&left).collect::<Vec<_>>());
        // What is wholly past its retention goes from the catalog, too: its end, the retention and the reader grace.
        let gone = (now() - i64::from(retention) * DAY - 15 * 60_000).div_euclid(DAY);
        wait_until("the expired days to go", || live(&format!("AND day < {gone}")) == 0);
        retention -= 2;
    }
    settle(&mut world);
    assert_eq!(world.api(&other).events().len(), days.len() * 3, "another workspace keeps its days");
    let conversations = world.api(&shop).conversations();
    let counted: u64 = conversations.iter().map(|c| c["message_count"].as_u64().unwrap()).sum();
    assert_eq!(counted, world.api(&shop).events().len() as u64, "counts know what expired");
}
