//! The process: its files, its lock, its stop, its refusals.
use crate::harness::{catalog, cli, line, metrics::samples, node, now, wait_until, world::World};
use serde_json::Value;
use std::{os::unix::fs::PermissionsExt, time::Duration};

#[test]
fn a_graceful_stop_keeps_everything_and_endpoints_are_of_the_running_process() {
    // Land waits longer than the test: what the stop does not land, the log must keep.
    let mut world = World::start(&[("land.max_age", "1d")]);
    let shop = world.workspace("Shop");
    let account = world.line(&shop, "Account");
    let at = now() - 60_000;
    for n in 0..50 {
        account.send(world.endpoints(), &[line::text(&n.to_string(), &line::user(1), "kept", at + n)]);
    }
    let file = world.dir().join("endpoints.json");
    assert!(file.exists());
    world.node.term();
    // A stale file must not be taken for the new process's.
    std::fs::write(&file, r#"{"ingest":"https://127.0.0.1:1","api":"https://127.0.0.1:1","operations":"http://127.0.0.1:1","ca_certificate":"x"}"#).unwrap();
    let mut child = crate::harness::node::command(&world.dir(), world.node.settings()).arg("up").spawn().unwrap();
    wait_until("the stale endpoints to go", || {
        !std::fs::read_to_string(&file).is_ok_and(|text| text.contains("127.0.0.1:1\""))
    });
    child.kill().unwrap();
    child.wait().unwrap();
    world.node.start();
    assert_eq!(world.api(&shop).events().len(), 50);
    let operations = &world.endpoints().operations;
    let plain = crate::harness::client::Client::plain();
    for path in ["/healthz", "/readyz"] {
        assert_eq!(plain.get(&format!("{operations}{path}"), &[]).unwrap().status, 200, "{path}");
    }
    assert!(samples(world.endpoints()).keys().any(|name| name.starts_with("chatmai_events_total")));
    let socket = catalog::files(&world.dir()); // sockets are no files
    assert!(!socket.is_empty());
    for entry in std::fs::read_dir(world.dir()).unwrap().flatten() {
        let kind = entry.file_type().unwrap();
        if std::os::unix::fs::FileTypeExt::is_socket(&kind) {
            assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.path());
        }
    }
}

