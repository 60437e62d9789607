//! The stages as processes of their own, two of each, on Kafka, PostgreSQL and S3: killed at random under load.
use crate::{
    crash::setting,
    crash_load::{FAST, Load},
    harness::{
        compare::{compare, settle},
        kafka::Kafka,
        metrics,
        node::Node,
        postgres::Server,
        random::Random,
        s3::S3,
        wait_for, wait_until,
        world::World,
    },
};
use std::time::Duration;

const STAGES: [&str; 6] = ["ingest", "ingest", "transform", "transform", "query-api", "query-api"];

/// What all processes share.
struct Services {
    _postgres: Server,
    _kafka: Kafka,
    _s3: S3,
    _place: tempfile::TempDir,
    settings: Vec<(String, String)>,
}

impl Services {
    fn start(test: &str) -> Option<Self> {
        let place = tempfile::tempdir().unwrap();
        let s3 = S3::start(place.path(), test)?;
        let kafka = Kafka::start(2)?;
        let postgres = Server::start();
        let root_keys = place.path().join("root-keys");
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let mut settings: Vec<(String, String)> = FAST.iter().copied().map(own).collect();
        settings.extend(s3.settings("files"));
        settings.extend(kafka.node().into_iter().map(|(name, value)| (name.to_owned(), value)));
        settings.extend(postgres.settings.clone());
        settings.push(own(("log.slots", "2")));
        settings.push(own(("kms.directory", root_keys.to_str().unwrap())));
        Some(Self { _postgres: postgres, _kafka: kafka, _s3: s3, _place: place, settings })
    }

    fn world(&self) -> World {
        let borrowed: Vec<_> = self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        World::at(tempfile::tempdir().unwrap(), "data", &borrowed)
    }
}

#[test]
#[ignore = "needs PostgreSQL, Kafka and S3"]
fn on_postgres_kafka_and_s3_kill_9_of_any_of_two_processes_of_each_stage_loses_and_doubles_nothing() {
    let name = "on_postgres_kafka_and_s3_kill_9_of_any_of_two_processes_of_each_stage_loses_and_doubles_nothing";
    let Some(services) = Services::start(name) else { return };
    let seed = Random::seed_from_environment();
    let kills = setting("CHATMAI_ROLES_KILLS", 12);
    println!("roles: seed {seed}, {kills} kills");
    let mut random = Random::new(seed);
    // One directory for all roles together, at the beginning and at the end; and one for each process between.
    let mut world = services.world();
    world.node.start();
    let load = Load::new(&world, 3);
    world.node.term();
    let mut nodes: Vec<Node> = Vec::new();
    for (n, role) in STAGES.into_iter().enumerate() {
        let dir = world.root().join(format!("{role}-{n}"));
        let mut node = Node::new(&dir, &world.root().join(format!("{role}-{n}.log")), world.node.settings());
        node.role(role);
        if role != "ingest" {
            // They work without a way to the tokens.
            let of_vault = |(name, _): &(String, String)| name.starts_with("vault.").then(|| name.clone());
            let names: Vec<_> = node.settings().iter().filter_map(of_vault).collect();
            names.iter().for_each(|name| node.unset(name));
        }
        node.start();
        nodes.push(node);
    }
    load.node_is(Some(nodes[0].endpoints()));
    let load = &load;
    std::thread::scope(|scope| {
        let seeds = std::array::from_fn::<_, 3, _>(|_| random.number());
        let threads = seeds.map(|seed| scope.spawn(move || load.run(seed)));
        for _ in 0..kills {
            std::thread::sleep(Duration::from_millis(300 + random.number() % 1500));
            let n = random.below(nodes.len());
            nodes[n].kill9();
            // Posts go on at the other one.
            load.node_is(Some(nodes[usize::from(n == 0)].endpoints()));
            nodes[n].start();
        }
        load.end();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
    // The processes that are left land everything, whoever had the slots of those that were killed.
    let lag = |node: &Node| metrics::labelled(node.endpoints(), "chatmai_land_lag_records", "slot");
    wait_until("everything is landed", || lag(&nodes[2]) == 0.0);
    nodes.iter_mut().for_each(Node::term);
    drop(nodes);
    world.node.start();
    wait_for("the slots of this process", || (lag(&world.node) == 0.0).then_some(()));
    settle(&mut world);
    let ledger = load.ledger.lock().unwrap();
    let difference = compare(&world, &load.workspaces(), &ledger);
    println!(
        "roles: {kills} kills, {} posts ({} acknowledged), {} events acknowledged, lost {}, doubled {}, wrong {}, seed {seed}",
        ledger.posts,
        ledger.acknowledged_posts,
        ledger.acknowledged_elements,
        difference.lost.len(),
        difference.doubled.len(),
        difference.wrong.len(),
    );
    difference.check(&format!("after {kills} kills of stages, seed {seed}"));
    assert!(ledger.acknowledged_posts > kills, "hardly anything was acknowledged");
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
