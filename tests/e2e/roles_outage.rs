//! A service goes away, is slow or loses its answers under load, and comes back: two processes of each stage go on by
//! themselves, and all that was acknowledged is there once. `CHATMAI_OUTAGE_SECONDS` (5) says how long each lasts.
use crate::{
    cluster::{Cluster, Services, TRANSFORM, Traffic},
    crash::setting,
    crash_load::Load,
    harness::{LONG_PATIENCE, random::Random, s3_proxy::Mode},
};
use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outage {
    StoreRefuses,
    StoreRefusesWrites,
    StoreIsSlow,
    StoreAnswersAreLost,
    DatabaseIsAway,
    DatabaseAnswersAreLost,
    LogIsAway,
}

/// A store that answers late is asked again soon.
const IMPATIENT: [(&str, &str); 4] =
    [("store.connect_timeout", "1s"), ("store.timeout", "1s"), ("store.retries", "1"), ("store.retry_time", "3s")];

/// What land says when it finds that a commit whose answer was lost had happened.
const HAPPENED: &str = "the commit had happened";

fn happened(cluster: &Cluster) -> usize {
    TRANSFORM.iter().map(|n| cluster.nodes[*n].log().matches(HAPPENED).count()).sum()
}

impl Outage {
    fn is_of_store(self) -> bool {
        matches!(self, Self::StoreRefuses | Self::StoreRefusesWrites | Self::StoreIsSlow | Self::StoreAnswersAreLost)
    }

    fn begin(self, cluster: &mut Cluster, load: &Load) {
        let services = &mut cluster.services;
        let (store, database) = services.proxies.as_ref().unwrap();
        match self {
            Self::StoreRefuses => store.set(Mode::Refuse),
            Self::StoreRefusesWrites => store.set(Mode::RefuseWrites),
            Self::StoreIsSlow => store.set(Mode::Slow),
            Self::StoreAnswersAreLost => store.set(Mode::LoseAnswers),
            Self::DatabaseIsAway => {
                // Once as in an emergency, in the middle of everything.
                services.postgres.restart();
                services.postgres.stop();
            }
            Self::DatabaseAnswersAreLost => database.lose(40),
            Self::LogIsAway => {
                services.kafka.kill9(1);
                load.log_is_away.store(true, Ordering::SeqCst);
            }
        }
    }

    fn end(self, cluster: &mut Cluster, load: &Load) {
        let services = &mut cluster.services;
        let (store, database) = services.proxies.as_ref().unwrap();
        match self {
            Self::DatabaseIsAway => services.postgres.start_again(),
            Self::DatabaseAnswersAreLost => database.lose(0),
            Self::LogIsAway => {
                load.log_is_away.store(false, Ordering::SeqCst);
                services.kafka.start_again();
            }
            _ => store.set(Mode::Pass),
        }
    }

    /// How often it was felt so far: requests that the store's proxy spoiled, posts that were sent, commits whose answer was
    /// lost.
    fn felt(self, cluster: &Cluster, load: &Load) -> u64 {
        let (store, _) = cluster.services.proxies.as_ref().unwrap();
        match self {
            Self::DatabaseIsAway | Self::LogIsAway => load.ledger.lock().unwrap().posts,
            Self::DatabaseAnswersAreLost => happened(cluster) as u64,
            _ => store.hurt(),
        }
    }

    /// An outage that nobody felt says nothing.
    fn is_felt_enough(self, times: u64) -> bool {
        let enough = match self {
            Self::DatabaseAnswersAreLost => 1,
            // Of which three may hang.
            Self::LogIsAway => 6,
            _ => 10,
        };
        times >= enough
    }
}

fn play(test: &str, mut outages: Vec<Outage>) {
    let Some(mut services) = Services::start(test, 1) else { return };
    let seed = Random::seed_from_environment();
    let length = Duration::from_secs(setting("CHATMAI_OUTAGE_SECONDS", 5));
    println!("{test}: seed {seed}, {} s each", length.as_secs());
    let mut random = Random::new(seed);
    services.behind_proxies(random.number());
    IMPATIENT.iter().for_each(|(name, value)| services.set(name, value));
    let mut cluster = Cluster::start(services);
    let load = Load::steady(&cluster.world);
    while !outages.is_empty() {
        let outage = outages.swap_remove(random.below(outages.len()));
        cluster.separate(&load);
        let traffic = Traffic::start(&load, &mut random);
        traffic.goes_on("before the outage");
        std::thread::sleep(Duration::from_millis(random.number() % 2000));
        let before = outage.felt(&cluster, &load);
        outage.begin(&mut cluster, &load);
        let (began, acknowledged) = (Instant::now(), traffic.acknowledged());
        let felt = |cluster: &Cluster| outage.felt(cluster, &load) - before;
        while began.elapsed() < length || !outage.is_felt_enough(felt(&cluster)) {
            assert!(began.elapsed() < length + LONG_PATIENCE, "nobody felt it: {outage:?}, seed {seed}");
            std::thread::sleep(Duration::from_millis(50));
        }
        let (times, meanwhile) = (felt(&cluster), traffic.acknowledged() - acknowledged);
        outage.end(&mut cluster, &load);
        traffic.goes_on("after the outage");
        traffic.end();
        cluster.assert_alive();
        if outage.is_of_store() {
            assert!(meanwhile > 0, "posts have to go on without a store");
        }
        let took = began.elapsed().as_secs();
        let what = format!("{test}: {outage:?}, {took} s, felt {times} times, {meanwhile} posts acknowledged in it");
        cluster.conclude(&what, seed, &load);
    }
    let (_, database) = cluster.services.proxies.as_ref().unwrap();
    println!(
        "{test}: {} connections to PostgreSQL were cut, {} commits had happened",
        database.cuts(),
        happened(&cluster)
    );
}

#[test]
#[ignore = "needs PostgreSQL, Kafka and S3"]
fn on_postgres_kafka_and_s3_outages_of_the_store_lose_nothing_and_double_nothing() {
    let refusing = [Outage::StoreRefuses, Outage::StoreRefusesWrites];
    play("outage of the store", [&refusing[..], &[Outage::StoreIsSlow, Outage::StoreAnswersAreLost]].concat());
}

#[test]
#[ignore = "needs PostgreSQL, Kafka and S3"]
fn on_postgres_kafka_and_s3_outages_of_the_database_lose_nothing_and_double_nothing() {
    play("outage of the database", vec![Outage::DatabaseIsAway, Outage::DatabaseAnswersAreLost]);
}

#[test]
#[ignore = "needs PostgreSQL, Kafka and S3"]
fn on_postgres_kafka_and_s3_an_outage_of_the_log_loses_nothing_doubles_nothing_and_acknowledges_nothing() {
    play("outage of the log", vec![Outage::LogIsAway]);
}
