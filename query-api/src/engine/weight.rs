//! How much rows weigh. A row may have a mebibyte, so that a number of rows alone bounds nothing.
use super::types;
use schemas::{
    columns::EventRow,
    conversation::{ConversationState, DayEntry},
    event::{Author, Change, Message, OrderKey},
    time::Millis,
};

/// Bytes of rows that one answer, or one step of folding, holds at once; one row always fits.
pub(super) const TOGETHER: usize = 8 << 20;

/// About what a row takes.
pub(super) fn weight(row: &EventRow) -> usize {
    let event = &row.event;
    let message = event.message.as_ref().map_or(0, of_content);
    let author = event.author.as_ref().map_or(0, of_author);
    let contact = event.contact.as_ref().map_or(0, |c| text(&c.name));
    let amends = event.amends.as_ref().map_or(0, |a| match &a.change {
        Change::Edit { text: words, .. } => text(words),
        Change::Author { member } => member.len(),
        Change::Unsend => 0,
    });
    size_of::<EventRow>() + 128 + event.details.len() + message + author + contact + amends
}

fn text(text: &Option<String>) -> usize {
    text.as_ref().map_or(0, String::len)
}

fn of_content(message: &Message) -> usize {
    let attachments: usize = message.attachments.iter().map(|a| 64 + text(&a.url) + text(&a.media)).sum();
    message.platform_id.len() + text(&message.text) + attachments
}

fn of_author(author: &Author) -> usize {
    text(&author.member) + text(&author.name)
}

/// About what a conversation's state takes, decoded.
pub(super) fn of_state(state: &ConversationState) -> usize {
    let name = state.name.as_ref().map_or(0, |(_, name)| name.len());
    let last = state
        .last_message
        .as_ref()
        .map_or(0, |last| of_content(&last.message) + last.author.as_ref().map_or(0, of_author));
    let times = state.customer_at.capacity() * size_of::<Millis>() + state.days.capacity() * size_of::<DayEntry>();
    let assigned = state.assigned.as_ref().map_or(0, |assigned| text(&assigned.agent) + text(&assigned.team));
    let tags: usize = state.tags.keys().map(|tag| size_of::<(String, OrderKey, bool)>() + tag.len()).sum();
    size_of::<ConversationState>() + name + last + times + assigned + tags
}

/// About what a change takes that listeners are told.
pub(super) fn of_change(change: &types::Change) -> usize {
    let content = match change {
        types::Change::MessageCreated(item) | types::Change::MessageAmended(item) => of_message(item),
        types::Change::ConversationChanged(item) => {
            let contact = item.contact.as_ref().and_then(|contact| contact.name.as_ref());
            let names = [item.assignee.as_ref(), item.team.as_ref(), contact];
            let names: usize = names.into_iter().flatten().map(String::len).sum();
            let tags: usize = item.tags.iter().map(|tag| 24 + tag.len()).sum();
            names + tags + item.last_message.as_ref().map_or(0, of_message)
        }
    };
    size_of::<types::Change>() + content
}

fn of_message(item: &types::MessageItem) -> usize {
    let attachments: usize = item.attachments.iter().map(|a| 64 + text(&a.url) + text(&a.media)).sum();
    let author = item.author.as_ref().map_or(0, |author| text(&author.member) + text(&author.name));
    item.platform_message_id.len() + text(&item.text) + author + attachments
}

/// Bytes that are left.
#[derive(Debug)]
pub(super) struct Budget {
    left: usize,
    taken: bool,
    over: bool,
}

impl Budget {
    /// A whole one.
    pub fn new(bytes: usize) -> Self {
        Self { left: bytes, taken: false, over: false }
    }

    /// Takes bytes; false when they do not fit, and from then on. The first always fit.
    pub fn take(&mut self, bytes: usize) -> bool {
        self.over = self.over || (self.taken && bytes > self.left);
        if !self.over {
            self.taken = true;
            self.left = self.left.saturating_sub(bytes);
        }
        !self.over
    }

    /// True once something did not fit.
    pub fn is_over(&self) -> bool {
        self.over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_always_fits_and_nothing_does_after_what_did_not() {
        let mut budget = Budget::new(10);
        assert!(budget.take(11) && !budget.is_over());
        assert!(!budget.take(1) && budget.is_over());
        let mut budget = Budget::new(10);
        assert!(budget.take(4) && budget.take(6));
        assert!(!budget.take(1) && !budget.take(0));
    }
}
