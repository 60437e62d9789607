//! The event list: every retained event once, by log offset.
use super::{fault::Fault, view::View, window::Windows};
use schemas::{columns::EventRow, log::Offset};

/// Up to `most` retained events from an offset on, as amended, from the files and then the tail.
pub(super) async fn events(view: &View, windows: &Windows, from: Offset, most: usize) -> Result<Vec<EventRow>, Fault> {
    let (_, cut) = view.now_and_cut();
    // Snapshot and tail are taken together, so that they meet without gap or overlap.
    let (pinned, tail) = view.tail_from(from, most);
    let next = pinned.snapshot.next;
    let (mut rows, mut from) = (Vec::new(), from);
    while from < next && rows.len() < most {
        let window = windows.get(view, &pinned, from, cut).await?;
        let start = window.rows.partition_point(|row| row.offset < from);
        // A window may have been read from a newer snapshot, which holds what is the tail here.
        let held = window.rows[start..].iter().take_while(|row| row.offset < next);
        rows.extend(held.filter(|row| row.event.event_at >= cut).take(most - rows.len()).cloned());
        from = window.end;
    }
    let mut tail = tail.as_slice();
    while !tail.is_empty() && rows.len() < most {
        let (now, later) = tail.split_at(tail.len().min(most - rows.len()));
        tail = later;
        rows.extend(view.open(now).await?.into_iter().filter(|row| row.event.event_at >= cut));
    }
    view.amend(&mut rows);
    view.settle_edits(&pinned, &mut rows, cut).await?;
    Ok(rows)
}
