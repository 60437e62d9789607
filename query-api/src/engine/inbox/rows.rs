//! The rows of the base that a filter takes, 64 at a time: a page of what is rare looks at a million of them.
use super::{Inbox, base::BaseRow, hot::Wanted};

/// Rows of a block: one bit of a word each.
const BLOCK: usize = 64;

/// A bit for each value that fits.
#[inline]
fn bits<T: Copy>(column: &[T], fits: impl Fn(T) -> bool) -> u64 {
    column.iter().enumerate().fold(0, |bits, (at, value)| bits | u64::from(fits(*value)) << at)
}

/// The rows of one block that may be taken: they have not moved, and their columns fit.
fn block(inbox: &Inbox, wanted: &Wanted<'_>, block: usize) -> u64 {
    let base = &*inbox.base;
    let rows = block * BLOCK..base.len().min((block + 1) * BLOCK);
    let whole = if rows.len() == BLOCK { u64::MAX } else { (1 << rows.len()) - 1 };
    let mut taken = whole & !inbox.moved.get(block).copied().unwrap_or(0);
    if let Some(platform) = wanted.platform {
        taken &= bits(&base.platform[rows.clone()], |value| value == platform);
    }
    if let Some(connection) = wanted.connection.filter(|_| taken != 0) {
        taken &= bits(&base.connection[rows.clone()], |value| value == connection);
    }
    if let Some(assignee) = wanted.assignee.filter(|_| taken != 0) {
        taken &= bits(&base.assignee[rows.clone()], |value| value == assignee);
    }
    if let Some(unread) = wanted.unread.filter(|_| taken != 0) {
        taken &= bits(&base.unread[rows], |value| (value >= wanted.cut) == unread);
    }
    taken
}

/// The rows that are taken from `start` on, in their order.
pub(super) fn from<'a>(inbox: &'a Inbox, wanted: &'a Wanted<'a>, start: usize) -> impl Iterator<Item = usize> + 'a {
    let mut at = start / BLOCK;
    let mut left = if start < inbox.base.len() { block(inbox, wanted, at) & (u64::MAX << (start % BLOCK)) } else { 0 };
    std::iter::from_fn(move || {
        loop {
            while left != 0 {
                let row = at * BLOCK + left.trailing_zeros() as usize;
                left &= left - 1;
                if wanted.takes(&BaseRow(&inbox.base, row)) {
                    return Some(row);
                }
            }
            at += 1;
            if at * BLOCK >= inbox.base.len() {
                return None;
            }
            left = block(inbox, wanted, at);
        }
    })
}

/// The rows that are taken before `end`, the last one first.
pub(super) fn before<'a>(inbox: &'a Inbox, wanted: &'a Wanted<'a>, end: usize) -> impl Iterator<Item = usize> + 'a {
    let mut at = end.div_ceil(BLOCK);
    let mut left = 0u64;
    std::iter::from_fn(move || {
        loop {
            while left != 0 {
                let bit = u64::BITS - 1 - left.leading_zeros();
                left &= !(1 << bit);
                let row = at * BLOCK + bit as usize;
                if wanted.takes(&BaseRow(&inbox.base, row)) {
                    return Some(row);
                }
            }
            at = at.checked_sub(1)?;
            left = block(inbox, wanted, at);
            if end < (at + 1) * BLOCK {
                left &= (1 << (end % BLOCK)) - 1;
            }
        }
    })
}
