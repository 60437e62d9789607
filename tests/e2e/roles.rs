//! The stages as processes of their own, two of each, on Kafka, PostgreSQL and S3: killed at random under load.
use crate::{
    cluster::{Cluster, Services, Traffic},
    crash::setting,
    crash_load::Load,
    harness::{random::Random, world::World},
};
use std::time::Duration;

#[test]
#[ignore = "needs PostgreSQL, Kafka and S3"]
fn on_postgres_kafka_and_s3_kill_9_of_any_of_two_processes_of_each_stage_loses_and_doubles_nothing() {
    let Some(services) = Services::start("roles", 1) else { return };
    let seed = Random::seed_from_environment();
    let kills = setting("CHATMAI_ROLES_KILLS", 20);
    println!("roles: seed {seed}, {kills} kills");
    let mut random = Random::new(seed);
    let mut cluster = Cluster::start(services);
    let load = Load::steady(&cluster.world);
    cluster.separate(&load);
    let traffic = Traffic::start(&load, &mut random);
    for _ in 0..kills {
        std::thread::sleep(Duration::from_millis(300 + random.number() % 1500));
        cluster.kill9(random.below(cluster.nodes.len()), &load);
    }
    traffic.end();
    cluster.conclude(&format!("roles: {kills} kills"), seed, &load);
    assert!(load.ledger.lock().unwrap().acknowledged_posts > kills, "hardly anything was acknowledged");
}

/// Nothing but what is private to one process is missing: a stage alone would write where nobody reads.
#[test]
fn a_stage_alone_on_private_parts_is_refused_and_says_what_to_set() {
    for role in ["ingest", "transform", "query-api"] {
        let mut world = World::at(tempfile::tempdir().unwrap(), "data", &[]);
        world.node.role(role);
        let status = world.node.try_start().expect("it must not start");
        assert_eq!(status.code(), Some(2));
        let log = world.node.log();
        for name in ["kafka.brokers", "catalog.url", "keys.url", "kms.directory", "store.url", "chatmai up"] {
            assert!(log.contains(name), "{log}");
        }
        // No other stage opens the vault.
        assert_eq!(log.contains("vault.url"), role == "ingest", "{log}");
    }
}
