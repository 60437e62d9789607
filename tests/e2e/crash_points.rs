//! Dies at every edge of every commit, one after the other, and goes on as if nothing had happened.
use crate::{
    crash_load::{FAST, Load},
    harness::{
        catalog,
        compare::{compare, settle},
        random::Random,
        world::World,
    },
};
use std::{
    os::unix::fs::MetadataExt,
    time::{Duration, SystemTime},
};
use transform::faults::POINTS;

/// How long traffic is played for a point to be reached.
const REACHED: Duration = Duration::from_secs(240);

/// Moves what a point waits for into the past: replaced files whose reader grace is over, an object that nobody names.
fn prepare(world: &World, point: &str) {
    let database = &catalog::databases_with(&world.dir(), "files")[0];
    match point {
        "purge/after-objects" => {
            let statement = "UPDATE files SET removed_at = removed_at - 86400000 WHERE removed_at IS NOT NULL";
            catalog::sql(database, &[statement]);
        }
        "scrub/after-orphan" => {
            let store = world.dir().join("store");
            let object = catalog::files(&store).into_iter().max_by_key(|file| file.metadata().unwrap().size()).unwrap();
            // A file as an interrupted commit leaves it, two days ago.
            let name = object.file_name().unwrap().to_str().unwrap();
            let other: String = name.chars().map(|c| if c.is_ascii_digit() { '7' } else { c }).collect();
            let orphan = object.with_file_name(other);
            assert_ne!(orphan, object);
            std::fs::copy(&object, &orphan).unwrap();
            let file = std::fs::File::options().write(true).open(&orphan).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(2 * 86_400)).unwrap();
        }
        _ => {}
    }
}

/// Plays traffic until the node dies.
fn die_under(load: &Load, seed: u64, world: &mut World) -> bool {
    let died = std::thread::scope(|scope| {
        let thread = scope.spawn(move || load.run(seed));
        let died = world.node.wait_for_death(REACHED);
        load.end();
        thread.join().unwrap();
        died
    });
    load.again();
    died
}

#[test]
fn dying_at_each_point_loses_nothing() {
    let seed = Random::seed_from_environment();
    let mut random = Random::new(seed);
    let mut world = World::start(FAST);
    world.node.set("jobs.fold_after", "0s");
    let mut load = Load::new(&world, 2);
    // Slow enough that merging keeps up, also on a machine where everything else is tested beside it: a point is waited
    // for, not hurried to.
    load.pause = Duration::from_millis(100);
    // Expiry needs days that are past; it has a test of its own, see `crash_expiry`.
    let points: Vec<&str> = POINTS.iter().copied().filter(|point| !point.starts_with("expire/")).collect();
    let mut unreached = Vec::new();
    for point in &points {
        for times in [1, 2] {
            // These come once in a while only: the first time has to do.
            if times == 2 && (point.starts_with("purge") || point.starts_with("scrub")) {
                continue;
            }
            world.node.kill9();
            prepare(&world, point);
            world.node.set("testing.fault", &format!("{point}#{times}"));
            // It may come to the point before it listens.
            let mut died = world.node.try_start().is_some();
            if !died {
                load.node_is(Some(world.endpoints()));
                died = die_under(&load, random.number(), &mut world);
                load.node_is(None);
            }
            if !died {
                unreached.push(format!("{point}#{times}"));
            }
        }
    }
    world.node.kill9();
    world.node.unset("testing.fault");
    world.node.start();
    settle(&mut world);
    let ledger = load.ledger.lock().unwrap();
    let difference = compare(&world, &load.workspaces(), &ledger);
    println!(
        "points: {} of them, {} posts, {} events acknowledged, lost {}, doubled {}, wrong {}, seed {seed}",
        points.len(),
        ledger.posts,
        ledger.acknowledged_elements,
        difference.lost.len(),
        difference.doubled.len(),
        difference.wrong.len()
    );
    difference.check(&format!("after a death at each point, seed {seed}"));
    assert!(unreached.is_empty(), "never reached: {unreached:?}");
}
