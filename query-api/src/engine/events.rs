//! The event list: every retained event once, by log offset.
use super::{
    fault::Fault,
    view::View,
    weight::{Budget, TOGETHER, weight},
    window::Windows,
};
use schemas::{columns::EventRow, log::Offset};

/// Events that were asked for.
pub(super) struct Events {
    /// By offset.
    pub rows: Vec<EventRow>,
    /// They are fewer than there are, because more would take too much memory.
    pub cut: bool,
}

/// Up to `most` retained events from an offset on, and about [`TOGETHER`] bytes of them, as amended, from the files and
/// then the tail.
pub(super) async fn events(view: &View, windows: &Windows, from: Offset, most: usize) -> Result<Events, Fault> {
    let (_, cut) = view.now_and_cut();
    // Snapshot and tail are taken together, so that they meet without gap or overlap.
    let (pinned, tail, authors) = view.tail_from(from, most);
    let next = pinned.snapshot.next;
    let (mut rows, mut from) = (Vec::new(), from);
    let mut budget = Budget::new(TOGETHER);
    while from < next && rows.len() < most && !budget.is_over() {
        let window = windows.get(view, &pinned, from, cut).await?;
        let start = window.rows.partition_point(|row| row.offset < from);
        // A window may have been read from a newer snapshot, which holds what is the tail here.
        let held = window.rows[start..].iter().take_while(|row| row.offset < next);
        let retained = held.filter(|row| row.event.event_at >= cut).take(most - rows.len());
        rows.extend(retained.take_while(|row| budget.take(weight(row))).cloned());
        from = window.end;
    }
    let mut tail = tail.as_slice();
    while !tail.is_empty() && rows.len() < most && !budget.is_over() {
        let wanted = &tail[..tail.len().min(most - rows.len())];
        let (now, later) = tail.split_at(view.slot.fitting(view.workspace, wanted, TOGETHER));
        tail = later;
        let retained = view.open(now, &authors).await?.into_iter().filter(|row| row.event.event_at >= cut);
        rows.extend(retained.take_while(|row| budget.take(weight(row))));
    }
    view.amend(&mut rows);
    view.settle_edits(&pinned, &mut rows, cut).await?;
    Ok(Events { rows, cut: budget.is_over() })
}
