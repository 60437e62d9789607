//! Around every request: its id, the headers that every answer carries, the one shape of errors, a line in the log and
//! the metrics. The line names the route's template, never what was asked for.
use super::{
    Shared,
    problem::{ApiError, Code, Problem},
    routes::Endpoint,
};
use axum::{
    body::Body,
    extract::{MatchedPath, Request, State},
    http::{HeaderValue, Method, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures::FutureExt;
use schemas::{clock::random, ids::hex};
use std::{panic::AssertUnwindSafe, time::Instant};

const REQUEST_ID: &str = "x-request-id";
/// The route of what nothing serves; the path itself would make as many labels as there are callers' ideas.
const UNROUTED: &str = "unrouted";

pub(super) async fn envelope(State(api): State<Shared>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>();
    let route = route.and_then(|path| Endpoint::template(path.as_str())).unwrap_or(UNROUTED);
    let request_id = match random::<16>(&*api.entropy) {
        Ok(bytes) => hex(&bytes),
        // Only names the request; the request itself may well need no randomness.
        Err(_) => "unknown".to_owned(),
    };
    // A panic must become an answer like any other, not a connection that closes.
    let response = match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(_) => ApiError::from(Code::Internal).into_response(),
    };
    let mut response = shaped(response, &request_id);
    if method == Method::HEAD {
        *response.body_mut() = Body::empty();
    }
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        headers.insert(REQUEST_ID, value);
    }
    let (status, took) = (response.status(), started.elapsed());
    api.metrics.answered(route, status, took);
    tracing::info!(request_id, route, status = status.as_u16(), milliseconds = took.as_secs_f64() * 1e3, "answered");
    response
}

/// Writes an error as a problem, whoever made it.
fn shaped(response: Response, request_id: &str) -> Response {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let (mut parts, _) = response.into_parts();
    let error = parts.extensions.remove::<ApiError>().unwrap_or_else(|| Code::of_status(status).into());
    if let Some(cause) = &error.cause {
        tracing::error!(request_id, code = ?error.code, cause, "a request failed");
    }
    let body = serde_json::to_vec(&Problem::new(&error, request_id)).unwrap_or_default();
    parts.status = error.code.status();
    // Of the body that is replaced.
    parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    Response::from_parts(parts, Body::from(body))
}
