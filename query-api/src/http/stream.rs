//! The live stream, as server-sent events.
pub(super) mod mark;
mod session;

use super::{
    Shared,
    fresh::{Fresh, reached},
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
use mark::Mark;
use session::Session;

const LAST_EVENT_ID: &str = "last-event-id";

/// What happens from now on, or after `Last-Event-ID`: `message.created`, `message.amended`, `conversation.changed`;
/// `data` is the item of the lists, `id` a position, which `min_position` takes too. `reset` says that changes were
/// missed (the stream was left too long ago, or read too slowly): read the lists again.
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
        Some(mark) => match reached(&api, &caller, mark.position).await {
            Ok(()) => session.resume(mark).await?,
            // Of another log, or ahead of this one: as unknown as one that is too old, and the client's remedy is the same.
            Err(error) if error.code == Code::PositionUnknown => session.reset().await?,
            Err(error) => return Err(error),
        },
    }
    let keep_alive = KeepAlive::new().interval(api.settings.keep_alive).text("keep-alive");
    Ok(Sse::new(session.events()).keep_alive(keep_alive).into_response())
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<Mark>, ApiError> {
    let Some(value) = headers.get(LAST_EVENT_ID).filter(|value| !value.is_empty()) else { return Ok(None) };
    let mark = value.to_str().ok().and_then(|text| text.parse().ok());
    mark.map(Some)
        .ok_or_else(|| ApiError::new(Code::BadParameter, "The header `Last-Event-ID` takes the id of an event."))
}
