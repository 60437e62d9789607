//! Every way in which an answer can fail, in one shape.
use crate::world::{World, id, request};
use axum::http::Method;
use query_api::engine::types::QueryError;

#[tokio::test]
async fn bad_parameters_are_named() {
    let world = World::new().await;
    let one = format!("/v1/conversations/{}", id(1));
    let messages = format!("{one}/messages");
    for (path, name) in [
        ("/v1/conversations?status=asleep".to_owned(), "status"),
        ("/v1/conversations?status=".to_owned(), "status"),
        ("/v1/conversations?status=Open".to_owned(), "status"),
        ("/v1/conversations?platform=icq".to_owned(), "platform"),
        ("/v1/conversations?connection=1".to_owned(), "connection"),
        ("/v1/conversations?unread=1".to_owned(), "unread"),
        ("/v1/conversations?assignee=".to_owned(), "assignee"),
        ("/v1/conversations?limit=0".to_owned(), "limit"),
        ("/v1/conversations?limit=201".to_owned(), "limit"),
        ("/v1/conversations?limit=-1".to_owned(), "limit"),
        ("/v1/conversations?limit=%2B5".to_owned(), "limit"),
        ("/v1/conversations?limit=99999999999999999999999".to_owned(), "limit"),
        ("/v1/conversations?limit=".to_owned(), "limit"),
        ("/v1/conversations?limit=5&limit=5".to_owned(), "limit"),
        ("/v1/conversations?page=2".to_owned(), "page"),
        ("/v1/conversations?LIMIT=2".to_owned(), "LIMIT"),
        ("/v1/conversations?foo&limit=2".to_owned(), "foo"),
        ("/v1/conversations?%3Cb%3E%0A=2".to_owned(), "<b>?"),
        ("/v1/conversations/counts?limit=2".to_owned(), "limit"),
        (format!("{one}?limit=2"), "limit"),
        (format!("{messages}?order=random"), "order"),
        (format!("{messages}?status=open"), "status"),
        (format!("{messages}?limit=201"), "limit"),
        ("/v1/events?limit=1001".to_owned(), "limit"),
        ("/v1/events?cursor=x".to_owned(), "cursor"),
        ("/v1/events?after=a&after=a".to_owned(), "after"),
        ("/v1/events/stream?after=x".to_owned(), "after"),
        ("/openapi.json?pretty=1".to_owned(), "pretty"),
    ] {
        let answer = world.get(&world.ours.read, &path).await;
        answer.is(400, "bad_parameter");
        let detail = answer.json()["detail"].as_str().expect("text").to_owned();
        assert!(detail.contains(&format!("`{name}`")), "{path}: {detail}");
    }
    world.get(&world.ours.read, "/v1/events?limit=1000").await.ok();
    world.get(&world.ours.read, "/v1/conversations?limit=200").await.ok();
}

#[tokio::test]
async fn unknown_and_foreign_are_the_same() {
    let world = World::new().await;
    let read = r#"{"until":"2026-11-22T08:15:30Z"}"#;
    let mut bodies = Vec::new();
    for other in [id(101), id(250), "nonsense".to_owned(), id(1).to_uppercase().replace('0', "A"), "%FF".to_owned()] {
        for path in [format!("/v1/conversations/{other}"), format!("/v1/conversations/{other}/messages")] {
            bodies.push(world.get(&world.ours.read, &path).await);
        }
        bodies.push(world.post(&world.ours.write, &format!("/v1/conversations/{other}/read"), read).await);
    }
    for other in [world.theirs.connection.to_string(), id(9)] {
        bodies.push(world.get(&world.ours.read, &format!("/v1/conversations?connection={other}")).await);
        bodies.push(world.get(&world.ours.read, &format!("/v1/conversations/counts?connection={other}")).await);
    }
    for path in ["/", "/v1", "/v1/nothing", "/v2/conversations", "/v1/conversations/"] {
        bodies.push(world.get(&world.ours.read, path).await);
    }
    let mut seen = std::collections::BTreeSet::new();
    for answer in &bodies {
        answer.is(404, "not_found");
        let mut problem = answer.json();
        problem["request_id"].take();
        seen.insert((problem.to_string(), answer.headers.len()));
    }
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert!(world.log.records.lock().is_empty());
}

type Row = (fn() -> QueryError, u16, &'static str);

#[tokio::test]
async fn what_the_engine_says_becomes_a_status_and_its_words_stay_inside() {
    let world = World::new().await;
    let one = format!("/v1/conversations/{}", id(1));
    let messages = format!("{one}/messages");
    let rows: [Row; 5] = [
        (|| QueryError::NotFound, 404, "not_found"),
        (|| QueryError::PositionUnknown, 410, "position_unknown"),
        (|| QueryError::KeyDestroyed, 410, "key_destroyed"),
        (|| QueryError::Unavailable("/var/secret.db is locked".into()), 503, "unavailable"),
        (|| QueryError::Integrity("/var/secret.parquet page 3".into()), 500, "integrity"),
    ];
    let gets = ["/v1/conversations", "/v1/conversations/counts", &one, &messages, "/v1/events", "/v1/events/stream"];
    for (error, status, code) in rows {
        *world.answers.failing.lock() = Some(error);
        for path in gets {
            if code == "not_found" && path.starts_with("/v1/events") {
                continue; // There is nothing there that could be unknown.
            }
            let answer = world.get(&world.ours.read, path).await;
            answer.is(status, code);
            assert!(!String::from_utf8_lossy(&answer.bytes).contains("secret"));
            assert_eq!(answer.header("retry-after"), if status == 503 { "1" } else { "" });
        }
    }
}

#[tokio::test]
async fn a_panic_is_an_answer_too() {
    let world = World::new().await;
    *world.answers.failing.lock() = Some(|| panic!("secret"));
    let answer = world.get(&world.ours.read, "/v1/conversations/counts").await;
    answer.is(500, "internal");
    assert!(!String::from_utf8_lossy(&answer.bytes).contains("secret"));
}

#[tokio::test]
async fn request_ids_differ_and_are_not_the_callers() {
    let world = World::new().await;
    let mut asked = request(Method::GET, &world.ours.read, "/v1/conversations");
    asked.headers_mut().insert("x-request-id", "mine".parse().expect("a value"));
    let first = world.send(asked).await;
    let second = world.get(&world.ours.read, "/v1/conversations").await;
    assert_ne!(first.header("x-request-id"), second.header("x-request-id"));
    assert_ne!(first.header("x-request-id"), "mine");
}
