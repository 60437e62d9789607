//! How often a key may ask, and what is counted of it.
use crate::world::{World, request};
use axum::http::Method;
use query_api::http::ApiSettings;
use std::time::Duration;

#[tokio::test]
async fn a_key_that_asks_too_often_waits_and_others_do_not() {
    let world = World::with(ApiSettings { requests_per_second: 2, ..ApiSettings::default() }).await;
    for _ in 0..2 {
        world.get(&world.ours.read, "/v1/conversations").await.ok();
    }
    let refused = world.get(&world.ours.read, "/v1/events").await;
    refused.is(429, "rate_limited");
    assert_eq!(refused.header("retry-after"), "1");
    world.get(&world.ours.write, "/v1/conversations").await.ok();
    world.clock.advance(Duration::from_millis(500));
    world.get(&world.ours.read, "/v1/conversations").await.ok();
    world.get(&world.ours.read, "/v1/conversations").await.is(429, "rate_limited");
}

#[tokio::test]
async fn answers_are_counted_by_route_and_class() {
    let world = World::new().await;
    world.get(&world.ours.read, "/v1/conversations").await.ok();
    world.get(&world.ours.read, "/v1/conversations/0123").await.is(404, "not_found");
    world.get("", "/wp-admin/setup.php").await.is(404, "not_found");
    let stream = world.open(request(Method::GET, &world.ours.read, "/v1/events/stream")).await;
    let shown = || {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &world.metrics).expect("text");
        text
    };
    let text = shown();
    for line in [
        r#"chatmai_api_requests_total{route="/v1/conversations",status="2xx"} 1"#,
        r#"chatmai_api_requests_total{route="/v1/conversations/{id}",status="4xx"} 1"#,
        r#"chatmai_api_requests_total{route="unrouted",status="4xx"} 1"#,
        r#"chatmai_api_seconds_count{route="/v1/conversations"} 1"#,
        "chatmai_api_streams 1",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("wp-admin"));
    drop(stream);
    assert!(shown().contains("chatmai_api_streams 0"));
}
