//! The inbox: its pages, its counts, one conversation.
use super::{
    Inner, Shared,
    cursor::Cursors,
    fresh::{AsOf, Fresh},
    guard::Caller,
    list::{List, PageParams},
    openapi::{Refusals, Unknown},
    problem::{ApiError, Code},
    query::RawQuery,
    routes::Endpoint,
    words,
};
use crate::engine::types::{AssigneeFilter, ConversationItem, Counts, InboxFilter, ShownStatus};
use axum::{
    Json,
    extract::{FromRequestParts, Path, State},
    http::request::Parts,
};
use schemas::{
    ids::{ConnectionId, ConversationId},
    kind::Platform,
};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

/// Which conversations.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct FilterParams {
    /// Of this status.
    #[param(schema_with = words::status)]
    status: Option<ShownStatus>,
    /// Of this platform.
    #[param(schema_with = words::platform)]
    platform: Option<Platform>,
    /// Of this connection; 404 for one that is not yours.
    #[param(schema_with = words::id)]
    connection: Option<ConnectionId>,
    /// With (`true`) or without (`false`) unread messages.
    unread: Option<bool>,
    /// Assigned to this member; `none` finds nobody's.
    assignee: Option<String>,
}

impl FilterParams {
    fn read(query: &mut RawQuery) -> Result<Self, ApiError> {
        Ok(Self {
            status: query.take("status", "open, snoozed or closed", |text| words::meaning(&words::STATUSES, text))?,
            platform: query.take("platform", "the name of a platform", |text| text.parse().ok())?,
            connection: query.take("connection", "the id of a connection", |text| text.parse().ok())?,
            unread: query.take("unread", "true or false", |text| text.parse().ok())?,
            assignee: query.take("assignee", "a member or none", |text| (!text.is_empty()).then(|| text.to_owned()))?,
        })
    }

    fn checked(self, api: &Inner, caller: &Caller) -> Result<InboxFilter, ApiError> {
        if self.connection.is_some_and(|connection| !caller.owns(api, connection)) {
            return Err(Code::NotFound.into());
        }
        Ok(InboxFilter {
            status: self.status,
            platform: self.platform,
            connection: self.connection,
            unread: self.unread,
            assignee: self.assignee.map(|member| match member.as_str() {
                "none" => AssigneeFilter::Nobody,
                _ => AssigneeFilter::Agent(member),
            }),
        })
    }
}

/// The id in a path. What is no id is the id of nothing: not found, like any other that is unknown.
pub(super) struct PathId(pub(super) ConversationId);

impl FromRequestParts<Shared> for PathId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Shared) -> Result<Self, ApiError> {
        let Path(id) = Path::<String>::from_request_parts(parts, api).await.map_err(|_| Code::NotFound)?;
        Ok(Self(id.parse().map_err(|_| Code::NotFound)?))
    }
}

/// Conversations, newest activity first.
#[utoipa::path(
    get,
    path = Endpoint::Conversations.path(),
    operation_id = "listConversations",
    params(FilterParams, PageParams, Fresh),
    responses((status = 200, description = "A page of conversations", body = List<ConversationItem>), Refusals, Unknown)
)]
pub(super) async fn conversations(
    State(api): State<Shared>,
    caller: Caller,
    mut query: RawQuery,
) -> Result<Json<List<ConversationItem>>, ApiError> {
    let filter = FilterParams::read(&mut query)?;
    let page = PageParams::read(&mut query)?;
    let fresh = Fresh::read(&mut query)?;
    query.finish()?;
    let filter = filter.checked(&api, &caller)?;
    let cursors = Cursors::of(&api, &caller, Endpoint::Conversations, &filter).await?;
    let walk = cursors.walk(page.cursor.as_deref())?;
    let as_of = fresh.reach(&api, &caller).await?;
    let page = api.answers.conversations(caller.workspace, &filter, walk, page.limit).await?;
    Ok(Json(List::new(page, &cursors, as_of)))
}

/// How many, and of which kinds.
#[derive(Serialize, ToSchema)]
pub(super) struct CountsAnswer {
    #[serde(flatten)]
    counts: Counts,
    #[serde(flatten)]
    as_of: AsOf,
}

/// Counts of the conversations that the same filters list.
#[utoipa::path(
    get,
    path = Endpoint::Counts.path(),
    operation_id = "countConversations",
    params(FilterParams, Fresh),
    responses((status = 200, description = "Counts", body = CountsAnswer), Refusals, Unknown)
)]
pub(super) async fn counts(
    State(api): State<Shared>,
    caller: Caller,
    mut query: RawQuery,
) -> Result<Json<CountsAnswer>, ApiError> {
    let filter = FilterParams::read(&mut query)?;
    let fresh = Fresh::read(&mut query)?;
    query.finish()?;
    let filter = filter.checked(&api, &caller)?;
    let as_of = fresh.reach(&api, &caller).await?;
    let counts = api.answers.counts(caller.workspace, &filter).await?;
    Ok(Json(CountsAnswer { counts, as_of }))
}

/// A conversation.
#[derive(Serialize, ToSchema)]
pub(super) struct ConversationAnswer {
    #[serde(flatten)]
    conversation: ConversationItem,
    #[serde(flatten)]
    as_of: AsOf,
}

/// One conversation.
#[utoipa::path(
    get,
    path = Endpoint::Conversation.path(),
    operation_id = "getConversation",
    params(("id" = inline(String), Path, description = "The conversation", pattern = "^[0-9a-f]{32}$"), Fresh),
    responses((status = 200, description = "The conversation", body = ConversationAnswer), Refusals, Unknown)
)]
pub(super) async fn conversation(
    State(api): State<Shared>,
    caller: Caller,
    PathId(id): PathId,
    mut query: RawQuery,
) -> Result<Json<ConversationAnswer>, ApiError> {
    let fresh = Fresh::read(&mut query)?;
    query.finish()?;
    let as_of = fresh.reach(&api, &caller).await?;
    let conversation = api.answers.conversation(caller.workspace, id).await?;
    Ok(Json(ConversationAnswer { conversation, as_of }))
}
