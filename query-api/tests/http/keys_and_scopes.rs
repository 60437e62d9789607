//! Who gets in.
use crate::world::{World, id, request};
use axum::http::Method;
use query_api::http::routes::{Access, Endpoint};
use warehouse::registry::Scope;

fn path(endpoint: Endpoint) -> String {
    endpoint.path().replace("{id}", &id(1))
}

async fn ask(world: &World, key: &str, endpoint: Endpoint) -> (u16, String) {
    let mut asked = request(endpoint.method(), key, &path(endpoint));
    if endpoint.method() == Method::POST {
        asked.headers_mut().insert("content-type", "application/json".parse().expect("a value"));
        *asked.body_mut() = r#"{"until":"2026-11-22T08:15:30.123Z"}"#.into();
    }
    if endpoint == Endpoint::Stream {
        // Its body does not end.
        let response = world.open(asked).await;
        if response.status().is_success() {
            return (200, String::new());
        }
        return (response.status().as_u16(), "?".to_owned());
    }
    let answer = world.send(asked).await;
    let code = if answer.status.is_success() { String::new() } else { answer.code() };
    (answer.status.as_u16(), code)
}

#[tokio::test]
async fn every_route_but_the_description_wants_a_key() {
    let world = World::new().await;
    for endpoint in Endpoint::ALL {
        let wanted = if *endpoint == Endpoint::OpenApi { Access::Public } else { endpoint.access() };
        assert_eq!(endpoint.access(), wanted);
        let refused = world.open(request(endpoint.method(), "", &path(*endpoint))).await;
        if let Access::Key(_) = wanted {
            assert_eq!(refused.status(), 401, "{endpoint:?}");
            assert_eq!(refused.headers()["www-authenticate"], "Bearer");
        } else {
            assert_eq!(refused.status(), 200);
        }
    }
}

#[tokio::test]
async fn the_scopes_table() {
    let world = World::new().await;
    for endpoint in Endpoint::ALL {
        let wanted = match endpoint.access() {
            Access::Key(Scope::Write) => 403,
            _ => 200,
        };
        let read = ask(&world, &world.ours.read, *endpoint).await;
        assert_eq!(read.0, wanted, "{endpoint:?}");
        if wanted == 403 {
            assert_eq!((*endpoint, read.1.as_str()), (Endpoint::Read, "scope"));
        }
        assert_eq!(ask(&world, &world.ours.write, *endpoint).await.0, 200, "{endpoint:?}");
    }
}

#[tokio::test]
async fn what_is_no_key_of_ours_is_refused() {
    let world = World::new().await;
    let good = world.ours.read.clone();
    let mut swapped = good.clone().into_bytes();
    swapped.swap(10, 11);
    let swapped = String::from_utf8(swapped).expect("ascii");
    for bad in [
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        "Bearer x".to_owned(),
        format!("Basic {good}"),
        format!("Bearer {good}0"),
        format!("Bearer {}", &good[1..]),
        if swapped == good { "x".to_owned() } else { format!("Bearer {swapped}") },
        good.clone(),
    ] {
        let mut asked = request(Method::GET, "", "/v1/conversations");
        asked.headers_mut().insert("authorization", bad.parse().expect("a value"));
        world.send(asked).await.is(401, "unauthorized");
    }
    let mut twice = request(Method::GET, &good, "/v1/conversations");
    twice.headers_mut().append("authorization", format!("Bearer {good}").parse().expect("a value"));
    world.send(twice).await.is(401, "unauthorized");
    let mut lower = request(Method::GET, "", "/v1/conversations");
    lower.headers_mut().insert("authorization", format!("bearer {good}").parse().expect("a value"));
    world.send(lower).await.ok();
}

#[tokio::test]
async fn a_revoked_key_ends_with_the_next_view() {
    let world = World::new().await;
    world.get(&world.ours.read, "/v1/conversations").await.ok();
    world.registry.revoke_key(world.ours.read_id).await.expect("revoked");
    world.registry.refresh().await.expect("a view");
    world.get(&world.ours.read, "/v1/conversations").await.is(401, "unauthorized");
    world.get(&world.ours.write, "/v1/conversations").await.ok();
    world.get(&world.theirs.read, "/v1/conversations").await.ok();
}

#[tokio::test]
async fn a_destroyed_workspace_is_gone() {
    let world = World::new().await;
    world.keyring.destroy_workspace(world.ours.workspace.id).await.expect("destroyed");
    world.get(&world.ours.read, "/v1/conversations").await.is(410, "key_destroyed");
    world.get(&world.ours.read, "/v1/events").await.is(410, "key_destroyed");
    let read = format!("/v1/conversations/{}/read", id(1));
    world.post(&world.ours.write, &read, r#"{"until":"2026-11-22T08:15:30Z"}"#).await.is(410, "key_destroyed");
    world.get(&world.theirs.read, "/v1/conversations").await.ok();
}

#[tokio::test]
async fn head_options_and_other_methods() {
    let world = World::new().await;
    for endpoint in Endpoint::ALL {
        let allowed = if endpoint.method() == Method::GET { "GET, HEAD, OPTIONS" } else { "POST, OPTIONS" };
        let options = world.send(request(Method::OPTIONS, "", &path(*endpoint))).await;
        assert_eq!((options.status.as_u16(), options.header("allow")), (204, allowed));
        assert!(options.bytes.is_empty());
        assert!(!options.headers.keys().any(|name| name.as_str().starts_with("access-control")));
        let other = world.send(request(Method::DELETE, &world.ours.write, &path(*endpoint))).await;
        other.is(405, "method_not_allowed");
        assert_eq!(other.header("allow"), allowed);
        if endpoint.method() == Method::GET {
            let head = world.send(request(Method::HEAD, &world.ours.read, &path(*endpoint))).await;
            assert_eq!((head.status.as_u16(), head.bytes.len()), (200, 0), "{endpoint:?}");
        }
    }
}
