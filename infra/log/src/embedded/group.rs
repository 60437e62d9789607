//! One group: the frames of all waiting appends in one write and one sync.
use super::{
    cache::CachedFrame,
    format::{FrameHeader, MARKS, Place, encode_marks},
    queue::{Append, Refusal, refuse},
    writer::{GROUP_BYTES, Writer},
};
use schemas::log::Offset;

/// An append with the place it gets if the group is written.
struct Placed {
    append: Append,
    first: u64,
    position: u64,
}

impl Writer {
    /// Writes what fits the size limit and answers all.
    pub(super) fn write_group(&mut self, appends: Vec<Append>) -> Result<(), Refusal> {
        self.buffer.clear();
        let mut next = self.next.clone();
        let placed = self.place(appends, &mut next);
        if self.marks_moved {
            self.push_marks();
        }
        if self.buffer.is_empty() {
            return Ok(());
        }
        let result = self.active.append(&self.buffer);
        self.buffer.shrink_to(GROUP_BYTES);
        if let Err(error) = result {
            tracing::warn!(%error, appends = placed.len(), "the event log cannot write");
            let refusal = Refusal::from(error);
            refuse(placed.into_iter().map(|placed| placed.append).collect(), &refusal);
            // The next try may need its space.
            self.ahead.discard(&self.shared.options);
            return Err(refusal);
        }
        self.marks_moved = false;
        self.active.unsealed = true;
        if !placed.is_empty() {
            self.active.since.get_or_insert_with(|| self.shared.options.clock.now());
        }
        self.publish(placed, next);
        self.ahead.begin(&self.shared.options, &self.active);
        Ok(())
    }

    /// Gives each append its place and puts its frame into the buffer; refuses those beyond the size limit.
    fn place(&mut self, appends: Vec<Append>, next: &mut [u64]) -> Vec<Placed> {
        let limit = self.shared.options.max_total_bytes;
        let total = self.shared.state.lock().total_bytes();
        let (mut placed, mut over) = (Vec::with_capacity(appends.len()), Vec::new());
        for append in appends {
            if total + (self.buffer.len() + append.total()) as u64 > limit {
                over.push(append);
                continue;
            }
            let next = &mut next[append.slot as usize];
            let (first, position) = (*next, self.active.len + self.buffer.len() as u64);
            *next += u64::from(append.count);
            self.push_frame(append.slot, append.count, first, &append.payload, append.crc);
            placed.push(Placed { append, first, position });
        }
        if !over.is_empty() {
            tracing::warn!(limit, appends = over.len(), "the event log has reached its size limit");
            refuse(over, &Refusal::Unavailable(format!("the size limit of {limit} bytes is reached")));
        }
        placed
    }

    fn push_frame(&mut self, slot: u32, count: u32, first: u64, payload: &[u8], payload_crc: u32) {
        let position = self.active.len + self.buffer.len() as u64;
        let place = Place { epoch: self.epoch, sequence: self.active.sequence, position };
        let header = FrameHeader { crc: 0, len: payload.len() as u32, slot, count, first, durable: self.active.len };
        self.buffer.extend_from_slice(&header.encode(payload_crc, place));
        self.buffer.extend_from_slice(payload);
    }

    fn push_marks(&mut self) {
        let payload = encode_marks(&self.shared.state.lock().marks);
        self.push_frame(MARKS, self.next.len() as u32, 0, &payload, crc32c::crc32c(&payload));
    }

    /// Makes a written group visible: first to who reads, then to who waits, then to who appended.
    fn publish(&mut self, placed: Vec<Placed>, next: Vec<u64>) {
        let mut state = self.shared.state.lock();
        let mut answers = Vec::with_capacity(placed.len());
        if let Some(segment) = state.segments.back_mut() {
            segment.len = self.active.len;
            for Placed { append, position, .. } in &placed {
                segment.slots[append.slot as usize].push(append.count, *position, append.payload.len() as u32);
            }
        }
        for Placed { append, first, .. } in placed {
            let Append { slot, count, payload, done, _room, .. } = append;
            state.cache.push(slot as usize, CachedFrame { first, count, payload });
            answers.push((done, first, _room));
        }
        drop(state);
        for (slot, (end, &next)) in self.shared.ends.iter().zip(&next).enumerate() {
            if self.next[slot] != next {
                end.advance(Offset(next));
            }
        }
        self.next = next;
        for (done, first, _room) in answers {
            // Nobody listens if the caller went away.
            let _ = done.send(Ok(Offset(first)));
        }
    }

    /// The last frame of a graceful end. It vouches for all before it, so that damage there cannot be taken for a
    /// torn tail, and keeps the marks.
    pub(super) fn seal(&mut self) {
        if (self.active.unsealed || self.marks_moved) && !self.active.closed && self.damage.is_none() {
            self.buffer.clear();
            self.push_marks();
            if let Err(error) = self.active.append(&self.buffer) {
                tracing::warn!(%error, "the event log cannot write its last frame; no record is lost");
            }
        }
        self.active.trim();
    }
}
