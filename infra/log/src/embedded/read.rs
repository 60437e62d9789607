//! Getting records out of frames, from memory or from the disk.
use super::{
    format::{FRAME_HEADER, FrameHeader},
    index::{DiskFrame, Plan},
    storage::{LogFile, read_all},
};
use crate::{Batch, LogError};
use bytes::Bytes;
use schemas::{
    log::Offset,
    record::{LastMasterKey, SealedRecord},
};
use std::sync::Arc;

/// Frames of a segment are read together as long as no more than this lies between them, in runs up to `RUN_BYTES`: one
/// system call and one buffer for many small frames.
const GAP_BYTES: u64 = 4 << 10;
const RUN_BYTES: u64 = 1 << 20;

/// A frame's records as bytes.
struct Loaded {
    first: u64,
    count: u32,
    payload: Bytes,
}

/// Carries out a plan. Blocks if the plan has frames on the disk.
pub(super) fn read(plan: Plan, from: u64, max_bytes: usize) -> Result<Batch, LogError> {
    let batch = Batch { records: Vec::new(), next: Offset(from) };
    let mut collect = Collect { from, max_bytes, bytes: 0, batch, last: LastMasterKey::default() };
    let mut frames = plan.disk.into_iter().peekable();
    while let Some(frame) = frames.next() {
        let mut run = vec![frame];
        while let Some(next) = frames.next_if(|next| joins(&run, next)) {
            run.push(next);
        }
        for loaded in load(&run)? {
            if collect.take(loaded)? {
                return Ok(collect.batch);
            }
        }
    }
    for frame in plan.cached {
        if collect.take(Loaded { first: frame.first, count: frame.count, payload: frame.payload })? {
            break;
        }
    }
    Ok(collect.batch)
}

fn joins(run: &[DiskFrame], next: &DiskFrame) -> bool {
    let (Some(first), Some(last)) = (run.first(), run.last()) else { return true };
    first.place.sequence == next.place.sequence
        && next.place.position - last.end() <= GAP_BYTES
        && next.end() - first.place.position <= RUN_BYTES
}

/// Reads frames of one segment and verifies each.
fn load(run: &[DiskFrame]) -> Result<Vec<Loaded>, LogError> {
    let (Some(first), Some(last)) = (run.first(), run.last()) else { return Ok(Vec::new()) };
    let (file, start): (&Arc<dyn LogFile>, u64) = (&first.file, first.place.position);
    let damaged = |what: String| LogError::Damaged(format!("segment {}: {what}", first.place.sequence));
    let mut bytes = vec![0; (last.end() - start) as usize];
    read_all(&**file, &mut bytes, start).map_err(|error| damaged(format!("at {start}: {error}")))?;
    let bytes = Bytes::from(bytes);
    let mut loaded = Vec::with_capacity(run.len());
    for frame in run {
        let at = (frame.place.position - start) as usize;
        let payload = bytes.slice(at + FRAME_HEADER..at + FRAME_HEADER + frame.len as usize);
        FrameHeader::decode(&bytes[at..])
            .filter(|header| header.first == frame.first && header.count == frame.count && header.len == frame.len)
            .filter(|header| header.verify(&payload, frame.place))
            .ok_or_else(|| damaged(format!("the frame at {} does not read", frame.place.position)))?;
        loaded.push(Loaded { first: frame.first, count: frame.count, payload });
    }
    Ok(loaded)
}

struct Collect {
    from: u64,
    max_bytes: usize,
    bytes: usize,
    batch: Batch,
    last: LastMasterKey,
}

impl Collect {
    /// Takes a frame's records at or above `from`; true once there are enough.
    fn take(&mut self, frame: Loaded) -> Result<bool, LogError> {
        let mut payload = frame.payload;
        for offset in frame.first..frame.first + u64::from(frame.count) {
            let before = payload.len();
            let record = SealedRecord::decode(&mut payload, &mut self.last)
                .map_err(|error| LogError::Damaged(format!("the record at offset {offset}: {error}")))?;
            if offset < self.from {
                continue;
            }
            self.bytes += before - payload.len();
            self.batch.records.push((Offset(offset), record));
            self.batch.next = Offset(offset + 1);
            if self.bytes >= self.max_bytes {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
