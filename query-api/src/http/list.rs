//! Lists and their pages.
use super::{
    cursor::{Cursors, Place},
    fresh::AsOf,
    problem::ApiError,
    query::RawQuery,
};
use crate::engine::types::Page;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

const LIMIT: usize = 50;
const MOST: usize = 200;

/// Which page of a list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PageParams {
    /// A `next_cursor` or `prev_cursor` of an answer to the same question.
    pub(super) cursor: Option<String>,
    /// Items per page.
    #[param(minimum = 1, maximum = 200, default = 50, value_type = Option<u32>)]
    pub(super) limit: usize,
}

impl PageParams {
    pub(super) fn read(query: &mut RawQuery) -> Result<Self, ApiError> {
        let cursor = query.take("cursor", "a cursor of an answer", |text| Some(text.to_owned()))?;
        Ok(Self { cursor, limit: query.number("limit", 1, MOST)?.unwrap_or(LIMIT) })
    }
}

/// A page of a list.
#[derive(Serialize, ToSchema)]
pub(super) struct List<T> {
    /// The items, in the order asked for.
    items: Vec<T>,
    /// Leads to the items that follow; null when none do.
    next_cursor: Option<String>,
    /// Leads to the items that come before; null when none do.
    prev_cursor: Option<String>,
    #[serde(flatten)]
    as_of: AsOf,
}

impl<T> List<T> {
    pub(super) fn new<P: Place>(page: Page<T, P>, cursors: &Cursors, as_of: AsOf) -> Self {
        Self {
            items: page.items,
            next_cursor: page.next.map(|place| cursors.after(&place)),
            prev_cursor: page.prev.map(|place| cursors.before(&place)),
            as_of,
        }
    }
}
