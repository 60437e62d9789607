//! Which frame is where: 12 bytes of memory per frame.
use super::{
    cache::{Cache, CachedFrame},
    format::{FRAME_HEADER, Place},
    storage::LogFile,
};
use schemas::ids::LogEpoch;
use std::{collections::VecDeque, sync::Arc};

/// A frame, relative to its segment. Segments and frames are far below 4 GiB (see `options.rs`), so 32 bits do.
#[derive(Debug, Clone, Copy)]
struct Entry {
    first: u32,
    position: u32,
    len: u32,
}

/// The frames of one slot in one segment. Their offsets are next to each other from `base` to `end`.
#[derive(Debug, Clone)]
pub(super) struct SlotIndex {
    base: u64,
    end: u64,
    entries: Vec<Entry>,
}

impl SlotIndex {
    /// No frames yet; the first will have the offset `base`.
    pub(super) fn at(base: u64) -> Self {
        Self { base, end: base, entries: Vec::new() }
    }

    /// The offset after the last frame.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    pub(super) fn push(&mut self, count: u32, position: u64, len: u32) {
        self.entries.push(Entry { first: (self.end - self.base) as u32, position: position as u32, len });
        self.end += u64::from(count);
    }
}

/// One file of the stream.
pub(super) struct Segment {
    pub(super) sequence: u64,
    pub(super) file: Arc<dyn LogFile>,
    /// Acknowledged length.
    pub(super) len: u64,
    pub(super) slots: Vec<SlotIndex>,
}

impl Segment {
    /// The segment that begins where `next` says.
    pub(super) fn new(sequence: u64, file: Arc<dyn LogFile>, len: u64, next: &[u64]) -> Self {
        Self { sequence, file, len, slots: next.iter().map(|&next| SlotIndex::at(next)).collect() }
    }

    /// Whether there is any record in it.
    pub(super) fn holds_records(&self) -> bool {
        self.slots.iter().any(|slot| slot.end > slot.base)
    }

    /// Whether every record in it is below its slot's mark.
    fn is_dead(&self, marks: &[u64]) -> bool {
        self.slots.iter().zip(marks).all(|(slot, &mark)| slot.end <= mark || slot.end == slot.base)
    }
}

/// A durable frame that has to be read from its file.
pub(super) struct DiskFrame {
    pub(super) file: Arc<dyn LogFile>,
    pub(super) place: Place,
    pub(super) first: u64,
    pub(super) count: u32,
    pub(super) len: u32,
}

impl DiskFrame {
    /// Position after the frame.
    pub(super) fn end(&self) -> u64 {
        self.place.position + FRAME_HEADER as u64 + u64::from(self.len)
    }
}

/// What one read call needs, in order.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) disk: Vec<DiskFrame>,
    pub(super) cached: Vec<CachedFrame>,
}

/// All that readers and the writer share. Holds only what is durable.
pub(super) struct State {
    pub(super) epoch: LogEpoch,
    /// In order; never empty, the last is written to.
    pub(super) segments: VecDeque<Segment>,
    /// Per slot the first offset that can be read.
    pub(super) marks: Vec<u64>,
    pub(super) cache: Cache,
}

impl State {
    /// The offset that the slot's next record gets.
    pub(super) fn end(&self, slot: usize) -> u64 {
        self.segments.back().map_or(0, |segment| segment.slots[slot].end)
    }

    /// The next offsets of all slots.
    pub(super) fn ends(&self) -> Vec<u64> {
        (0..self.marks.len()).map(|slot| self.end(slot)).collect()
    }

    /// Acknowledged bytes in all segments.
    pub(super) fn total_bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.len).sum()
    }

    /// The oldest segment if it is not the one written to and nobody needs it.
    pub(super) fn removable(&self) -> Option<u64> {
        let oldest = self.segments.front()?;
        (self.segments.len() > 1 && oldest.is_dead(&self.marks)).then_some(oldest.sequence)
    }

    /// Whether the segment written to holds records, and only such that nobody needs.
    pub(super) fn active_is_dead(&self) -> bool {
        self.segments.back().is_some_and(|active| active.holds_records() && active.is_dead(&self.marks))
    }

    /// Collects frames from the one that holds `from` on, up to about `max_bytes` of payload and at least one if
    /// there is one. `from` must not be below the mark.
    pub(super) fn plan(&self, slot: usize, from: u64, max_bytes: usize) -> Plan {
        let mut plan = Plan::default();
        let mut bytes = 0;
        let in_memory = self.cache.first(slot).unwrap_or(u64::MAX);
        let skip = self.segments.partition_point(|segment| segment.slots[slot].end <= from);
        'disk: for segment in self.segments.range(skip..) {
            let index = &segment.slots[slot];
            let skip = index.entries.partition_point(|entry| index.base + u64::from(entry.first) <= from);
            for at in skip.saturating_sub(1)..index.entries.len() {
                let entry = index.entries[at];
                let first = index.base + u64::from(entry.first);
                if first >= in_memory {
                    break 'disk;
                }
                let end = index.entries.get(at + 1).map_or(index.end, |next| index.base + u64::from(next.first));
                let place =
                    Place { epoch: self.epoch, sequence: segment.sequence, position: u64::from(entry.position) };
                let (file, count) = (segment.file.clone(), (end - first) as u32);
                plan.disk.push(DiskFrame { file, place, first, count, len: entry.len });
                bytes += entry.len as usize;
                if bytes >= max_bytes {
                    return plan;
                }
            }
        }
        for frame in self.cache.frames(slot, from) {
            plan.cached.push(frame.clone());
            bytes += frame.payload.len();
            if bytes >= max_bytes {
                break;
            }
        }
        plan
    }
}
