//! Events that claim an impossible time.
use crate::harness::{DAY, compare::settle, line, metrics::Totals, millis, now, world::World};

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
