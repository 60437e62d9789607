//! A conversation's messages.
use super::{
    Shared,
    cursor::Cursors,
    fresh::Fresh,
    guard::Caller,
    inbox::PathId,
    list::{List, PageParams},
    openapi::{Refusals, Unknown},
    problem::ApiError,
    query::RawQuery,
    routes::Endpoint,
    words,
};
use crate::engine::types::{MessageItem, Order};
use axum::{Json, extract::State};
use utoipa::IntoParams;

/// In which order.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct OrderParam {
    /// `newest` first, unless asked otherwise.
    #[param(schema_with = words::order)]
    order: Option<Order>,
}

/// Messages of a conversation, as amended.
#[utoipa::path(
    get,
    path = Endpoint::Messages.path(),
    operation_id = "listMessages",
    params(
        ("id" = inline(String), Path, description = "The conversation", pattern = "^[0-9a-f]{32}$"),
        OrderParam, PageParams, Fresh
    ),
    responses((status = 200, description = "A page of messages", body = List<MessageItem>), Refusals, Unknown)
)]
pub(super) async fn messages(
    State(api): State<Shared>,
    caller: Caller,
    PathId(id): PathId,
    mut query: RawQuery,
) -> Result<Json<List<MessageItem>>, ApiError> {
    let order =
        OrderParam { order: query.take("order", "newest or oldest", |text| words::meaning(&words::ORDERS, text))? };
    let page = PageParams::read(&mut query)?;
    let fresh = Fresh::read(&mut query)?;
    query.finish()?;
    let order = order.order.unwrap_or(Order::Newest);
    let cursors = Cursors::of(&api, &caller, Endpoint::Messages, &(id, order)).await?;
    let walk = cursors.walk(page.cursor.as_deref())?;
    let as_of = fresh.reach(&api, &caller).await?;
    let page = api.answers.messages(caller.workspace, id, order, walk, page.limit).await?;
    Ok(Json(List::new(page, &cursors, as_of)))
}
