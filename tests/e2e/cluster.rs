//! Two processes of each stage on Kafka, PostgreSQL and S3 of a test's own, and traffic that goes to them.
use crate::{
    crash_load::{FAST, Load},
    harness::{
        LONG_PATIENCE, api::Api, compare, kafka::Kafka, metrics, node::Node, now, postgres::Server, random::Random,
        rfc3339, s3::S3, s3_proxy::S3Proxy, tcp_proxy::TcpProxy, wait_for, wait_within, world::World,
    },
};
use serde_json::json;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

const STAGES: [&str; 6] = ["ingest", "ingest", "transform", "transform", "query-api", "query-api"];
pub const INGEST: [usize; 2] = [0, 1];
pub const TRANSFORM: [usize; 2] = [2, 3];
pub const QUERY: [usize; 2] = [4, 5];

/// Six processes and three services are more than two cores do in time when there are two of each: tests of this kind take
/// turns.
static TURN: Mutex<()> = Mutex::new(());

/// What all processes share.
pub struct Services {
    /// In front of the other services, where a test wants them there.
    pub proxies: Option<(S3Proxy, TcpProxy)>,
    pub postgres: Server,
    pub kafka: Kafka,
    pub s3: S3,
    _place: tempfile::TempDir,
    settings: Vec<(String, String)>,
    // Dropped last.
    _turn: MutexGuard<'static, ()>,
}

impl Services {
    /// Starts them; `None`, said aloud, where the tests have none.
    pub fn start(test: &str, brokers: u32) -> Option<Self> {
        // Another test may have failed.
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let place = tempfile::tempdir().unwrap();
        let s3 = S3::start(place.path(), test)?;
        let kafka = Kafka::start_brokers(2, brokers)?;
        let postgres = Server::start();
        let root_keys = place.path().join("root-keys");
        let mut services =
            Self { proxies: None, postgres, kafka, s3, _place: place, settings: Vec::new(), _turn: turn };
        FAST.iter().for_each(|(name, value)| services.set(name, value));
        // A commit makes a file for each workspace and day; with many small ones, reading all back takes most of the time.
        services.set("land.max_age", "400ms");
        services.set("log.slots", "2");
        services.set("kms.directory", root_keys.to_str().unwrap());
        let settings = [services.s3.settings("files"), services.postgres.settings.clone()].concat();
        settings.iter().for_each(|(name, value)| services.set(name, value));
        services.kafka.node().into_iter().for_each(|(name, value)| services.set(name, &value));
        Some(services)
    }

    /// Puts proxies in front of PostgreSQL and S3, which nothing has used yet.
    pub fn behind_proxies(&mut self, seed: u64) {
        let (s3, postgres) =
            (S3Proxy::start(&self.s3, seed), TcpProxy::start(self.postgres.address(), seed.wrapping_add(1)));
        self.set("store.endpoint", &s3.endpoint());
        for (name, value) in self.postgres.settings_at(&postgres.address) {
            self.set(&name, &value);
        }
        self.proxies = Some((s3, postgres));
    }

    /// A setting of all processes.
    pub fn set(&mut self, name: &str, value: &str) {
        self.settings.retain(|(set, _)| set != name);
        self.settings.push((name.to_owned(), value.to_owned()));
    }

    /// Rows of the catalog, a line each.
    pub fn catalog(&self, statement: &str) -> Vec<String> {
        self.postgres.sql(&format!("\\connect chatmai_catalog\n{statement}")).lines().map(str::to_owned).collect()
    }
}

/// See the module's documentation. What is first ends first.
pub struct Cluster {
    pub nodes: Vec<Node>,
    /// One directory for all roles together, at the beginning and at the end. In between it is the operator's.
    pub world: World,
    pub services: Services,
}

impl Cluster {
    /// One process with all roles, so that workspaces can be made.
    pub fn start(services: Services) -> Self {
        let borrowed: Vec<_> = services.settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let mut world = World::at(tempfile::tempdir().unwrap(), "data", &borrowed);
        world.node.start();
        let node = |(n, role): (usize, &'static str)| {
            let directory = world.root().join(format!("{role}-{n}"));
            let mut node = Node::new(&directory, &directory.with_extension("log"), world.node.settings());
            node.role(role);
            if role != "ingest" {
                // They work without a way to the tokens.
                let of_vault = |(name, _): &(String, String)| name.starts_with("vault.").then(|| name.clone());
                let names: Vec<_> = node.settings().iter().filter_map(of_vault).collect();
                names.iter().for_each(|name| node.unset(name));
            }
            node
        };
        let nodes = STAGES.into_iter().enumerate().map(node).collect();
        Self { nodes, world, services }
    }

    /// Ends that process, and starts two of each stage; posts go to the first.
    pub fn separate(&mut self, load: &Load) {
        self.world.node.term();
        self.nodes.iter_mut().for_each(Node::start);
        load.node_is(Some(self.nodes[INGEST[0]].endpoints()));
    }

    /// Kills one of the processes and starts it again. Posts go on at the other one meanwhile.
    pub fn kill9(&mut self, n: usize, load: &Load) {
        self.only_kill9(n, load);
        self.nodes[n].start();
    }

