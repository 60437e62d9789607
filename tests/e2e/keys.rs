//! API keys, connections and their secrets: what an operator changes acts within a second.
use crate::harness::{
    api::Api,
    line, now, sign, wait_until,
    world::{World, text},
};
use std::time::{Duration, Instant};

/// Contract: new and revoked things act within 1 s; the rest is the machine's to spend.
const SOON: Duration = Duration::from_secs(1);

/// The time until it is true. The bound of the contract is checked with the time of a busy machine on top.
fn acts_soon(what: &str, look: impl FnMut() -> bool) {
    let began = Instant::now();
    wait_until(what, look);
    assert!(began.elapsed() < SOON + Duration::from_secs(4), "{what} took {:?}", began.elapsed());
}

#[test]
fn keys_have_scopes_are_listed_without_themselves_and_act_until_revoked() {
    let world = World::start(&[]);
    let shop = world.workspace("Shop");
    let account = world.line(&shop, "Account");
    account.send(world.endpoints(), &[line::text("1", &line::user(1), "hi", now() - 1000)]);
    let reader = world.ask(&["key", "add", "--workspace", &shop.id, "--scope", "read"]);
    let reading = Api::new(world.endpoints(), &text(&reader, "key"));
    acts_soon("the new key", || reading.get("/v1/conversations").status == 200);
    wait_until("the message", || !reading.conversations().is_empty());
    let id = text(&reading.conversations()[0], "id");
    let mark = serde_json::json!({"until": "2020-01-01T00:00:00.000Z"});
    let refused = reading.post(&format!("/v1/conversations/{id}/read"), &mark);
    assert_eq!((refused.status, refused.json()["code"].as_str()), (403, Some("scope")));
    assert_eq!(world.api(&shop).post(&format!("/v1/conversations/{id}/read"), &mark).status, 200);

    let listed = world.run(&["key", "list", "--workspace", &shop.id, "--json"]);
    assert!(listed.stdout.contains(&text(&reader, "id")), "{listed:?}");
    assert!(!listed.stdout.contains(&text(&reader, "key")), "a key is shown once");
    world.ask(&["key", "revoke", &text(&reader, "id")]);
    acts_soon("the revocation", || reading.get("/v1/conversations").status == 401);
    assert_eq!(world.api(&shop).get("/v1/conversations").status, 200, "the other key still holds");
    // Every route, no key and all kinds of wrong ones: the same body.
    let (client, base) = (&world.endpoints().client, &world.endpoints().api);
    let wrong = format!("Bearer {}", text(&reader, "key"));
    let mut bodies = std::collections::HashSet::new();
    for path in ["/v1/conversations", "/v1/conversations/counts", "/v1/events", "/v1/events/stream"] {
        for header in [None, Some("Bearer "), Some("Bearer x"), Some("Basic eDp4"), Some(wrong.as_str())] {
            let headers: Vec<_> = header.iter().map(|value| ("authorization", *value)).collect();
            let answer = client.get(&format!("{base}{path}"), &headers).unwrap();
            assert_eq!(answer.status, 401, "{path} {header:?}");
            let mut problem = answer.json();
            problem.as_object_mut().unwrap().remove("request_id");
            bodies.insert(problem.to_string());
        }
    }
    assert_eq!(bodies.len(), 1, "{bodies:?}");
}

#[test]
fn a_disabled_connection_takes_nothing_and_keeps_what_it_took() {
    let world = World::start(&[("land.max_age", "200ms")]);
    let shop = world.workspace("Shop");
    let (account, other) = (world.line(&shop, "Account"), world.line(&shop, "Other"));
    let page = world.page(&shop, "Page");
    let (at, endpoints) = (now() - 60_000, world.endpoints());
    account.send(endpoints, &[line::text("1", &line::user(1), "before", at)]);
    world.ask(&["connection", "disable", &account.connection]);
    let body = account.body(&[line::text("2", &line::user(1), "after", at + 1)]);
    acts_soon("the disabled connection", || account.post(endpoints, &endpoints.client, &body).unwrap() == 404);
    other.send(endpoints, &[line::text("3", &line::user(1), "other", at + 2)]);
    // Meta unsubscribes the app at a 404, so that a page's posts are taken, and dropped.
    world.ask(&["connection", "disable", &page.connection]);
    let post = || page.send(endpoints, &[page.text(&format!("m_{}", now()), "1", "after", at)]);
    let ignored = || crate::harness::metrics::Totals::read(endpoints).ignored;
    acts_soon("the disabled page", || {
        post();
        ignored() > 0
    });
    let api = world.api(&shop);
    wait_until("the other connection's message", || api.find("3").len() == 1);
    assert_eq!((api.find("1").len(), api.find("2").len()), (1, 0));
    let unknown = format!("{}/webhooks/line/{}", endpoints.ingest, "0".repeat(32));
    let (name, value) = sign::line("x", b"{}");
    let answer = endpoints.client.post(&unknown, &[(name, &value)], b"{}").unwrap();
    assert_eq!(answer.status, 404);
}

#[test]
fn after_a_rotation_both_secrets_hold_and_others_do_not() {
    let mut world = World::start(&[]);
    let shop = world.workspace("Shop");
    let old = world.line(&shop, "Account");
    let file = world.secret_file("the-new-secret-91");
    world.ask(&["connection", "rotate-secret", &old.connection, "--secret-file", file.to_str().unwrap()]);
    let new = line::Account { secret: "the-new-secret-91".into(), ..old.clone() };
    let never = line::Account { secret: "the-wrong-secret-91".into(), ..old.clone() };
    let (at, user) = (now() - 60_000, line::user(2));
    let body = |n: i64| old.body(&[line::text(&n.to_string(), &user, "hi", at + n)]);
    for round in 0..2 {
        let endpoints = world.endpoints();
        let post = |account: &line::Account, n| account.post(endpoints, &endpoints.client, &body(n)).unwrap();
        acts_soon("the new secret", || post(&new, 10 + round) == 200);
        assert_eq!(post(&old, 20 + round), 200);
        assert_eq!(post(&never, 30 + round), 401);
        if round == 0 {
            world.node.restart();
        }
    }
    let api = world.api(&shop);
    wait_until("four messages", || api.events().len() == 4);
    assert!(api.find("30").is_empty());
}
