//! Reading a segment from front to end: at open, and to prove that acknowledged bytes survived a failed sync.
use super::{
    format::{FRAME_HEADER, FRAME_MAGIC, FrameHeader, MARKS, Place, SegmentHeader, decode_marks},
    index::SlotIndex,
    options::MAX_FRAME_BYTES,
    storage::{LogFile, read_all},
};
use schemas::ids::LogEpoch;
use std::io;

/// Zeros are passed over in pieces of this size.
const BLANK: [u8; 4096] = [0; 4096];

/// Whether there are only zeros from `position` on.
pub(super) fn is_blank(file: &dyn LogFile, position: u64) -> io::Result<bool> {
    let limit = file.len()?;
    let mut window = Window { file, limit, start: 0, bytes: Vec::new() };
    let mut position = position;
    while position < limit {
        let piece = (limit - position).min(BLANK.len() as u64);
        if window.get(position, piece)? != &BLANK[..piece as usize] {
            return Ok(false);
        }
        position += piece;
    }
    Ok(true)
}

/// Why a segment does not read.
#[derive(Debug)]
pub(super) enum ScanError {
    Io(io::Error),
    /// What is wrong, and where.
    Damaged(String),
}

impl From<io::Error> for ScanError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return Self::Damaged("the file ends early".into());
        }
        Self::Io(error)
    }
}

/// What may stand at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tail {
    /// Nothing but whole frames: all of it was acknowledged.
    Whole,
    /// A group of frames that a crash interrupted.
    MayBeTorn,
}

/// A segment's file, and what is known of it without reading it.
pub(super) struct Source<'a> {
    pub(super) file: &'a dyn LogFile,
    pub(super) epoch: LogEpoch,
    pub(super) sequence: u64,
    pub(super) slots: u32,
}

/// Reads ahead, so that small frames do not cost a system call each.
struct Window<'a> {
    file: &'a dyn LogFile,
    limit: u64,
    start: u64,
    bytes: Vec<u8>,
}

impl Window<'_> {
    const READ_AHEAD: u64 = 1 << 20;

    /// The bytes at `position`; the caller keeps within the limit.
    fn get(&mut self, position: u64, len: u64) -> io::Result<&[u8]> {
        let have = self.start..self.start + self.bytes.len() as u64;
        if position < have.start || position + len > have.end {
            let want = len.max(Self::READ_AHEAD).min(self.limit - position);
            self.bytes.resize(want as usize, 0);
            self.start = position;
            if let Err(error) = read_all(self.file, &mut self.bytes, position) {
                self.bytes.clear();
                return Err(error);
            }
        }
        let from = (position - self.start) as usize;
        Ok(&self.bytes[from..from + len as usize])
    }
}

impl Source<'_> {
    /// Reads the head of the file.
    pub(super) fn header(&self) -> Result<SegmentHeader, ScanError> {
        let mut bytes = vec![0; SegmentHeader::len(self.slots) as usize];
        read_all(self.file, &mut bytes, 0)?;
        let header = SegmentHeader::decode(&bytes)
            .filter(|h| h.epoch == self.epoch && h.sequence == self.sequence && h.next.len() == self.slots as usize);
        header.ok_or_else(|| ScanError::Damaged("its head does not read or belongs to another log".into()))
    }

    /// Reads the frames below `limit` into `index` (which stands at the head's next offsets) and `marks`, and returns
    /// where the whole frames end: `limit`, or less if the tail is torn.
    pub(super) fn frames(
        &self,
        limit: u64,
        tail: Tail,
        index: &mut [SlotIndex],
        marks: &mut [u64],
    ) -> Result<u64, ScanError> {
        let mut position = SegmentHeader::len(self.slots);
        let mut window = Window { file: self.file, limit, start: 0, bytes: Vec::new() };
        while position < limit {
            let Some(header) = self.frame(&mut window, position)? else {
                if tail == Tail::MayBeTorn && !self.was_durable(&mut window, position)? {
                    return Ok(position);
                }
                return Err(ScanError::Damaged(format!("the frame at {position} does not read")));
            };
            let payload = window.get(position + FRAME_HEADER as u64, u64::from(header.len))?;
            if header.slot == MARKS {
                let read = decode_marks(payload, marks.len())
                    .ok_or_else(|| ScanError::Damaged(format!("the marks at {position} do not read")))?;
                marks.iter_mut().zip(read).for_each(|(mark, read)| *mark = (*mark).max(read));
            } else {
                // The checksum fits, so no crash explains a wrong slot or offset.
                let slot = index.get_mut(header.slot as usize).filter(|slot| slot.end() == header.first);
                let slot =
                    slot.ok_or_else(|| ScanError::Damaged(format!("the frame at {position} is out of order")))?;
                slot.push(header.count, position, header.len);
            }
            position += header.total();
        }
        Ok(position)
    }

    /// The header of the frame at `position`, if a whole one that belongs there ends within the limit.
    fn frame(&self, window: &mut Window<'_>, position: u64) -> io::Result<Option<FrameHeader>> {
        let left = window.limit - position;
        if left < FRAME_HEADER as u64 {
            return Ok(None);
        }
        let Some(header) = FrameHeader::decode(window.get(position, FRAME_HEADER as u64)?) else { return Ok(None) };
        if header.total() > left || u64::from(header.len) > MAX_FRAME_BYTES || header.durable > position {
            return Ok(None);
        }
        let payload = window.get(position + FRAME_HEADER as u64, u64::from(header.len))?;
        let place = Place { epoch: self.epoch, sequence: self.sequence, position };
        Ok(header.verify(payload, place).then_some(header))
    }

    /// Whether what stands at `position` was once durable: a later frame says so. Frames of the same write do not, as
    /// a disk may have kept the later half of an interrupted write and not the earlier; none of it was acknowledged.
    fn was_durable(&self, window: &mut Window<'_>, broken: u64) -> io::Result<bool> {
        let magic = FRAME_MAGIC.len() as u64;
        let mut position = broken + 1;
        while position + FRAME_HEADER as u64 <= window.limit {
            // What was laid out ahead and not written to is long; no frame begins in it.
            if window.limit - position > BLANK.len() as u64 && window.get(position, BLANK.len() as u64)? == BLANK {
                position += BLANK.len() as u64;
                continue;
            }
            if window.get(position, magic)? == FRAME_MAGIC
                && let Some(header) = self.frame(window, position)?
                && header.durable > broken
            {
                return Ok(true);
            }
            position += 1;
        }
        Ok(false)
    }
}
