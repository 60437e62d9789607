//! What is signed and cannot be read: kept, listed, shown, replayed.
use crate::harness::{
    catalog,
    compare::settle,
    facebook, line,
    metrics::Totals,
    now,
    random::Random,
    world::{World, text},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::path::PathBuf;

#[test]
fn unreadable_posts_are_kept_shown_and_replayed() {
    let mut world = World::start(&[("land.max_age", "100ms")]);
    let shop = world.workspace("Shop");
    let (account, page) = (world.line(&shop, "Account"), world.page(&shop, "Page"));
    let (at, user) = (now() - 60_000, line::user(1));
    let endpoints = world.endpoints().clone();
    let deep =
        format!("{{\"destination\":\"{}\",\"events\":{}{}}}", account.destination, "[".repeat(60), "]".repeat(60));
    let line_bodies: [&[u8]; 4] = [b"this is no JSON", b"{\"destination\": 5}", b"\xff\xfe\x00", deep.as_bytes()];
    for body in line_bodies {
        assert_eq!(account.post(&endpoints, &endpoints.client, body).unwrap(), 200);
        assert_eq!(account.post(&endpoints, &endpoints.client, body).unwrap(), 200, "and again");
    }
    // One bad element does not take the good one beside it down.
    let odd = line::event("somethingNew", &user, at);
    account.send(&endpoints, &[odd.clone(), line::text("1", &user, "good", at + 1)]);
    page.send(
        &endpoints,
        &[serde_json::json!({"sender": {"id": "1"}, "recipient": {"id": page.id}, "timestamp": at, "new_thing": {}})],
    );
    // Nobody's: the operator's own workspace keeps them.
    for body in [b"no JSON either".as_slice(), b"{\"object\":\"page\"}"] {
        assert_eq!(facebook::post(&endpoints, &endpoints.client, body).unwrap(), 200);
    }
    settle(&mut world);
    let letters = world.dead_letters(&shop.id);
    assert_eq!(letters.len(), 6, "{letters:#?}");
    assert_eq!(world.dead_letters("system").len(), 2);
    let of_page =
        world.run(&["dead-letters", "list", "--workspace", &shop.id, "--connection", &page.connection, "--json"]);
    assert_eq!(of_page.items().len(), 1, "{of_page:?}");
    for letter in &letters {
        for field in ["id", "connection", "received_at", "reason", "bytes"] {
            assert!(!letter[field].is_null(), "no {field} in {letter}");
        }
    }
    let api = world.api(&shop);
    assert_eq!(api.find("1").len(), 1);
    assert_eq!(api.events().len(), 1, "dead letters are no events");
    let before = Totals::read(world.endpoints());
    assert_eq!((before.committed, before.dead_lettered, before.duplicates), (1, 8, 4), "{before:?}");

    let one = letters.iter().find(|l| l["reason"] == "unknown_event" && l["connection"] == account.connection.as_str());
    let id = text(one.unwrap(), "id");
    let shown = world.run(&["dead-letters", "show", "--workspace", &shop.id, &id, "--json"]);
    let content = STANDARD.decode(text(&shown.items()[0], "content")).unwrap();
    assert_eq!(content, odd.to_string().into_bytes(), "the bytes that came");
    // It still does not read: a replay is accepted anew and found to be a copy.
    let replayed = world.run(&["dead-letters", "replay", "--workspace", &shop.id, &id, "--json"]);
    assert_eq!(replayed.code, Some(0), "{replayed:?}");
    settle(&mut world);
    let after = Totals::read(world.endpoints());
    assert_eq!((after.accepted, after.duplicates), (before.accepted + 1, before.duplicates + 1), "{after:?}");
    assert!(after.add_up());
    assert_eq!(world.dead_letters(&shop.id).len(), 6);
    let stranger = world.run(&["dead-letters", "show", "--workspace", "system", &id]);
    assert_ne!(stranger.code, Some(0), "another workspace's dead letter: {stranger:?}");
}

#[test]
fn a_list_opens_no_content() {
    let mut world = World::start(&[("land.max_age", "100ms")]);
    let shop = world.workspace("Shop");
    let account = world.line(&shop, "Account");
    let endpoints = world.endpoints().clone();
    // Content that nothing makes shorter, so that it is most of the file.
    let mut random = Random::new(5);
    let body: Vec<u8> = std::iter::repeat_with(|| random.number().to_be_bytes()).take(40_000).flatten().collect();
    assert_eq!(account.post(&endpoints, &endpoints.client, &body).unwrap(), 200);
    settle(&mut world);
    let is_letters = |file: &PathBuf| file.components().any(|part| part.as_os_str() == "dead_letters");
    let found: Vec<_> = catalog::files(&world.dir().join("store")).into_iter().filter(is_letters).collect();
    let [file] = found.as_slice() else { panic!("one file of dead letters, not {found:?}") };
    let mut bytes = std::fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(file, bytes).unwrap();
    let letters = world.dead_letters(&shop.id);
    assert_eq!((letters.len(), &letters[0]["bytes"]), (1, &body.len().into()), "{letters:?}");
    let shown = world.run(&["dead-letters", "show", "--workspace", &shop.id]);
    assert_eq!((shown.code, shown.stdout.as_str()), (Some(1), ""), "the content does not verify");
}
