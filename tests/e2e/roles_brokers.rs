//! Three brokers that acknowledge at two copies, one of which is killed again and again while stages are killed too.
//! `CHATMAI_BROKER_KILLS` (3) says how often.
use crate::{
    cluster::{Cluster, Services, Traffic},
    crash::setting,
    crash_load::Load,
    harness::{LONG_PATIENCE, random::Random, wait_within},
};
use std::time::Duration;

#[test]
#[ignore = "needs PostgreSQL, Kafka and S3"]
fn on_postgres_kafka_and_s3_kill_9_of_one_of_three_brokers_and_of_stages_loses_and_doubles_nothing() {
    let Some(services) = Services::start("roles_brokers", 3) else { return };
    let seed = Random::seed_from_environment();
    let kills = setting("CHATMAI_BROKER_KILLS", 3);
    println!("brokers: seed {seed}, {kills} kills of a broker");
    let mut random = Random::new(seed);
    let mut cluster = Cluster::start(services);
    let load = Load::steady(&cluster.world);
    cluster.separate(&load);
    let traffic = Traffic::start(&load, &mut random);
    traffic.goes_on("before the first kill");
    let (mut stages, mut tries) = (0, 0);
    for kill in 1..=kills {
        std::thread::sleep(Duration::from_millis(300 + random.number() % 1500));
        let broker = 1 + u32::try_from(random.below(3)).unwrap();
        cluster.services.kafka.kill9(broker);
        // Two are left, and that is enough; also for a stage that has to start meanwhile.
        for _ in 0..random.below(3) {
            tries += cluster.kill9_without_broker(random.below(cluster.nodes.len()), &load);
            stages += 1;
        }
        traffic.goes_on("without one broker");
        cluster.services.kafka.start_again();
        cluster.kill9(random.below(cluster.nodes.len()), &load);
        stages += 1;
        // Only then is another one killed: with one copy left the log has to refuse, which is not the question here.
        let kafka = &mut cluster.services.kafka;
        wait_within(LONG_PATIENCE, "all copies", || {
            // Each question is a process of its own.
            std::thread::sleep(Duration::from_secs(1));
            kafka.is_in_sync().then_some(())
        });
        traffic.goes_on("with all brokers");
        println!("brokers: kill {kill}, of broker {broker}, {} posts acknowledged so far", traffic.acknowledged());
    }
    traffic.end();
    cluster.assert_alive();
    let what = format!("brokers: {kills} kills of one of three brokers, {stages} of stages, {tries} starts refused");
    cluster.conclude(&what, seed, &load);
}
