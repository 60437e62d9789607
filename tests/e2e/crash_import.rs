//! Kill -9 in the middle of an import: run again, every line is there once.
use crate::harness::{
    cli,
    compare::settle,
    metrics::Totals,
    node::command,
    now,
    random::Random,
    rfc3339,
    world::{Workspace, World},
};
use serde_json::json;
use std::{collections::BTreeMap, path::Path, process::Stdio, time::Duration};

const LINES: usize = 6000;

fn lines(prefix: &str) -> String {
    let at = now() - 20 * 86_400_000;
    let line = |n: usize| {
        json!({"id": format!("{prefix}{n}"), "kind": "message", "connection": {"platform": "line", "name": "Old"},
            "conversation": format!("c{}", n % 40), "author": {"kind": "customer"},
            "event_at": rfc3339(at + i64::try_from(n * 60_000).unwrap()), "text": format!("words {n}")})
    };
    (0..LINES).map(|n| line(n).to_string() + "\n").collect()
}

fn check(world: &World, shop: &Workspace, prefixes: &[&str]) {
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for event in world.api(shop).events() {
        *found.entry(event["body"]["platform_message_id"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    let doubled = found.values().filter(|count| **count > 1).count();
    let all = prefixes.iter().flat_map(|prefix| (0..LINES).map(move |n| format!("{prefix}{n}")));
    let lost = all.filter(|id| !found.contains_key(id)).count();
    println!("import: {} lines, lost {lost}, doubled {doubled}", found.len());
    assert_eq!((lost, doubled, found.len()), (0, 0, prefixes.len() * LINES));
}

fn import(dir: &Path, settings: &[(String, String)], shop: &Workspace, file: &Path) -> cli::Outcome {
    cli::run(dir, settings, &["import", "--workspace", &shop.id, file.to_str().unwrap(), "--json"])
}

#[test]
fn an_import_that_is_killed_and_run_again_brings_every_line_once() {
    let seed = Random::seed_from_environment();
    let mut random = Random::new(seed);
    let mut world = World::start(crate::crash_load::FAST);
    let shop = world.workspace("Shop");
    let (file, alone) = (world.root().join("lines.ndjson"), world.root().join("alone.ndjson"));
    std::fs::write(&file, lines("a")).unwrap();
    std::fs::write(&alone, lines("b")).unwrap();
    let (dir, settings) = (world.dir(), world.node.settings().to_vec());
    for _ in 0..4 {
        let import = std::thread::scope(|scope| {
            let running = scope.spawn(|| import(&dir, &settings, &shop, &file));
            std::thread::sleep(Duration::from_millis(random.number() % 500));
            world.node.kill9();
            running.join().unwrap()
        });
        // Either it was through, or it says that it was not.
        assert!(matches!(import.code, Some(0 | 1)), "seed {seed}: {import:?}");
        world.node.start();
    }
    let whole = import(&dir, &settings, &shop, &file);
    assert_eq!((whole.code, whole.json()["appended"].as_u64()), (Some(0), Some(LINES as u64)), "{whole:?}");
    settle(&mut world);
    check(&world, &shop, &["a"]);

    // Without a node the command itself holds the log.
    world.node.term();
    for _ in 0..4 {
        let mut child = command(&dir, &settings)
            .args(["import", "--workspace", &shop.id, alone.to_str().unwrap(), "--json"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(random.number() % 1200));
        let _ = child.kill();
        child.wait().unwrap();
    }
    let whole = import(&dir, &settings, &shop, &alone);
    assert_eq!(whole.code, Some(0), "{whole:?}");
    world.node.start();
    settle(&mut world);
    check(&world, &shop, &["a", "b"]);
    assert!(Totals::read(world.endpoints()).add_up());
}