    fn only_kill9(&mut self, n: usize, load: &Load) {
        self.nodes[n].kill9();
        load.node_is(Some(self.nodes[INGEST[usize::from(n == INGEST[0])]].endpoints()));
    }

    /// The same while a broker is away. Until its slots are led by another one, a start waits; where it has waited for too
    /// long, a supervisor tries again, as this does. Returns how often it had to.
    pub fn kill9_without_broker(&mut self, n: usize, load: &Load) -> u64 {
        self.only_kill9(n, load);
        let mut tries = 0;
        wait_within(LONG_PATIENCE, "a start without a broker", || {
            let before = self.nodes[n].log().len();
            if self.nodes[n].try_start().is_none() {
                return Some(tries);
            }
            tries += 1;
            let said = self.nodes[n].log()[before..].to_owned();
            let is_kafka =
                said.contains("the event log takes no records now") || said.contains("Kafka does not answer");
            assert!(is_kafka, "it does not start: {said}");
            None
        })
    }

    /// Nothing ends because something else does.
    pub fn assert_alive(&mut self) {
        for (node, role) in self.nodes.iter_mut().zip(STAGES) {
            assert!(node.exited().is_none(), "{role} has ended by itself");
        }
    }

    /// The name under which a process takes slots.
    pub fn holder(&self, n: usize) -> String {
        std::fs::read_to_string(self.nodes[n].dir().join("id")).unwrap().trim().to_owned()
    }

    /// Waits until all is landed, by whoever has the slots.
    pub fn landed(&self) {
        let endpoints = self.nodes[TRANSFORM[0]].endpoints();
        let lag = || metrics::labelled(endpoints, "chatmai_land_lag_records", "slot");
        wait_within(LONG_PATIENCE, "everything is landed", || (lag() == 0.0).then_some(()));
    }

    /// What members tell one query process, the other one shows at the position that it answered; and from there on each
    /// of them has all that was acknowledged.
    fn read_at_both(&self, what: &str, seed: u64, load: &Load) {
        let [told, asked] = QUERY.map(|n| self.nodes[n].endpoints());
        for workspace in load.workspaces() {
            let (api, other) = (Api::new(told, &workspace.key).patient(), Api::new(asked, &workspace.key).patient());
            let first = api.json("/v1/conversations?limit=1")["items"][0].clone();
            let path = format!("/v1/conversations/{}", first["id"].as_str().unwrap());
            let mark = json!({ "until": rfc3339(now()) });
            let position = wait_for("a read mark", || {
                let answer = api.post(&format!("{path}/read"), &mark);
                (answer.status == 200).then(|| answer.json()["position"].as_str().unwrap().to_owned())
            });
            for api in [other, api] {
                assert_eq!(api.json(&format!("{path}?min_position={position}"))["unread"], 0, "{what}, seed {seed}");
            }
        }
        let ledger = load.ledger.lock().unwrap();
        for endpoints in [told, asked] {
            let difference = compare::compare_events(endpoints, &load.workspaces(), &ledger);
            difference.check(&format!("{what}, at a query process, seed {seed}"));
        }
    }

    /// Reads the events at both query processes, ends the stages, and one process with all roles reads everything back.
    /// [`Self::separate`] may follow.
    pub fn conclude(&mut self, what: &str, seed: u64, load: &Load) {
        self.read_at_both(what, seed, load);
        self.landed();
        self.nodes.iter_mut().for_each(Node::term);
        self.world.node.start();
        let lag = |node: &Node| metrics::labelled(node.endpoints(), "chatmai_land_lag_records", "slot");
        wait_for("the slots of this process", || (lag(&self.world.node) == 0.0).then_some(()));
        let ledger = load.ledger.lock().unwrap();
        compare::conclude(what, seed, &mut self.world, &load.workspaces(), &ledger);
        let without_log = load.acknowledged_without_log.load(std::sync::atomic::Ordering::SeqCst);
        assert_eq!(without_log, 0, "posts were acknowledged while there was no log, seed {seed}");
    }
}

/// Threads that post. They end also when the test fails.
pub struct Traffic {
    load: Arc<Load>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    /// Three workspaces, and posts at a pace at which a test of some minutes can still be read back.
    pub fn steady(world: &World) -> Arc<Self> {
        let mut load = Self::new(world, 3);
        load.pause = Duration::from_millis(100);
        Arc::new(load)
    }
}

impl Traffic {
    pub fn start(load: &Arc<Load>, random: &mut Random) -> Self {
        load.again();
        let thread = |_| {
            let (load, seed) = (load.clone(), random.number());
            std::thread::spawn(move || load.run(seed))
        };
        Self { load: load.clone(), threads: (0..3).map(thread).collect() }
    }

    pub fn acknowledged(&self) -> u64 {
        self.load.ledger.lock().unwrap().acknowledged_posts
    }

    /// Waits for so many more posts that are acknowledged.
    pub fn goes_on(&self, when: &str) {
        let enough = self.acknowledged() + 20;
        let what = format!("posts that are acknowledged {when}");
        wait_within(LONG_PATIENCE, &what, || (self.acknowledged() >= enough).then_some(()));
    }

    pub fn end(mut self) {
        self.load.end();
        self.threads.drain(..).for_each(|thread| thread.join().unwrap());
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.load.end();
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
    }
}
