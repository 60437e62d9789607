//! Windows of the event list: the next stretch of offsets, read from the files once and kept for the pages that follow.
use super::{
    fault::Fault,
    retention::{DayAtCut, at_cut},
    view::{Pinned, View},
    weight::weight,
};
use arrow::{array::AsArray, datatypes::Int64Type};
use futures::TryStreamExt;
use schemas::{
    columns::{ColumnError, EventRow, read_events},
    log::Offset,
    time::Millis,
};
use std::{
    collections::{BTreeMap, BinaryHeap},
    sync::Arc,
};
use warehouse::{catalog::DataFile, file::ScanFilter};

/// Events of a window, if they are not too long.
const EVENTS: usize = 20_000;
/// Windows of one view: readers at different places do not push each other out.
const PER_VIEW: usize = 4;

/// All events of the files with offsets in `from..end`, by offset, not amended by what is not folded into the files.
#[derive(Debug)]
pub(super) struct Window {
    pub from: Offset,
    pub end: Offset,
    pub rows: Vec<EventRow>,
    bytes: usize,
}

/// The windows that are kept, by view, under a budget. They belong to a view as its amendments do: what `compact` has
/// folded away since is in no newer view's.
#[derive(Clone)]
pub(super) struct Windows {
    kept: moka::sync::Cache<u64, Arc<Vec<Arc<Window>>>>,
    most_bytes: usize,
}

impl Windows {
    /// At most `budget` bytes, a fourth of it for one window.
    pub fn new(budget: usize) -> Self {
        let kept = moka::sync::Cache::builder()
            .max_capacity(budget as u64)
            .weigher(|_, windows: &Arc<Vec<Arc<Window>>>| {
                u32::try_from(windows.iter().map(|w| w.bytes).sum::<usize>()).unwrap_or(u32::MAX)
            })
            .build();
        Self { kept, most_bytes: budget / 4 }
    }

    /// The window that begins at or before `from` and ends after it.
    pub async fn get(&self, view: &View, pinned: &Pinned, from: Offset, cut: Millis) -> Result<Arc<Window>, Fault> {
        let kept = self.kept.get(&view.serial).unwrap_or_default();
        if let Some(window) = kept.iter().find(|w| w.from <= from && from < w.end) {
            return Ok(window.clone());
        }
        let window = Arc::new(read(view, pinned, from, cut, EVENTS, self.most_bytes).await?);
        let others = kept.iter().filter(|w| w.from > window.from || w.end <= window.from).take(PER_VIEW - 1);
        let windows = std::iter::once(window.clone()).chain(others.cloned()).collect();
        self.kept.insert(view.serial, Arc::new(windows));
        Ok(window)
    }

    /// Forgets the windows of a view.
    pub fn forget(&self, view: u64) {
        self.kept.invalidate(&view);
    }
}

/// Reads the next events from `from` on: at most `most`, and about `most_bytes`.
async fn read(
    view: &View,
    pinned: &Pinned,
    from: Offset,
    cut: Millis,
    most: usize,
    most_bytes: usize,
) -> Result<Window, Fault> {
    let mut files = pinned.events_of(|day| at_cut(day, cut) != DayAtCut::Gone);
    files.retain(|f| f.max_offset >= from);
    files.sort_unstable_by_key(|f| f.min_offset);
    let mut end = end(view, pinned, &files, from, most).await?;
    files.retain(|f| f.min_offset < end);
    let filter = ScanFilter { from: Some(from), before: Some(end), ..ScanFilter::default() };
    let (mut rows, mut bytes) = (BTreeMap::new(), 0);
    if !files.is_empty() {
        let mut stream = view.context.files.scan(view.workspace, &files, &filter, None).await?;
        while let Some(batch) = stream.try_next().await? {
            for row in read_events(&batch)?.into_iter().filter(|row| row.offset < end) {
                bytes += weight(&row);
                rows.insert(row.offset, row);
            }
            // Too much for one window: it ends earlier, and what comes after is not looked at.
            while bytes > most_bytes && rows.len() > 1 {
                if let Some((offset, row)) = rows.pop_last() {
                    bytes -= weight(&row);
                    end = offset;
                }
            }
        }
    }
    Ok(Window { from, end, rows: rows.into_values().collect(), bytes: bytes + 64 })
}

/// Where a window of `most` events ends: only offsets are read for it, and of as few files as tell.
async fn end(view: &View, pinned: &Pinned, files: &[DataFile], from: Offset, most: usize) -> Result<Offset, Fault> {
    let next = pinned.snapshot.next;
    if files.iter().map(|f| f.rows).sum::<u64>() <= most as u64 {
        return Ok(next);
    }
    // The smallest offsets so far, the greatest of them on top.
    let mut smallest: BinaryHeap<i64> = BinaryHeap::with_capacity(most + 1);
    let filter = ScanFilter { from: Some(from), ..ScanFilter::default() };
    for file in files {
        let full = smallest.len() == most;
        if full && smallest.peek().is_some_and(|top| file.min_offset.as_i64() > *top) {
            break;
        }
        let columns = Some(&["log_offset"][..]);
        let mut stream = view.context.files.scan(view.workspace, std::slice::from_ref(file), &filter, columns).await?;
        while let Some(batch) = stream.try_next().await? {
            let offsets = batch.column_by_name("log_offset").and_then(|c| c.as_primitive_opt::<Int64Type>());
            for offset in offsets.ok_or(ColumnError("log_offset"))?.values() {
                if smallest.len() < most {
                    smallest.push(*offset);
                } else if let Some(mut top) = smallest.peek_mut()
                    && *offset < *top
                {
                    *top = *offset;
                }
            }
        }
    }
    let full = smallest.len() == most;
    Ok(smallest.peek().filter(|_| full).map_or(next, |top| Offset::from_i64(*top).next()))
}
