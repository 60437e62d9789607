//! The live stream, as server-sent events.
mod session;

use super::{
    Shared,
    fresh::{Fresh, known},
    guard::Caller,
    openapi::Refusals,
    problem::{ApiError, Code},
    query::RawQuery,
    routes::Endpoint,
};
use axum::{
    extract::State,
    http::HeaderMap,
    response::sse::{KeepAlive, Sse},
    response::{IntoResponse, Response},
};
use records::Position;
use session::Session;

const LAST_EVENT_ID: &str = "last-event-id";

/// What happens from now on, or from `Last-Event-ID` on: `message.created`, `message.amended`, `conversation.changed`;
/// `data` is the item of the lists, `id` a position. `reset` says that changes were missed (the stream was left too
/// long ago, or read too slowly): read the lists again. An item may come twice, never not at all.
#[utoipa::path(
    get,
    path = Endpoint::Stream.path(),
    operation_id = "streamEvents",
    params(
        ("Last-Event-ID" = Option<String>, Header, description = "The `id` of the last event that was seen"),
        Fresh
    ),
    responses((status = 200, description = "Events", body = String, content_type = "text/event-stream"), Refusals)
)]
pub(super) async fn stream(
    State(api): State<Shared>,
    caller: Caller,
    headers: HeaderMap,
    mut query: RawQuery,
) -> Result<Response, ApiError> {
    let fresh = Fresh::read(&mut query)?;
    query.finish()?;
    let resume = last_event_id(&headers)?;
    fresh.wait(&api, &caller).await?;
    let slot = api
        .stream_slots
        .take(caller.workspace, &api.metrics.streams)
        .ok_or_else(|| ApiError { retry_after: Some(1), ..Code::TooManyStreams.into() })?;
    let mut session = Session::open(api.clone(), caller.clone(), slot).await?;
    match resume {
        None => {}
        // Of another log: as unknown as one that is too old, and the client's remedy is the same.
        Some(from) if known(&api, &caller, from).is_err() => session.reset().await?,
        Some(from) => session.resume(from).await?,
    }
    let keep_alive = KeepAlive::new().interval(api.settings.keep_alive).text("keep-alive");
    Ok(Sse::new(session.events()).keep_alive(keep_alive).into_response())
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<Position>, ApiError> {
    let Some(value) = headers.get(LAST_EVENT_ID).filter(|value| !value.is_empty()) else { return Ok(None) };
    let position = value.to_str().ok().and_then(|text| text.parse().ok());
    position
        .map(Some)
        .ok_or_else(|| ApiError::new(Code::BadParameter, "The header `Last-Event-ID` takes the id of an event."))
}
