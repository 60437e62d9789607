//! The description of the API, made from the handlers' annotations.
use super::{
    Shared, events, inbox, messages,
    problem::{ApiError, Code, Problem},
    query::RawQuery,
    read,
    routes::Endpoint,
    stream,
};
use axum::{
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use utoipa::{
    IntoResponses, Modify, OpenApi,
    openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme},
};

/// What any route with a key may refuse.
#[derive(IntoResponses)]
#[allow(dead_code, reason = "only the description is made of it")]
pub(super) enum Refusals {
    /// `bad_parameter`: unknown, repeated or unreadable; `bad_cursor`: changed, or of another question; `bad_body`.
    #[response(status = 400, content_type = "application/problem+json")]
    Bad(Problem),
    /// `unauthorized`: no key, or one that does not hold.
    #[response(status = 401, content_type = "application/problem+json")]
    NoKey(Problem),
    /// `scope`: the key may not do this.
    #[response(status = 403, content_type = "application/problem+json")]
    Scope(Problem),
    /// `position_unknown`: of another log; `key_destroyed`: the workspace's key is destroyed.
    #[response(status = 410, content_type = "application/problem+json")]
    Gone(Problem),
    /// `rate_limited`, `too_many_streams`; see `Retry-After`.
    #[response(status = 429, content_type = "application/problem+json")]
    TooMany(Problem),
    /// `integrity`: stored data does not verify; `internal`.
    #[response(status = 500, content_type = "application/problem+json")]
    Internal(Problem),
    /// `not_yet`: `min_position` was not reached in time; `unavailable`: try again.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(Problem),
}

/// What a route that names something may refuse.
#[derive(IntoResponses)]
#[allow(dead_code, reason = "only the description is made of it")]
pub(super) enum Unknown {
    /// `not_found`: unknown, or not yours.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(Problem),
}

/// What a route that takes a body may refuse.
#[derive(IntoResponses)]
#[allow(dead_code, reason = "only the description is made of it")]
pub(super) enum BodyRefusals {
    /// `too_large`: over 16 KiB.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(Problem),
    /// `unsupported_media_type`: not `application/json`.
    #[response(status = 415, content_type = "application/problem+json")]
    MediaType(Problem),
}

/// The description.
#[derive(OpenApi)]
#[openapi(
    info(title = "ChatMai", description = "Conversations, messages and events of a workspace."),
    paths(
        inbox::conversations,
        inbox::counts,
        inbox::conversation,
        messages::messages,
        read::read,
        events::events,
        stream::stream,
        openapi
    ),
    modifiers(&Keys)
)]
pub struct Description;

/// Every route needs a key, unless it says otherwise.
struct Keys;

impl Modify for Keys {
    fn modify(&self, description: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        description.components.get_or_insert_default().security_schemes.insert("key".to_owned(), scheme.into());
        description.security = Some(vec![SecurityRequirement::new("key", [] as [&str; 0])]);
    }
}

/// As it is served; made once.
pub(super) fn document() -> Option<Bytes> {
    serde_json::to_vec(&Description::openapi()).ok().map(Bytes::from)
}

/// This description.
#[utoipa::path(
    get,
    path = Endpoint::OpenApi.path(),
    operation_id = "getDescription",
    security(()),
    responses(
        (status = 200, description = "OpenAPI", body = Object),
        (status = 400, description = "`bad_parameter`", body = Problem, content_type = "application/problem+json"),
        (status = 500, description = "`internal`", body = Problem, content_type = "application/problem+json")
    )
)]
pub(super) async fn openapi(State(api): State<Shared>, query: RawQuery) -> Result<Response, ApiError> {
    query.finish()?;
    let document = api.openapi.clone().ok_or(Code::Internal)?;
    Ok(([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], document).into_response())
}
