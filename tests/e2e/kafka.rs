//! The whole instance on Kafka: killed and started again under load, with a broker that is killed too.
//! `CHATMAI_KAFKA_KILLS` (6) says how often.
use crate::{
    crash::setting,
    crash_load::{FAST, Load},
    harness::{catalog::files, compare::conclude, kafka::Kafka, random::Random, world::World},
};
use std::{path::Path, time::Duration};

/// What people write in this load.
const CANARIES: [&str; 2] = ["ありがとう", "words 1"];

fn on(kafka: &Kafka, slots: u32) -> Vec<(&'static str, String)> {
    let mut settings: Vec<_> = FAST.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    settings.extend(kafka.node());
    settings.push(("log.slots", slots.to_string()));
    settings
}

fn borrowed<'a>(settings: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    settings.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

fn holds(directory: &Path, needle: &str) -> Option<String> {
    let holds = |bytes: &[u8]| bytes.windows(needle.len()).any(|window| window == needle.as_bytes());
    files(directory)
        .into_iter()
        .find(|file| holds(&std::fs::read(file).unwrap_or_default()))
        .map(|f| f.display().to_string())
}

#[test]
fn on_kafka_kill_9_of_node_and_broker_loses_nothing_and_doubles_nothing() {
    let Some(mut kafka) = Kafka::start(2) else { return };
    let seed = Random::seed_from_environment();
    let kills = setting("CHATMAI_KAFKA_KILLS", 6);
    println!("kafka: seed {seed}, {kills} kills");
    let mut random = Random::new(seed);
    let settings = on(&kafka, 2);
    let mut world = World::start(&borrowed(&settings));
    let load = Load::new(&world, 3);
    let load = &load;
    let mut broker_kills = 0;
    std::thread::scope(|scope| {
        let seeds = std::array::from_fn::<_, 3, _>(|_| random.number());
        let threads = seeds.map(|seed| scope.spawn(move || load.run(seed)));
        for kill in 0..kills {
            std::thread::sleep(Duration::from_millis(300 + random.number() % 1500));
            load.node_is(None);
            world.node.kill9();
            world.node.start();
            load.node_is(Some(world.endpoints()));
            if kill == kills / 2 {
                std::thread::sleep(Duration::from_millis(500));
                // The node stays: it has to go on by itself.
                kafka.kill9_and_start();
                broker_kills += 1;
                let before = load.ledger.lock().unwrap().acknowledged_posts;
                crate::harness::wait_for("posts after the broker's return", || {
                    (load.ledger.lock().unwrap().acknowledged_posts > before + 5).then_some(())
                });
                assert!(world.node.exited().is_none(), "the node has ended because a broker was away");
            }
        }
        std::thread::sleep(Duration::from_millis(500));
        load.end();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
    let ledger = load.ledger.lock().unwrap();
    let what = format!("kafka: {kills} kills of the node, {broker_kills} of the broker");
    conclude(&what, seed, &mut world, &load.workspaces(), &ledger);
    assert!(ledger.acknowledged_posts > kills, "hardly anything was acknowledged");
    let written: u64 =
        files(&kafka.log_directory()).iter().map(|file| std::fs::metadata(file).map_or(0, |m| m.len())).sum();
    assert!(written > 100_000, "the broker has written only {written} bytes");
    for canary in CANARIES {
        assert_eq!(holds(&kafka.log_directory(), canary), None, "in clear at the broker");
    }
    assert!(!world.dir().join("log").exists(), "there is an embedded log beside Kafka");
}

#[test]
fn on_kafka_another_number_of_slots_and_another_log_are_refused() {
    let Some(kafka) = Kafka::start(2) else { return };
    let settings = on(&kafka, 3);
    let mut world = World::at(tempfile::tempdir().unwrap(), "data", &borrowed(&settings));
    let status = world.node.try_start().expect("it must not start with three slots on two partitions");
    assert_eq!(status.code(), Some(2));
    assert!(world.node.log().contains("log.slots is 3"), "{}", world.node.log());
    world.node.set("log.slots", "2");
    world.node.start();
    world.node.term();
    // The embedded log is another one, whatever it holds.
    for (name, _) in kafka.node() {
        world.node.unset(name);
    }
    let status = world.node.try_start().expect("it must not start with another log than its catalog's");
    assert!(!status.success());
    assert!(world.node.log().contains("another event log"), "{}", world.node.log());
}
