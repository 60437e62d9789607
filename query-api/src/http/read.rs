//! Marks a conversation read: an event like any other, which every reader folds.
use super::{
    Inner, Shared,
    guard::Caller,
    inbox::PathId,
    openapi::{BodyRefusals, Refusals, Unknown},
    problem::{ApiError, Code},
    query::RawQuery,
    routes::Endpoint,
};
use crate::engine::types::ConversationItem;
use axum::{
    Json,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, header},
};
use http_body_util::LengthLimitError;
use schemas::{
    clock::random,
    event::{Author, Contact, Event, FUTURE_TOLERANCE},
    kind::{AuthorKind, Kind, Source},
    time::Millis,
    wire::Payload,
};
use serde::{Deserialize, Serialize};
use std::error::Error;
use utoipa::ToSchema;

const LARGEST_BODY: usize = 16 << 10;

/// Up to when it was read.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReadRequest {
    /// Customer messages up to this time are read. RFC 3339; a later time than any message can have counts as now.
    #[schema(value_type = String, format = DateTime)]
    until: Millis,
}

/// Where the mark lies.
#[derive(Serialize, ToSchema)]
pub(super) struct ReadAnswer {
    /// The mark holds in every answer that has reached this; see `min_position`.
    position: String,
}

/// Marks a conversation read.
#[utoipa::path(
    post,
    path = Endpoint::Read.path(),
    operation_id = "markRead",
    params(("id" = inline(String), Path, description = "The conversation", pattern = "^[0-9a-f]{32}$")),
    request_body = ReadRequest,
    responses(
        (status = 200, description = "The mark is durable", body = ReadAnswer),
        Refusals, Unknown, BodyRefusals
    )
)]
pub(super) async fn read(
    State(api): State<Shared>,
    caller: Caller,
    PathId(id): PathId,
    query: RawQuery,
    request: Request,
) -> Result<Json<ReadAnswer>, ApiError> {
    query.finish()?;
    let until = body(request).await?.until;
    let conversation = api.answers.conversation(caller.workspace, id).await?;
    let event = mark(&api, &caller, &conversation, until).await?;
    let position = api.appender.append(caller.workspace, caller.slot, &[(event.id, Payload::Event(event))]).await?;
    Ok(Json(ReadAnswer { position: position.to_string() }))
}

async fn body(request: Request) -> Result<ReadRequest, ApiError> {
    if !is_json(request.headers()) {
        return Err(Code::UnsupportedMediaType.into());
    }
    let bytes = limited(request.into_body()).await?;
    serde_json::from_slice(&bytes)
        .map_err(|_| ApiError::new(Code::BadBody, "The body has to be {\"until\":\"<RFC 3339 time>\"}."))
}

async fn limited(body: Body) -> Result<bytes::Bytes, ApiError> {
    to_bytes(body, LARGEST_BODY).await.map_err(|error| {
        let too_large = error.source().is_some_and(|source| source.is::<LengthLimitError>());
        if too_large { Code::TooLarge.into() } else { Code::BadRequest.into() }
    })
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().is_some_and(|media_type| media_type.trim().eq_ignore_ascii_case("application/json"))
}

async fn mark(api: &Inner, caller: &Caller, of: &ConversationItem, until: Millis) -> Result<Event, ApiError> {
    let now = api.clock.now();
    // No message is later than this. A mark beyond it would hide messages that are yet to come, for ever, as marks
    // only move forward.
    let until = until.min(now + FUTURE_TOLERANCE);
    let key = random::<16>(&*api.entropy)?;
    let pseudonyms = api.keyring.pseudonyms(caller.workspace).await?;
    Ok(Event {
        id: pseudonyms.event(of.connection, &key),
        kind: Kind::MemberRead,
        source: Source::Members,
        connection: of.connection,
        platform: of.platform,
        conversation: Some(of.id),
        contact: of.contact.as_ref().map(|contact| Contact { id: contact.id, name: None }),
        // A key names no person.
        author: Some(Author { kind: AuthorKind::Agent, member: None, contact: None, name: None }),
        event_at: now,
        claimed_at: None,
        received_at: now,
        seq: 0,
        message: None,
        amends: None,
        details: serde_json::json!({ "until": until }).to_string(),
    })
}
