//! A transform process that is stopped until others have its slots and have landed past it, and that then goes on as if
//! no time had passed. The catalog refuses what it still wants to commit.
use crate::{
    cluster::{Cluster, Services, TRANSFORM, Traffic},
    crash::setting,
    crash_load::Load,
    harness::{LONG_PATIENCE, random::Random, wait_within},
};
use std::time::Duration;

/// A slot as the catalog has it.
#[derive(Debug)]
struct Held {
    slot: String,
    owner: String,
    generation: u64,
    next: u64,
}

fn slots(services: &Services) -> Vec<Held> {
    // Each question is a process of its own.
    std::thread::sleep(Duration::from_millis(200));
    let rows = services.catalog("SELECT slot, owner, generation, next_offset FROM slots ORDER BY slot;");
    let held = |row: &String| {
        let fields: Vec<_> = row.split('|').map(str::to_owned).collect();
        let [slot, owner, generation, next] = fields.try_into().unwrap();
        Held { slot, owner, generation: generation.parse().unwrap(), next: next.parse().unwrap() }
    };
    rows.iter().map(held).collect()
}

/// In every second round it stops itself right before a commit, so that there is one to be refused.
const AT_A_COMMIT: &str = "stop:land/before-commit";
const REFUSED: &str = "a newer worker holds";

#[test]
#[ignore = "needs PostgreSQL, Kafka and S3"]
fn on_postgres_kafka_and_s3_a_transform_that_was_stopped_and_goes_on_changes_nothing() {
    let Some(services) = Services::start("roles_stale", 1) else { return };
    let seed = Random::seed_from_environment();
    let rounds = setting("CHATMAI_STALE_ROUNDS", 2);
    println!("stale: seed {seed}, {rounds} rounds");
    let mut random = Random::new(seed);
    let mut cluster = Cluster::start(services);
    let load = Load::steady(&cluster.world);
    cluster.separate(&load);
    let traffic = Traffic::start(&load, &mut random);
    let mut refused = 0;
    for round in 0..rounds {
        let n = *random.pick(&TRANSFORM);
        let holder = cluster.holder(n);
        let at_a_commit = round % 2 == 0;
        if at_a_commit {
            let times = 1 + random.below(8);
            cluster.nodes[n].set("testing.fault", &format!("{AT_A_COMMIT}#{times}"));
            cluster.nodes[n].restart();
        } else {
            let has_one = || slots(&cluster.services).iter().any(|held| held.owner == holder).then_some(());
            wait_within(LONG_PATIENCE, "a slot of the one that is to be stopped", has_one);
            std::thread::sleep(Duration::from_millis(random.number() % 1500));
            cluster.nodes[n].freeze();
        }
        wait_within(LONG_PATIENCE, "it is stopped", || cluster.nodes[n].is_frozen().then_some(()));
        let mut its = slots(&cluster.services);
        its.retain(|held| held.owner == holder);
        assert!(!its.is_empty(), "the process that was stopped has no slot");
        // Nothing tells it. The group misses it, and gives its slots to the other one.
        let past = |now: &Held| {
            its.iter().all(|held| held.slot != now.slot || (now.owner != holder && now.next > held.next + 10))
        };
        let taken = wait_within(LONG_PATIENCE, "the other one lands past it", || {
            Some(slots(&cluster.services)).filter(|now| now.iter().all(past))
        });
        let said = cluster.nodes[n].log().len();
        cluster.nodes[n].unset("testing.fault");
        cluster.nodes[n].thaw();
        let is_refused = |cluster: &Cluster| cluster.nodes[n].log()[said..].contains(REFUSED);
        if at_a_commit {
            wait_within(LONG_PATIENCE, "its commit is refused", || is_refused(&cluster).then_some(()));
        }
        // It goes on with slots that it is given anew, or has ended as it should.
        let went_on = wait_within(LONG_PATIENCE, "it lands again, or has ended", || {
            if let Some(status) = cluster.nodes[n].exited() {
                assert!(status.success(), "it ended with {status}");
                return Some(false);
            }
            let newer = |now: &Held| {
                let before = taken.iter().find(|held| held.slot == now.slot).unwrap();
                now.owner == holder && now.generation > before.generation && now.next > before.next
            };
            slots(&cluster.services).iter().any(newer).then_some(true)
        });
        refused += u64::from(is_refused(&cluster));
        if !went_on {
            cluster.nodes[n].kill9();
            cluster.nodes[n].start();
        }
        println!("stale: round {round}: {its:?}, went on {went_on}");
        traffic.goes_on("after it went on");
    }
    traffic.end();
    cluster.conclude(&format!("stale: {rounds} rounds, commits refused in {refused}"), seed, &load);
    assert!(refused > 0, "no commit was refused");
}
