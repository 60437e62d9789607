//! Data files on S3, which stops answering in the middle of commits and comes back. Needs `CHATMAI_TEST_S3_ENDPOINT`;
//! the service that is stopped is one of this test's own.
use crate::{
    crash_load::{FAST, Load},
    harness::{
        client::Client, compare::conclude, line, metrics, now, random::Random, s3::S3, wait_for, wait_until,
        world::World,
    },
};
use std::time::Duration;

fn world(s3: &S3, folder: &str, settings: &[(&str, &str)]) -> World {
    let settings: Vec<(String, String)> = settings
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .chain(s3.settings(folder))
        .collect();
    World::start(&settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect::<Vec<_>>())
}

/// A store that answers late is asked again soon.
const IMPATIENT: &[(&str, &str)] =
    &[("store.connect_timeout", "1s"), ("store.timeout", "1s"), ("store.retries", "1"), ("store.retry_time", "3s")];

#[test]
fn s3_stops_during_commits_and_nothing_is_lost_or_doubled() {
    let place = tempfile::tempdir().unwrap();
    let Some(mut s3) = S3::start(place.path(), "s3_stops_during_commits_and_nothing_is_lost_or_doubled") else {
        return;
    };
    let seed = Random::seed_from_environment();
    println!("s3: seed {seed}");
    let mut random = Random::new(seed);
    let mut world = world(&s3, "files", &[FAST, IMPATIENT].concat());
    let load = Load::new(&world, 3);
    std::thread::scope(|scope| {
        let load = &load;
        let threads = [(); 2].map(|()| {
            let seed = random.number();
            scope.spawn(move || load.run(seed))
        });
        for round in 0..6 {
            std::thread::sleep(Duration::from_millis(500 + random.number() % 1500));
            match round % 3 {
                0 => {
                    s3.freeze();
                    std::thread::sleep(Duration::from_millis(1500 + random.number() % 2000));
                    s3.thaw();
                }
                1 => {
                    s3.kill9();
                    std::thread::sleep(Duration::from_millis(500 + random.number() % 1500));
                    s3.again();
                }
                _ => {
                    // Both at once: the node dies, and starts while the store is away.
                    s3.freeze();
                    load.node_is(None);
                    world.node.kill9();
                    world.node.start();
                    load.node_is(Some(world.endpoints()));
                    s3.thaw();
                }
            }
        }
        load.end();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
    let ledger = load.ledger.lock().unwrap();
    conclude("s3: 6 rounds", seed, &mut world, &load.workspaces(), &ledger);
    assert!(s3.objects("files").len() > 3, "nothing lies in the bucket");
    assert!(!world.dir().join("store").exists(), "data files lie on the local disk");
    let samples = metrics::samples(world.endpoints());
    assert_eq!(metrics::sum(&samples, "chatmai_scrub_missing"), 0.0);
    assert_eq!(metrics::sum(&samples, "chatmai_scrub_damaged"), 0.0);
}

#[test]
fn without_its_store_the_node_takes_and_shows_events_and_says_that_it_is_not_ready() {
    let place = tempfile::tempdir().unwrap();
    let name = "without_its_store_the_node_takes_and_shows_events_and_says_that_it_is_not_ready";
    let Some(s3) = S3::start(place.path(), name) else { return };
    let settings = [IMPATIENT, &[("land.max_age", "100ms"), ("jobs.derive_interval", "200ms")]].concat();
    let world = world(&s3, "files", &settings);
    let shop = world.workspace("Shop");
    let account = world.line(&shop, "Official account");
    let api = world.api(&shop);
    // All of one instant, so that each could be a copy of what was landed.
    let at = now();
    let send = |id: &str, user: u64| {
        account.send(world.endpoints(), &[line::text(id, &line::user(user), &format!("text {id}"), at)]);
    };
    send("1", 1);
    wait_until("the first message in the inbox", || api.conversations().len() == 1);
    wait_until("the first file", || s3.objects("files").iter().any(|path| path.extension().is_some()));
    wait_until("the first message in a file that is known of", || {
        let samples = metrics::samples(world.endpoints());
        metrics::sum(&samples, "chatmai_land_commits_total") > 0.0 && metrics::sum(&samples, "chatmai_tail_rows") == 0.0
    });
    let ready = || Client::plain().get(&format!("{}/readyz", world.endpoints().operations), &[]).unwrap();
    wait_until("ready", || ready().status == 200);

    s3.freeze();
    send("2", 2);
    let item = wait_for("the second message in the inbox", || {
        api.conversations().into_iter().find(|item| item["last_message"]["text"] == "text 2")
    });
    let messages = api.messages(item["id"].as_str().unwrap(), "newest");
    assert_eq!((messages.len(), &messages[0]["text"]), (1, &"text 2".into()));
    let why = wait_for("a reason", || Some(ready()).filter(|answer| answer.status == 503));
    assert!(why.json()["reasons"].to_string().contains("store:"), "{}", why.json());
    s3.thaw();
    wait_until("ready again", || ready().status == 200);
    wait_until("all is landed", || {
        metrics::sum(&metrics::samples(world.endpoints()), "chatmai_land_lag_records") == 0.0
    });
    assert_eq!(api.conversations().len(), 2);

    // Another directory is not let into this one's folder.
    let mut other = World::at(tempfile::tempdir().unwrap(), "data", &[]);
    for (name, value) in s3.settings("files") {
        other.node.set(&name, &value);
    }
    assert!(other.node.try_start().is_some_and(|status| !status.success()));
    assert!(other.node.log().contains("belongs to another warehouse"), "{}", other.node.log());
}
