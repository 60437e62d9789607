//! Pages, both ways; counts; cursors; read marks.
use crate::harness::{
    api::Api,
    line, now, rfc3339, wait_until,
    world::{Workspace, World},
};
use serde_json::{Value, json};

const CONTACTS: u64 = 23;

/// A workspace with one connection at each platform, 23 LINE conversations of 1 to 3 messages and 5 of Facebook.
fn filled() -> (World, Workspace) {
    let world = World::start(&[("land.max_age", "200ms"), ("jobs.derive_interval", "300ms")]);
    let shop = world.workspace("Shop");
    let (account, page) = (world.line(&shop, "Account"), world.page(&shop, "Page"));
    let at = now() - 7_200_000;
    for contact in 0..CONTACTS {
        let events = (0..=contact % 3).map(|n| {
            let id = format!("{}", 1000 + contact * 10 + n);
            let at = at + i64::try_from(contact * 60_000 + n * 1000).unwrap();
            line::text(&id, &line::user(contact), &format!("message {id}"), at)
        });
        account.send(world.endpoints(), &events.collect::<Vec<_>>());
    }
    for contact in 0..5 {
        let (person, at) = (format!("70{contact}"), at + contact * 61_000);
        page.send(world.endpoints(), &[page.text(&format!("m_{contact}"), &person, "hello", at)]);
        if contact < 2 {
            let echo = page.echo(&format!("m_e{contact}"), &person, "answer", None, at + 5000);
            page.send(world.endpoints(), &[echo]);
        }
    }
    let api = world.api(&shop);
    wait_until("28 conversations", || api.conversations().len() == 28);
    (world, shop)
}

