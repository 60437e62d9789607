//! The description says what is served, and what is served is described.
use crate::world::{World, id};
use axum::http::{Method, StatusCode};
use query_api::http::{
    openapi::Description,
    routes::{Access, Endpoint},
};
use serde_json::Value;
use std::{collections::BTreeSet, sync::LazyLock};
use utoipa::OpenApi;

static DESCRIPTION: LazyLock<Value> =
    LazyLock::new(|| serde_json::to_value(Description::openapi()).expect("a description"));

fn operation(endpoint: Endpoint) -> &'static Value {
    &DESCRIPTION["paths"][endpoint.path()][endpoint.method().as_str().to_lowercase()]
}

fn matches(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len() && template.iter().zip(&path).all(|(t, p)| t == p || (*t == "{id}" && *p != "counts"))
}

/// Fails when a route answers with a status that its description does not have.
#[track_caller]
pub fn assert_documented(method: &Method, path: &str, status: StatusCode) {
    let method = if *method == Method::HEAD { &Method::GET } else { method };
    let found = Endpoint::ALL.iter().find(|e| matches(e.path(), path) && e.method() == *method);
    if let Some(endpoint) = found {
        let responses = operation(*endpoint)["responses"].as_object().expect("responses");
        assert!(responses.contains_key(status.as_str()), "{endpoint:?} answers {status}, which nobody is told");
    }
}

#[tokio::test]
async fn it_is_public_and_json() {
    let world = World::new().await;
    let answer = world.get("", "/openapi.json").await;
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(&answer.ok(), &*DESCRIPTION);
    assert!(DESCRIPTION["openapi"].as_str().expect("a version").starts_with("3."));
}

#[test]
fn documented_routes_are_the_table() {
    let mut documented = BTreeSet::new();
    for (path, item) in DESCRIPTION["paths"].as_object().expect("paths") {
        for method in item.as_object().expect("an item").keys() {
            documented.insert((path.clone(), method.to_uppercase()));
        }
    }
    let table = Endpoint::ALL.iter().map(|e| (e.path().to_owned(), e.method().to_string())).collect();
    assert_eq!(documented, table);
}

#[test]
fn only_public_routes_need_no_key() {
    assert_eq!(DESCRIPTION["components"]["securitySchemes"]["key"]["scheme"], "bearer");
    assert_eq!(DESCRIPTION["security"], serde_json::json!([{"key": []}]));
    for endpoint in Endpoint::ALL {
        let open = operation(*endpoint)["security"] == serde_json::json!([{}]);
        assert_eq!(open, endpoint.access() == Access::Public, "{endpoint:?}");
        assert!(open || operation(*endpoint)["security"].is_null());
    }
}

#[test]
fn every_error_is_a_problem() {
    for endpoint in Endpoint::ALL {
        for (status, response) in operation(*endpoint)["responses"].as_object().expect("responses") {
            if status != "200" {
                let schema = &response["content"]["application/problem+json"]["schema"]["$ref"];
                assert_eq!(schema, "#/components/schemas/Problem", "{endpoint:?} {status}");
            }
        }
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn walk(value: &Value) {
        match value {
            Value::Object(fields) => {
                if let Some(Value::String(reference)) = fields.get("$ref") {
                    let pointer = reference.strip_prefix('#').expect("within the description");
                    assert!(DESCRIPTION.pointer(pointer).is_some(), "{reference}");
                }
                fields.values().for_each(walk);
            }
            Value::Array(items) => items.iter().for_each(walk),
            _ => {}
        }
    }
    walk(&DESCRIPTION);
}

/// Names of the query parameters that a route is said to take.
fn parameters(endpoint: Endpoint) -> BTreeSet<&'static str> {
    let parameters = operation(endpoint)["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
    let query = parameters.iter().filter(|parameter| parameter["in"] == "query");
    query.inspect(|p| assert_eq!(p["required"], false)).map(|p| p["name"].as_str().expect("a name")).collect()
}

#[tokio::test]
async fn every_parameter_that_is_told_is_taken_and_no_other() {
    let world = World::new().await;
    let all: BTreeSet<&str> = Endpoint::ALL.iter().flat_map(|endpoint| parameters(*endpoint)).collect();
    assert!(all.contains("min_position") && all.contains("after"));
    for endpoint in Endpoint::ALL.iter().copied() {
        let told = parameters(endpoint);
        for name in &all {
            let path = format!("{}?{name}=%00&{name}=%00", endpoint.path().replace("{id}", &id(1)));
            let answer = match endpoint.method() {
                Method::POST => world.post(&world.ours.write, &path, "{}").await,
                _ => world.get(&world.ours.read, &path).await,
            };
            answer.is(400, "bad_parameter");
            let detail = answer.json()["detail"].as_str().expect("text").to_owned();
            let taken = detail.contains("more than once");
            assert_eq!(taken, told.contains(name), "{endpoint:?} {name}: {detail}");
        }
    }
}

/// The fields that a schema tells, through references and `allOf`.
fn fields(schema: &Value) -> BTreeSet<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        return fields(DESCRIPTION.pointer(&reference[1..]).expect("a schema"));
    }
    let parts = schema["allOf"].as_array().map(Vec::as_slice).unwrap_or_default();
    let own = schema["properties"].as_object().into_iter().flat_map(|fields| fields.keys().cloned());
    own.chain(parts.iter().flat_map(fields)).collect()
}

#[tokio::test]
async fn answers_have_the_fields_that_are_told() {
    let world = World::new().await;
    for endpoint in Endpoint::ALL.iter().copied() {
        if matches!(endpoint, Endpoint::Stream | Endpoint::OpenApi) {
            continue;
        }
        let path = endpoint.path().replace("{id}", &id(1));
        let answer = match endpoint.method() {
            Method::POST => world.post(&world.ours.write, &path, r#"{"until":"2026-11-22T08:15:30Z"}"#).await,
            _ => world.get(&world.ours.read, &path).await,
        };
        let body = answer.ok();
        let served: BTreeSet<String> = body.as_object().expect("an object").keys().cloned().collect();
        let schema = &operation(endpoint)["responses"]["200"]["content"]["application/json"]["schema"];
        assert_eq!(served, fields(schema), "{endpoint:?}");
    }
}