#[test]
fn a_second_start_on_the_same_directory_is_refused_with_the_reason() {
    let world = World::start(&[]);
    let outcome = world.run(&["up"]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(!outcome.stderr.trim().is_empty(), "no reason was given");
    // The first goes on, and its endpoints are still its own.
    let shop = world.workspace("Shop");
    assert_eq!(world.api(&shop).get("/v1/conversations").status, 200);
    assert!(world.dir().join("endpoints.json").exists());
}

#[test]
fn a_directory_of_a_newer_version_is_refused_and_left_alone() {
    let mut world = World::start(&[]);
    world.workspace("Shop");
    world.node.term();
    for database in catalog::databases_with(&world.dir(), "format_version") {
        catalog::sql(&database, &["UPDATE format_version SET version = version + 1000"]);
        let outcome = world.run(&["up"]);
        assert!(matches!(outcome.code, Some(1 | 2)), "{}: {outcome:?}", database.display());
        assert!(outcome.stderr.contains("version"), "{outcome:?}");
        catalog::sql(&database, &["UPDATE format_version SET version = version - 1000"]);
    }
    world.node.start();
}

#[test]
fn unknown_settings_and_wrong_usage_end_with_2() {
    let world = World::at(tempfile::tempdir().unwrap(), "data", &[]);
    let config = |text: &str| {
        let file = world.root().join("chatmai.toml");
        std::fs::write(&file, text).unwrap();
        let outcome = world.run(&["--config", file.to_str().unwrap(), "config"]);
        std::fs::remove_file(file).unwrap();
        outcome
    };
    assert_eq!(config("[land]\nmax_age = \"1s\"\n").code, Some(0));
    for bad in
        ["[land]\nmaximum_age = \"1s\"\n", "unknown = 1\n", "[land]\nmax_age = 5\n", "not toml", "[log]\nslots = 0\n"]
    {
        let outcome = config(bad);
        assert_eq!(outcome.code, Some(2), "{bad}: {outcome:?}");
        assert!(!outcome.stderr.trim().is_empty());
    }
    let typo = config("[land]\nmaximum_age = \"canary-value\"\n");
    assert!(typo.stderr.contains("land.maximum_age") && !typo.stderr.contains("canary-value"), "{typo:?}");
    let mut settings = world.node.settings().to_vec();
    settings.push(("land.maks_age".into(), "1s".into()));
    assert_eq!(cli::run(&world.dir(), &settings, &["config"]).code, Some(2));
    for (setting, value, says) in [("logging.level", "inof", "logging.level is"), ("data_dir", "", "data_dir is empty")]
    {
        let mut command = node::command(&world.dir(), world.node.settings());
        let outcome = command.env(node::variable(setting), value).arg("up").output().unwrap();
        let words = String::from_utf8_lossy(&outcome.stderr);
        assert_eq!((outcome.status.code(), words.contains(says)), (Some(2), true), "{setting}: {words}");
    }
    let flag = node::command(&world.dir(), world.node.settings()).args(["--data-dir", "", "up"]).output().unwrap();
    assert_eq!(flag.status.code(), Some(2), "{flag:?}");
    for wrong in [&["workspace"][..], &["frobnicate"], &["workspace", "add"], &["up", "--no-such-flag"]] {
        assert_eq!(world.run(wrong).code, Some(2), "{wrong:?}");
    }
    let shown = world.run(&["config"]);
    assert!(shown.code == Some(0) && shown.stdout.contains("max_age"), "{shown:?}");
    assert!(!shown.stdout.contains(crate::harness::facebook::APP_SECRET), "a secret was printed");
    assert_eq!(world.run(&["--version"]).code, Some(0));
}

#[test]
fn commands_reach_a_node_whose_path_is_longer_than_a_socket_address() {
    let name = "a-rather-long-name/".repeat(12);
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(root.path().join(&name)).unwrap();
    let mut world = World::at(root, &format!("{name}data"), &[]);
    assert!(world.dir().as_os_str().len() > 107 + 100);
    world.node.start();
    let shop = world.workspace("Shop");
    let account = world.line(&shop, "Account");
    account.send(world.endpoints(), &[line::text("1", &line::user(1), "hi", now() - 1000)]);
    let api = world.api(&shop);
    wait_until("the message", || api.find("1").len() == 1);
    world.node.restart();
    assert!(world.run(&["workspace", "list", "--json"]).stdout.contains(&shop.id));
}

#[test]
fn commands_work_alone_and_what_they_made_is_there_when_the_node_starts() {
    let mut world = World::at(tempfile::tempdir().unwrap(), "data", &[]);
    let shop = world.workspace("Made alone");
    let account = world.line(&shop, "Account");
    world.node.start();
    account.send(world.endpoints(), &[line::text("1", &line::user(1), "hi", now() - 1000)]);
    let api = world.api(&shop);
    wait_until("the message", || api.find("1").len() == 1);
    let list = world.run(&["connection", "list", "--workspace", &shop.id, "--json"]);
    let connections: Vec<Value> = list.items();
    assert!(connections.iter().any(|c| c.to_string().contains(&account.connection)), "{list:?}");
    assert!(!list.stdout.contains(&account.secret), "a secret was printed");
    for wrong in
        [&["workspace", "add", "X", "--time-zone", "Mars/Olympus"][..], &["workspace", "add", "", "--time-zone", "UTC"]]
    {
        let outcome = world.run(wrong);
        assert!(matches!(outcome.code, Some(1 | 2)), "{outcome:?}");
    }
    world.node.kill9();
    assert!(!world.node.wait_for_death(Duration::ZERO), "it was killed already");
}
