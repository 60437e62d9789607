//! A page of the inbox: base and overlay merged, in either direction from a place.
use super::{Inbox, Row, hot::Wanted, rows};
use crate::engine::types::{InboxPlace, Page, Walk};
use schemas::{columns::ColumnError, conversation::ConversationState};
use std::{
    cmp::Reverse,
    ops::Bound::{Excluded, Unbounded},
    sync::Arc,
};

/// A conversation that a walk came by.
pub(crate) enum Found {
    /// A row of the base.
    Base(InboxPlace, usize),
    /// A row of the overlay.
    Moved(Arc<Row>),
}

impl Found {
    fn place(&self) -> InboxPlace {
        match self {
            Self::Base(place, _) => *place,
            Self::Moved(row) => row.hot.place,
        }
    }
}

/// The states of a page, in its order, and the places around it.
pub(crate) fn page(
    inbox: &Inbox,
    wanted: &Wanted<'_>,
    walk: Walk<InboxPlace>,
    limit: usize,
) -> Result<Page<ConversationState, InboxPlace>, ColumnError> {
    let (from, onward) = match walk {
        Walk::Start => (None, true),
        Walk::After(place) => (Some(place), true),
        Walk::Before(place) => (Some(place), false),
    };
    let mut found = walked(inbox, wanted, from, onward, limit + 1);
    let more = found.len() > limit;
    found.truncate(limit);
    if !onward {
        found.reverse();
    }
    let (Some(first), Some(last)) = (found.first().map(Found::place), found.last().map(Found::place)) else {
        return Ok(Page { items: Vec::new(), next: None, prev: None });
    };
    // What the walk did not look at: whether anything lies on the side that it came from.
    let behind = |place, onward| from.is_some() && !walked(inbox, wanted, Some(place), onward, 1).is_empty();
    let (next, prev) = if onward { (more, behind(first, false)) } else { (behind(last, true), more) };
    Ok(Page { items: states(inbox, &found)?, next: next.then_some(last), prev: prev.then_some(first) })
}

/// Up to `most` wanted conversations beyond a place, nearest first.
fn walked(inbox: &Inbox, wanted: &Wanted<'_>, from: Option<InboxPlace>, onward: bool, most: usize) -> Vec<Found> {
    let base = &*inbox.base;
    let start = match (from, onward) {
        (None, _) => 0,
        (Some(place), _) => base.first_from(place),
    };
    let (mut forward, mut backward);
    let unmoved: &mut dyn Iterator<Item = usize> = if onward {
        // The row at the place itself is not in the page.
        let own = from.is_some_and(|place| start < base.len() && base.place(start) == place);
        forward = rows::from(inbox, wanted, start + usize::from(own));
        &mut forward
    } else {
        backward = rows::before(inbox, wanted, start);
        &mut backward
    };
    let (mut ahead, mut behind);
    let moved: &mut dyn Iterator<Item = &Arc<Row>> = if onward {
        let low = from.map_or(Unbounded, |place| Excluded(Reverse(place)));
        ahead = inbox.overlay.range((low, Unbounded)).map(|(_, row)| row).filter(|row| wanted.takes(&row.hot));
        &mut ahead
    } else {
        let high = from.map_or(Unbounded, |place| Excluded(Reverse(place)));
        behind = inbox.overlay.range((Unbounded, high)).rev().map(|(_, row)| row).filter(|row| wanted.takes(&row.hot));
        &mut behind
    };
    let mut found = Vec::with_capacity(most.min(256));
    let (mut row, mut over) = (unmoved.next(), moved.next());
    while found.len() < most {
        let take_base = match (row, over) {
            (None, None) => break,
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (Some(row), Some(over)) => (base.place(row) > over.hot.place) == onward,
        };
        if take_base {
            found.extend(row.map(|row| Found::Base(base.place(row), row)));
            if found.len() < most {
                row = unmoved.next();
            }
        } else {
            found.extend(over.map(|row| Found::Moved(row.clone())));
            over = moved.next();
        }
    }
    found
}

fn states(inbox: &Inbox, found: &[Found]) -> Result<Vec<ConversationState>, ColumnError> {
    let state = |found: &Found| match found {
        Found::Base(_, row) => ConversationState::decode(inbox.base.bytes(*row)),
        Found::Moved(row) => Ok(row.state.clone()),
    };
    found.iter().map(state).collect()
}
