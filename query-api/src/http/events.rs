//! Every retained event, by log offset.
use super::{
    Shared,
    cursor::Cursors,
    fresh::{AsOf, Fresh, reached},
    guard::Caller,
    openapi::Refusals,
    problem::{ApiError, Code},
    query::RawQuery,
    routes::Endpoint,
};
use crate::engine::types::{EventItem, Walk};
use axum::{Json, extract::State};
use records::Position;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

const LIMIT: usize = 50;
const MOST: usize = 1_000;

/// From where, and how many.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct EventsParams {
    /// The `next_cursor` of the page before; without it, from the oldest event on.
    after: Option<String>,
    /// Events per page.
    #[param(minimum = 1, maximum = 1000, default = 50, value_type = Option<u32>)]
    limit: usize,
}

/// A page of events.
#[derive(Serialize, ToSchema)]
pub(super) struct EventList {
    /// The events, by log offset.
    items: Vec<EventItem>,
    /// The place after the last event, for `after`; also when nothing is there yet.
    next_cursor: String,
    /// Always null: events are read forward.
    #[schema(value_type = Option<String>)]
    prev_cursor: Option<()>,
    #[serde(flatten)]
    as_of: AsOf,
}

/// Every retained event of the workspace once, by log offset, bodies as amended.
#[utoipa::path(
    get,
    path = Endpoint::Events.path(),
    operation_id = "listEvents",
    params(EventsParams, Fresh),
    responses((status = 200, description = "A page of events", body = EventList), Refusals)
)]
pub(super) async fn events(
    State(api): State<Shared>,
    caller: Caller,
    mut query: RawQuery,
) -> Result<Json<EventList>, ApiError> {
    let params = EventsParams {
        after: query.take("after", "the next_cursor of an answer", |text| Some(text.to_owned()))?,
        limit: query.number("limit", 1, MOST)?.unwrap_or(LIMIT),
    };
    let fresh = Fresh::read(&mut query)?;
    query.finish()?;
    let cursors = Cursors::of(&api, &caller, Endpoint::Events, &()).await?;
    let after = match cursors.walk::<Position>(params.after.as_deref())? {
        Walk::Start => None,
        Walk::After(position) => {
            reached(&api, &caller, position).await?;
            Some(position.next)
        }
        Walk::Before(_) => return Err(Code::BadCursor.into()),
    };
    let as_of = fresh.reach(&api, &caller).await?;
    let (items, next) = api.answers.events(caller.workspace, after, params.limit).await?;
    let next = Position { epoch: api.appender.epoch(), slot: caller.slot, next };
    Ok(Json(EventList { items, next_cursor: cursors.after(&next), prev_cursor: None, as_of }))
}
