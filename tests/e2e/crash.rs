//! Kill -9 at random instants under load. What was acknowledged is there exactly once, whatever was going on.
//! `CHATMAI_CRASH_KILLS=1000 cargo test --test e2e kill_9` plays the long version.
use crate::{
    crash_load::{FAST, Load},
    harness::{
        compare::{compare, report, settle},
        metrics,
        random::Random,
        world::World,
    },
};
use std::time::Duration;

/// A setting of the environment.
pub fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn kill_9_at_random_instants_loses_nothing_and_doubles_nothing() {
    let seed = Random::seed_from_environment();
    let kills = setting("CHATMAI_CRASH_KILLS", 30);
    println!("crash: seed {seed}, {kills} kills");
    let mut random = Random::new(seed);
    let mut world = World::start(FAST);
    let load = Load::new(&world, 3);
    let mut difference = Default::default();
    let mut done = 0;
    while done < kills {
        // In rounds, each of which ends with everything read back.
        let round = (kills - done).min(kills.div_ceil(3).min(50));
        let load = &load;
        std::thread::scope(|scope| {
            let seeds = std::array::from_fn::<_, 4, _>(|_| random.number());
            let threads = seeds.map(|seed| scope.spawn(move || load.run(seed)));
            for _ in 0..round {
                std::thread::sleep(Duration::from_millis(100 + random.number() % 1200));
                load.node_is(None);
                world.node.kill9();
                // Now and then it dies while it starts, too.
                while random.chance(15) {
                    world.node.spawn();
                    std::thread::sleep(Duration::from_millis(random.number() % 700));
                    world.node.kill9();
                }
                world.node.start();
                load.node_is(Some(world.endpoints()));
                done += 1;
            }
            std::thread::sleep(Duration::from_millis(300));
            load.end();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        });
        settle(&mut world);
        load.node_is(Some(world.endpoints()));
        difference = compare(&world, &load.workspaces(), &load.ledger.lock().unwrap());
        if !difference.is_none() {
            break;
        }
        load.again();
    }
    let ledger = load.ledger.lock().unwrap();
    report(&format!("crash: {done} kills"), seed, &ledger, &difference);
    assert!(ledger.acknowledged_posts > done, "hardly anything was acknowledged");
    let samples = metrics::samples(world.endpoints());
    assert_eq!(metrics::sum(&samples, "chatmai_scrub_missing"), 0.0, "live files are missing from the store");
}
