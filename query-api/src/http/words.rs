//! Words that parameters take, for parsing and for the documentation alike.
use crate::engine::types::{Order, ShownStatus};
use schemas::kind::Platform;
use utoipa::openapi::{ObjectBuilder, Type, schema::Schema};

pub(super) const STATUSES: [(&str, ShownStatus); 3] =
    [("open", ShownStatus::Open), ("snoozed", ShownStatus::Snoozed), ("closed", ShownStatus::Closed)];
pub(super) const ORDERS: [(&str, Order); 2] = [("newest", Order::Newest), ("oldest", Order::Oldest)];

/// What a word means.
pub(super) fn meaning<T: Copy>(words: &[(&str, T)], text: &str) -> Option<T> {
    words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning)
}

fn one_of<'a>(words: impl IntoIterator<Item = &'a str>) -> Schema {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).build().into()
}

pub(super) fn status() -> Schema {
    one_of(STATUSES.map(|(word, _)| word))
}

pub(super) fn order() -> Schema {
    one_of(ORDERS.map(|(word, _)| word))
}

pub(super) fn platform() -> Schema {
    one_of(Platform::ALL.iter().map(|platform| platform.as_str()))
}

/// 32 lower-case hex characters.
pub(super) fn id() -> Schema {
    ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[0-9a-f]{32}$")).build().into()
}
