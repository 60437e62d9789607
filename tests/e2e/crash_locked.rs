//! Another process holds the catalog's lock: webhooks go on, answers go on, and nothing is lost once it is free.
use crate::{
    crash::setting,
    crash_load::{FAST, Load},
    harness::{
        catalog::{Lock, databases_with},
        compare::{compare, settle},
        random::Random,
        world::World,
    },
};
use std::time::Duration;

#[test]
fn a_locked_catalog_holds_nothing_up_for_long_and_loses_nothing() {
    let seconds = setting("CHATMAI_LOCKED_SECONDS", 10);
    let mut world = World::start(FAST);
    let load = Load::new(&world, 2);
    let mut random = Random::new(11);
    let acknowledged = || load.ledger.lock().unwrap().acknowledged_posts;
    let mut phases = Vec::new();
    for locked in [false, true, false] {
        let lock = locked.then(|| Lock::take(&databases_with(&world.dir(), "files")[0]));
        let before = acknowledged();
        let load = &load;
        std::thread::scope(|scope| {
            let seed = random.number();
            let thread = scope.spawn(move || load.run(seed));
            std::thread::sleep(Duration::from_secs(if locked { seconds } else { 2 }));
            load.end();
            thread.join().unwrap();
        });
        load.again();
        if locked {
            // The lock is the writers' affair.
            assert_eq!(world.api(&load.shops[0].workspace).get("/v1/conversations").status, 200);
        }
        phases.push(acknowledged() - before);
        drop(lock);
    }
    assert!(phases.iter().all(|posts| *posts > 0), "posts before, during and after: {phases:?}");
    settle(&mut world);
    let ledger = load.ledger.lock().unwrap();
    println!("locked for {seconds} s: {} events acknowledged, posts by phase {phases:?}", ledger.acknowledged_elements);
    compare(&world, &load.workspaces(), &ledger).check("after the lock");
}
