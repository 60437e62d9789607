//! What needs to look inside: which broken bytes are a torn tail and which are damage.
use super::{
    format::{FrameHeader, Place, SegmentHeader, encode_marks},
    index::SlotIndex,
    scan::{ScanError, Source, Tail},
    storage::LogFile,
};
use parking_lot::Mutex;
use proptest::prelude::*;
use schemas::ids::LogEpoch;
use std::io;

const EPOCH: LogEpoch = LogEpoch([5; 16]);
const SEQUENCE: u64 = 3;

#[derive(Default)]
struct Memory(Mutex<Vec<u8>>);

impl LogFile for Memory {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        let bytes = self.0.lock();
        let left = bytes.get(position as usize..).unwrap_or_default();
        let len = left.len().min(buffer.len());
        buffer[..len].copy_from_slice(&left[..len]);
        Ok(len)
    }
    fn write_at(&self, _: &[u8], _: u64) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }
    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
    fn set_len(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().len() as u64)
    }
    fn drop_cache(&self) {}
}

/// A segment of one slot with groups of frames of one record each; the positions of all frames.
fn segment(groups: &[usize]) -> (Vec<u8>, Vec<usize>) {
    let header =
        SegmentHeader { epoch: EPOCH, sequence: SEQUENCE, created: 0, previous_len: 0, next: vec![0], marks: vec![0] };
    let (mut bytes, mut positions) = (header.encode(), Vec::new());
    for frames in groups {
        let durable = bytes.len() as u64;
        for _ in 0..*frames {
            let payload = vec![positions.len() as u8; 40];
            let place = Place { epoch: EPOCH, sequence: SEQUENCE, position: bytes.len() as u64 };
            let header = FrameHeader { crc: 0, len: 40, slot: 0, count: 1, first: positions.len() as u64, durable };
            positions.push(bytes.len());
            bytes.extend_from_slice(&header.encode(crc32c::crc32c(&payload), place));
            bytes.extend_from_slice(&payload);
        }
    }
    (bytes, positions)
}

fn scan(bytes: Vec<u8>, tail: Tail) -> Result<u64, ScanError> {
    let limit = bytes.len() as u64;
    let file = Memory(Mutex::new(bytes));
    let source = Source { file: &file, epoch: EPOCH, sequence: SEQUENCE, slots: 1 };
    let next = source.header()?.next;
    source.frames(limit, tail, &mut [SlotIndex::at(next[0])], &mut [0])
}

#[test]
fn only_a_break_in_the_last_group_is_a_torn_tail() {
    let groups = [1, 3, 1, 3];
    let (bytes, positions) = segment(&groups);
    assert_eq!(scan(bytes.clone(), Tail::Whole).unwrap(), bytes.len() as u64);
    for (frame, &position) in positions.iter().enumerate() {
        for at in position..position + 76 {
            let mut broken = bytes.clone();
            broken[at] ^= 16;
            match scan(broken.clone(), Tail::MayBeTorn) {
                Ok(end) => assert!(frame >= 5 && end == position as u64, "frame {frame}, byte {at}"),
                Err(error) => assert!(frame < 5, "frame {frame}, byte {at}: {error:?}"),
            }
            assert!(scan(broken, Tail::Whole).is_err());
        }
    }
}

#[test]
fn a_frame_of_another_place_does_not_count() {
    let (bytes, positions) = segment(&[1, 1]);
    // The second frame where the first should be, as after a block that was reused.
    let mut moved = bytes[..positions[0]].to_vec();
    moved.extend_from_slice(&bytes[positions[1]..]);
    assert_eq!(scan(moved, Tail::MayBeTorn).unwrap(), positions[0] as u64);
}

#[test]
fn zeros_behind_the_end_are_a_torn_tail() {
    let (mut bytes, _) = segment(&[2, 2]);
    let end = bytes.len() as u64;
    bytes.resize(bytes.len() + 5000, 0);
    assert_eq!(scan(bytes, Tail::MayBeTorn).unwrap(), end);
}

#[test]
fn marks_of_another_number_of_slots_are_damage() {
    let (mut bytes, _) = segment(&[1]);
    let payload = encode_marks(&[1, 2]);
    let place = Place { epoch: EPOCH, sequence: SEQUENCE, position: bytes.len() as u64 };
    let durable = bytes.len() as u64;
    let header = FrameHeader { crc: 0, len: 16, slot: super::format::MARKS, count: 2, first: 0, durable };
    bytes.extend_from_slice(&header.encode(crc32c::crc32c(&payload), place));
    bytes.extend_from_slice(&payload);
    assert!(matches!(scan(bytes, Tail::MayBeTorn), Err(ScanError::Damaged(_))));
}

proptest! {
    #[test]
    fn no_bytes_make_the_scan_stumble(tail in proptest::collection::vec(any::<u8>(), 0..300), magic: bool) {
        let (mut bytes, _) = segment(&[1]);
        let end = bytes.len() as u64;
        if magic {
            bytes.extend_from_slice(b"CMf1");
        }
        bytes.extend_from_slice(&tail);
        prop_assert_eq!(scan(bytes, Tail::MayBeTorn).unwrap(), end);
    }
}
