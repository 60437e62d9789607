//! Catalog, key store and vault in PostgreSQL: under load, a server that goes away and comes back, kill -9, commands, and
//! servers that are refused. Each test has a server of its own.
use crate::{
    crash_load::{FAST, Load},
    harness::{compare::conclude, postgres::Server, random::Random, wait_until, world::World},
};
use std::time::Duration;

fn on(server: &Server, settings: &[(&str, &str)]) -> World {
    let mut world = World::at(tempfile::tempdir().unwrap(), "data", settings);
    for (name, value) in &server.settings {
        world.node.set(name, value);
    }
    world
}

/// The threads end also when the test fails.
struct Ending<'a>(&'a Load);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// While the server is away, posts are refused and nothing ends; when it is back, everything goes on by itself.
#[test]
#[ignore = "needs PostgreSQL"]
fn restarts_of_the_server_and_kills_of_the_node_lose_nothing_and_double_nothing() {
    let seed = Random::seed_from_environment();
    let mut random = Random::new(seed);
    let server = Server::start();
    let mut world = on(&server, FAST);
    world.node.start();
    let load = Load::new(&world, 3);
    let acknowledged = || load.ledger.lock().unwrap().acknowledged_posts;
    let (rounds, load) = (8, &load);
    std::thread::scope(|scope| {
        let _ends = Ending(load);
        let seeds = std::array::from_fn::<_, 4, _>(|_| random.number());
        let threads = seeds.map(|seed| scope.spawn(move || load.run(seed)));
        for round in 0..rounds {
            std::thread::sleep(Duration::from_millis(200 + random.number() % 800));
            match round % 4 {
                // Every connection breaks at once, whatever it was in the middle of.
                0 => server.restart(),
                // It is away for longer than anything waits for it.
                1 => {
                    server.stop();
                    std::thread::sleep(Duration::from_secs(12));
                    server.start_again();
                }
                // The connections alone.
                2 => {
                    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE 'chatmai_%' \
                               AND usename <> 'chatmai_test'";
                    server.sql(end);
                }
                _ => {
                    load.node_is(None);
                    world.node.kill9();
                    server.restart();
                    world.node.start();
                    load.node_is(Some(world.endpoints()));
                }
            }
            let before = acknowledged();
            wait_until("posts that are acknowledged again", || acknowledged() > before + 20);
            assert!(world.node.exited().is_none(), "the node has ended");
        }
        load.end();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
    let ledger = load.ledger.lock().unwrap();
    conclude(&format!("postgres: {rounds} rounds"), seed, &mut world, &load.workspaces(), &ledger);
    // What lies in the data directory is log, files and root keys.
    for name in ["catalog.db", "keys.db", "vault.db"] {
        assert!(!world.dir().join(name).exists(), "{name}");
    }
}

#[test]
#[ignore = "needs PostgreSQL"]
fn commands_work_on_postgres_beside_a_node_and_without_one() {
    let server = Server::start();
    let mut world = on(&server, &[]);
    world.node.start();
    let shop = world.workspace("Beside");
    let account = world.line(&shop, "Account");
    world.node.term();
    let alone = world.workspace("Alone");
    let listed = world.ask(&["workspace", "list"]).to_string();
    assert!(listed.contains("Beside") && listed.contains("Alone"), "{listed}");
    let rotated = world.secret_file("another-secret");
    let arguments = ["connection", "rotate-secret", &account.connection, "--secret-file", rotated.to_str().unwrap()];
    world.ask(&arguments);
    world.ask(&["key", "rotate", "--workspace", &shop.id]);
    let imported = world.root().join("history.ndjson");
    std::fs::write(
        &imported,
        r#"{"id":"1","kind":"message","connection":{"platform":"line","name":"Old"},"conversation":"c","contact":{"id":"u"},"author":{"kind":"customer"},"event_at":"2026-11-20T08:15:30.123Z","type":"text","text":"Are you open?"}"#,
    )
    .unwrap();
    world.ask(&["import", "--workspace", &alone.id, imported.to_str().unwrap()]);
    world.node.start();
    for (workspace, count) in [(&shop, 0), (&alone, 1)] {
        assert_eq!(world.api(workspace).conversations().len(), count);
    }
    // The database of one is not taken for the other's.
    world.node.term();
    for field in ["url", "password_file"] {
        let (keys, vault) = (format!("keys.{field}"), format!("vault.{field}"));
        world.node.set(&keys, server.setting(&vault));
        world.node.set(&vault, server.setting(&keys));
    }
    assert_refused(&mut world, "something else");
    // One database for two is not even asked.
    for field in ["url", "password_file"] {
        world.node.set(&format!("keys.{field}"), server.setting(&format!("catalog.{field}")));
        world.node.set(&format!("vault.{field}"), server.setting(&format!("vault.{field}")));
    }
    assert_refused(&mut world, "catalog.url and keys.url");
}

fn assert_refused(world: &mut World, why: &str) {
    let before = world.node.log().len();
    let status = world.node.try_start().unwrap_or_else(|| panic!("it starts: {why}"));
    let said = world.node.log()[before..].to_owned();
    assert!(!status.success() && said.contains(why), "{status}: {said}");
}

#[test]
#[ignore = "needs PostgreSQL"]
fn servers_without_tls_1_3_or_with_another_certificate_are_refused_on_postgres() {
    let server = Server::start();
    let mut world = on(&server, &[]);
    world.node.start();
    world.node.term();
    server.sql("ALTER SYSTEM SET ssl_min_protocol_version = 'TLSv1.2'");
    server.sql("ALTER SYSTEM SET ssl_max_protocol_version = 'TLSv1.2'");
    server.restart();
    assert_refused(&mut world, "TLS 1.3 is required");
    let other = Server::start();
    let mut world = on(&other, &[]);
    for section in ["catalog", "keys", "vault"] {
        let name = format!("{section}.ca_certificate");
        world.node.set(&name, server.setting(&name));
    }
    assert_refused(&mut world, "certificate");
    let mut world = on(&other, &[]);
    other.sql("ALTER SYSTEM SET ssl = off");
    other.restart();
    assert_refused(&mut world, "TLS");
}
