//! How much rows weigh. A row may have a mebibyte, so that a number of rows alone bounds nothing.
use super::types;
use schemas::{columns::EventRow, event::Change};

/// Bytes of rows that one answer, or one step of folding, holds at once; one row always fits.
pub(super) const TOGETHER: usize = 8 << 20;

/// About what a row takes.
pub(super) fn weight(row: &EventRow) -> usize {
    let event = &row.event;
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let message = event.message.as_ref().map_or(0, |m| {
        let attachments = m.attachments.iter().map(|a| 64 + text(&a.url) + text(&a.media)).sum::<usize>();
        m.platform_id.len() + text(&m.text) + attachments
    });
    let author = event.author.as_ref().map_or(0, |a| text(&a.member) + text(&a.name));
    let contact = event.contact.as_ref().map_or(0, |c| text(&c.name));
    let amends = event.amends.as_ref().map_or(0, |a| match &a.change {
        Change::Edit { text: words, .. } => text(words),
        Change::Author { member } => member.len(),
        Change::Unsend => 0,
    });
    size_of::<EventRow>() + 128 + event.details.len() + message + author + contact + amends
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
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let author = item.author.as_ref().map_or(0, |author| text(&author.member) + text(&author.name));
    let attachments: usize = item.attachments.iter().map(|a| 64 + text(&a.url) + text(&a.media)).sum();
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