fn ids(items: &[Value]) -> Vec<String> {
    items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

/// Walks to the end and back again with a small limit; all three walks see the same.
fn walk_both_ways(api: &Api, path: &str, query: &str, all: &[Value]) {
    let list = |page: &Value| page["items"].as_array().unwrap().clone();
    let mut page = api.json(&format!("{path}{query}limit=4"));
    assert!(page["prev_cursor"].is_null(), "nothing is before the first page");
    let mut forward = list(&page);
    while let Some(next) = page["next_cursor"].as_str() {
        page = api.json(&format!("{path}{query}limit=4&cursor={next}"));
        forward.extend(list(&page));
    }
    assert_eq!(ids(&forward), ids(all), "forward: {path}{query}");
    let mut backward = list(&page);
    while let Some(prev) = page["prev_cursor"].as_str() {
        page = api.json(&format!("{path}{query}limit=4&cursor={prev}"));
        backward = [list(&page), backward].concat();
    }
    assert_eq!(ids(&backward), ids(all), "backward: {path}{query}");
}

#[test]
fn pages_lead_both_ways_counts_equal_lists_and_filters_agree() {
    let (world, shop) = filled();
    let api = world.api(&shop);
    let all = api.conversations();
    let newest: Vec<_> = all.iter().map(|c| c["last_activity_at"].as_str().unwrap().to_owned()).collect();
    assert!(newest.is_sorted_by(|a, b| a >= b), "newest activity first");
    walk_both_ways(&api, "/v1/conversations", "?", &all);
    let longest = all.iter().max_by_key(|c| c["message_count"].as_u64()).unwrap()["id"].as_str().unwrap();
    for order in ["newest", "oldest"] {
        let path = format!("/v1/conversations/{longest}/messages");
        walk_both_ways(&api, &path, &format!("?order={order}&"), &api.messages(longest, order));
    }
    let connection = all[0]["connection"].as_str().unwrap();
    for filter in [
        String::new(),
        "platform=line".into(),
        "platform=facebook".into(),
        "platform=shopee".into(),
        format!("connection={connection}"),
        "unread=true".into(),
        "unread=false".into(),
        "status=open".into(),
        "status=closed".into(),
        "assignee=none".into(),
        "assignee=alice".into(),
        "platform=facebook&unread=true&status=open".into(),
    ] {
        let list = api.pages("/v1/conversations", &format!("?limit=3&{filter}"), "next_cursor");
        let counts = api.json(&format!("/v1/conversations/counts?{filter}"));
        assert_eq!(counts["total"], list.len(), "{filter}");
        let unread = list.iter().filter(|c| c["unread"].as_u64() > Some(0)).count();
        assert_eq!(counts["unread"], unread, "{filter}");
        for (by, field) in [("by_status", "status"), ("by_platform", "platform"), ("by_connection", "connection")] {
            for (value, count) in counts[by].as_object().unwrap() {
                let of = list.iter().filter(|c| c[field] == value.as_str()).count();
                assert_eq!(*count, of, "{filter} {by} {value}");
            }
        }
        let nobodys = list.iter().filter(|c| c["assignee"].is_null()).count();
        assert_eq!(counts["unassigned"], nobodys, "{filter}");
        for (member, count) in counts["by_assignee"].as_object().unwrap() {
            let of = list.iter().filter(|c| c["assignee"] == member.as_str()).count();
            assert_eq!(*count, of, "{filter} {member}");
        }
        walk_both_ways(&api, "/v1/conversations", &format!("?{filter}&").replace("?&", "?"), &list);
    }
}

#[test]
fn edited_and_foreign_cursors_and_unknown_parameters_are_refused() {
    let (world, shop) = filled();
    let api = world.api(&shop);
    let page = api.json("/v1/conversations?limit=4");
    let cursor = page["next_cursor"].as_str().unwrap();
    let mut edited = cursor.to_owned().into_bytes();
    edited[3] = if edited[3] == b'A' { b'B' } else { b'A' };
    let edited = String::from_utf8(edited).unwrap();
    let conversation = page["items"][0]["id"].as_str().unwrap();
    for path in [
        format!("/v1/conversations?cursor={edited}"),
        format!("/v1/conversations?cursor={}", &cursor[..cursor.len() - 2]),
        format!("/v1/conversations?cursor={cursor}A"),
        format!("/v1/conversations?platform=line&cursor={cursor}"),
        format!("/v1/conversations/{conversation}/messages?cursor={cursor}"),
        format!("/v1/events?after={cursor}"),
        "/v1/conversations?cursor=".into(),
        "/v1/conversations?limit=0".into(),
        "/v1/conversations?limit=201".into(),
        "/v1/conversations?limit=-1".into(),
        "/v1/events?limit=1001".into(),
        "/v1/conversations?colour=red".into(),
        "/v1/conversations?limit=1&limit=2".into(),
        "/v1/conversations?status=asleep".into(),
        "/v1/conversations?unread=maybe".into(),
        format!("/v1/conversations/{conversation}/messages?order=random"),
        "/v1/conversations?min_position=nonsense".into(),
    ] {
        let answer = api.get(&path);
        assert_eq!(answer.status, 400, "{path}: {}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{path}");
        let problem = answer.json();
        for field in ["type", "title", "status", "code", "detail", "request_id"] {
            assert!(!problem[field].is_null(), "{path}: no {field} in {problem}");
        }
    }
}

#[test]
fn a_read_mark_is_read_back_at_its_position_and_survives_a_kill() {
    let (mut world, shop) = filled();
    let api = world.api(&shop);
    let list = api.pages("/v1/conversations", "?limit=200&platform=line", "next_cursor");
    let conversation = list.iter().find(|c| c["message_count"] == 3).unwrap();
    let id = conversation["id"].as_str().unwrap();
    let oldest = api.messages(id, "oldest");
    assert_eq!(conversation["unread"], 3);
    let mut left = 3;
    for message in &oldest {
        let mark = json!({"until": message["event_at"]});
        let answer = api.post(&format!("/v1/conversations/{id}/read"), &mark);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let position = answer.json()["position"].as_str().unwrap().to_owned();
        left -= 1;
        let now = api.json(&format!("/v1/conversations/{id}?min_position={position}"));
        assert_eq!(now["unread"], left);
    }
    // An older mark does not take a newer one back.
    let older = api.post(&format!("/v1/conversations/{id}/read"), &json!({"until": oldest[0]["event_at"]}));
    let position = older.json()["position"].as_str().unwrap().to_owned();
    assert_eq!(api.json(&format!("/v1/conversations/{id}?min_position={position}"))["unread"], 0);
    world.node.kill9();
    world.node.start();
    assert_eq!(world.api(&shop).json(&format!("/v1/conversations/{id}"))["unread"], 0);
    for (body, status) in
        [(json!({}), 400), (json!({"until": "yesterday"}), 400), (json!({"until": rfc3339(now()), "x": 1}), 400)]
    {
        assert_eq!(world.api(&shop).post(&format!("/v1/conversations/{id}/read"), &body).status, status, "{body}");
    }
}
