//! The newest frames of all slots in memory, under one byte budget: who follows the end never touches the disk.
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};

/// One durable frame.
#[derive(Debug, Clone)]
pub(super) struct CachedFrame {
    pub(super) first: u64,
    pub(super) count: u32,
    pub(super) payload: Bytes,
}

impl CachedFrame {
    fn end(&self) -> u64 {
        self.first + u64::from(self.count)
    }
}

/// See the module's documentation. Within a slot the frames are next to each other and reach up to the end.
#[derive(Debug)]
pub(super) struct Cache {
    budget: usize,
    bytes: usize,
    slots: Vec<VecDeque<(u64, CachedFrame)>>,
    /// The slot of each frame, by age over all slots.
    ages: BTreeMap<u64, usize>,
    next_age: u64,
}

impl Cache {
    /// What a frame costs beside its payload, roughly; else millions of tiny frames would count as nothing.
    const OVERHEAD: usize = 128;

    pub(super) fn new(slots: usize, budget: usize) -> Self {
        Self { budget, bytes: 0, slots: vec![VecDeque::new(); slots], ages: BTreeMap::new(), next_age: 0 }
    }

    /// Adds the newest frame of a slot and drops the oldest of all while the budget is exceeded.
    pub(super) fn push(&mut self, slot: usize, frame: CachedFrame) {
        self.bytes += Self::OVERHEAD + frame.payload.len();
        self.slots[slot].push_back((self.next_age, frame));
        self.ages.insert(self.next_age, slot);
        self.next_age += 1;
        while self.bytes > self.budget {
            let Some((_, &oldest)) = self.ages.first_key_value() else { break };
            self.pop(oldest);
        }
    }

    fn pop(&mut self, slot: usize) {
        if let Some((age, frame)) = self.slots[slot].pop_front() {
            self.ages.remove(&age);
            self.bytes -= Self::OVERHEAD + frame.payload.len();
        }
    }

    /// Drops what lies wholly below the mark: truncated records shall not live on in an idle process.
    pub(super) fn truncate(&mut self, slot: usize, mark: u64) {
        while self.slots[slot].front().is_some_and(|(_, frame)| frame.end() <= mark) {
            self.pop(slot);
        }
    }

    /// The first offset of the slot in memory.
    pub(super) fn first(&self, slot: usize) -> Option<u64> {
        self.slots[slot].front().map(|(_, frame)| frame.first)
    }

    /// The slot's frames that hold offsets at or above `from`.
    pub(super) fn frames(&self, slot: usize, from: u64) -> impl Iterator<Item = &CachedFrame> {
        let frames = &self.slots[slot];
        let skip = frames.partition_point(|(_, frame)| frame.end() <= from);
        frames.range(skip..).map(|(_, frame)| frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(first: u64, count: u32, len: usize) -> CachedFrame {
        CachedFrame { first, count, payload: vec![0; len].into() }
    }

    #[test]
    fn the_oldest_of_all_slots_leaves_first_and_nothing_is_forgotten_in_the_sum() {
        let mut cache = Cache::new(2, 3 * (100 + Cache::OVERHEAD));
        cache.push(0, frame(0, 1, 100));
        cache.push(1, frame(0, 2, 100));
        cache.push(0, frame(1, 1, 100));
        cache.push(0, frame(2, 1, 100));
        assert_eq!((cache.first(0), cache.first(1)), (Some(1), Some(0)));
        cache.push(0, frame(3, 1, 100));
        assert_eq!((cache.first(0), cache.first(1)), (Some(1), None));
        cache.truncate(0, 3);
        assert_eq!(cache.first(0), Some(3));
        cache.truncate(0, 4);
        assert_eq!((cache.first(0), cache.bytes, cache.ages.len()), (None, 0, 0));
    }

    #[test]
    fn a_frame_over_the_budget_is_not_kept() {
        let mut cache = Cache::new(1, 10);
        cache.push(0, frame(0, 1, 100));
        assert_eq!((cache.first(0), cache.bytes), (None, 0));
    }

    #[test]
    fn frames_from_the_middle_begin_with_the_one_that_holds_it() {
        let mut cache = Cache::new(1, 10_000);
        cache.push(0, frame(0, 10, 1));
        cache.push(0, frame(10, 10, 1));
        let firsts = |from| cache.frames(0, from).map(|f| f.first).collect::<Vec<_>>();
        assert_eq!(firsts(5), [0, 10]);
        assert_eq!(firsts(10), [10]);
        assert_eq!(firsts(20), Vec::<u64>::new());
    }
}
