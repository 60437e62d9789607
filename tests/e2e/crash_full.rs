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

/// `CHATMAI_SMALL_FS=/a/file/system/of/64/to/512/megabytes cargo test --test e2e -- --ignored really_full`
#[test]
#[ignore = "needs a small file system of its own in CHATMAI_SMALL_FS"]
fn a_really_full_disk_answers_503_and_recovers_without_loss() {
    let small = std::env::var("CHATMAI_SMALL_FS").expect("CHATMAI_SMALL_FS");
    // The file that the node's words go to as well.
    let root = tempfile::tempdir_in(&small).unwrap();
    let mut world = World::at(root, "data", &[("land.max_age", "200ms"), ("jobs.derive_interval", "500ms")]);
    world.node.start();
    let load = Load::new(&world, 2);
    let mut random = Random::new(17);
    assert!(load.post_once(&mut random), "there is room at first");
    // Everything shares the disk: log, files, catalog, keys.
    let ballast = world.root().join("ballast");
    fill(&ballast);
    let mut refused = 0;
    for posts in 0.. {
        refused = if load.post_once(&mut random) { 0 } else { refused + 1 };
        if refused == 20 {
            break;
        }
        assert!(posts < 200_000, "the disk is never full");
    }
    let api = world.api(&load.shops[0].workspace);
    assert_eq!(api.get("/v1/conversations").status, 200, "questions are answered from what is there");
    world.node.kill9();
    std::fs::remove_file(&ballast).unwrap();
    world.node.start();
    load.node_is(Some(world.endpoints()));
    wait_until("room on the disk", || load.post_once(&mut random));
    for _ in 0..20 {
        load.post_once(&mut random);
    }
    settle(&mut world);
    let ledger = load.ledger.lock().unwrap();
    println!("full disk: {} events acknowledged", ledger.acknowledged_elements);
    compare(&world, &load.workspaces(), &ledger).check("after the disk was full");
}

/// Writes a file until the file system takes no more.
fn fill(ballast: &std::path::Path) {
    use std::io::Write;
    let mut file = std::fs::File::create(ballast).unwrap();
    for size in [1 << 20, 4096] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
}
