//! No room for the log: 503 instead of a 200 that cannot be kept, and all is well once there is room.
use crate::{
    crash_load::Load,
    harness::{
        compare::{compare, settle},
        random::Random,
        wait_until,
        world::World,
    },
};

#[test]
fn a_full_log_answers_503_and_recovers_without_loss() {
    // Land waits for longer than it takes to fill two segments.
    let mut world = World::start(&[
        ("land.max_age", "1d"),
        ("log.segment_bytes", "1MiB"),
        ("log.max_bytes", "2MiB"),
        ("logging.level", "warn"),
    ]);
    let load = Load::new(&world, 2);
    let mut random = Random::new(7);
    let mut posts = 0;
    while load.post_once(&mut random) {
        posts += 1;
        assert!(posts < 60_000, "2 MiB of log are never full");
    }
    // It stays full, and stays up: questions are answered from what is there.
    assert!(!load.post_once(&mut random));
    let api = world.api(&load.shops[0].workspace);
    assert_eq!(api.get("/v1/conversations").status, 200);
    // Over a kill nothing of the full log is lost, and as soon as land may make room there is room.
    world.node.kill9();
    world.node.set("land.max_age", "100ms");
    world.node.set("jobs.derive_interval", "200ms");
    world.node.start();
    load.node_is(Some(world.endpoints()));
    wait_until("room in the log", || load.post_once(&mut random));
    for _ in 0..20 {
        load.post_once(&mut random);
    }
    settle(&mut world);
    let ledger = load.ledger.lock().unwrap();
    println!("full log: {posts} posts until 503, {} events acknowledged", ledger.acknowledged_elements);
    compare(&world, &load.workspaces(), &ledger).check("after the log was full");
}
