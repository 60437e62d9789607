//! All hostile inputs, one after the other and at once, beside good traffic: the node answers, and nothing good is lost.
use crate::{
    harness::{
        compare::settle,
        line,
        metrics::Totals,
        now,
        raw::{self, Reply},
        world::World,
    },
    hostile_inputs::{self, Input, Wanted},
};

fn fits(reply: &Reply, wanted: Wanted) -> bool {
    match (wanted, reply) {
        (Wanted::Taken, Reply::Status(status)) => *status == 200,
        (Wanted::Status(wanted), Reply::Status(status)) => wanted == *status,
        (Wanted::Refused, Reply::Status(status)) => (400..500).contains(status) || *status == 505,
        (Wanted::Refused, Reply::Closed) => true,
        (_, Reply::Closed) => false,
    }
}

#[test]
fn hostile_inputs_get_what_they_deserve_and_good_traffic_is_untouched() {
    let mut world =
        World::start(&[("land.max_age", "200ms"), ("limits.read_timeout", "3s"), ("logging.level", "debug")]);
    let shop = world.workspace("Shop");
    let account = world.line(&shop, "Account");
    let at = now() - 3_600_000;
    let inputs = hostile_inputs::all(&account);
    assert!(inputs.len() >= 80, "{}", inputs.len());
    let endpoints = world.endpoints().clone();
    let good = |n: usize| line::text(&format!("good-{n}"), &line::user(1), &format!("good words {n}"), at + n as i64);
    let mut wrong = Vec::new();
    for (n, Input { name, bytes, wanted }) in inputs.iter().enumerate() {
        let reply = raw::send(&endpoints, &endpoints.ingest, bytes);
        if !fits(&reply, *wanted) {
            wrong.push(format!("{name}: {reply:?}, wanted {wanted:?}"));
        }
        account.send(&endpoints, &[good(n)]);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    // And once more, eight at a time.
    std::thread::scope(|scope| {
        for lane in 0..8 {
            let (inputs, endpoints) = (&inputs, &endpoints);
            scope.spawn(move || {
                for Input { bytes, .. } in inputs.iter().skip(lane).step_by(8) {
                    raw::send(endpoints, &endpoints.ingest, bytes);
                }
            });
        }
    });
    // The same bytes at the API, which knows none of these paths.
    for Input { name, bytes, .. } in &inputs {
        let reply = raw::send(&endpoints, &endpoints.api, bytes);
        assert!(!matches!(reply, Reply::Status(200..=399 | 500..=502)), "{name} at the API: {reply:?}");
    }
    settle(&mut world);
    let api = world.api(&shop);
    let messages: std::collections::HashSet<String> =
        api.events().iter().map(|e| e["body"]["platform_message_id"].to_string()).collect();
    let lost = (0..inputs.len()).filter(|n| !messages.contains(&format!("\"good-{n}\""))).count();
    assert_eq!(lost, 0, "good messages lost");
    let totals = Totals::read(world.endpoints());
    assert!(totals.add_up() && totals.dead_lettered > 40, "{totals:?}");
    let log = world.node.log();
    for content in ["good words", "/etc/passwd", "DROP TABLE", "panicked"] {
        assert!(!log.contains(content), "`{content}` is in the log");
    }
}
