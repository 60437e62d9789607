//! Bytes on the disk. All numbers are big-endian; the crate's README draws the same picture.
use schemas::ids::LogEpoch;

/// Version of everything here. A higher one is refused, not guessed at.
pub(super) const FORMAT_VERSION: u32 = 1;
/// Begins each frame, so that a search for whole frames behind damage is cheap.
pub(super) const FRAME_MAGIC: [u8; 4] = *b"CMf1";
const META_MAGIC: [u8; 8] = *b"CMlog-m1";
const SEGMENT_MAGIC: [u8; 8] = *b"CMlog-s1";
/// Length of a frame before its payload.
pub(super) const FRAME_HEADER: usize = 36;
/// The `slot` of a frame that holds no records but the marks of all slots.
pub(super) const MARKS: u32 = u32::MAX;

/// Takes numbers off the front of bytes.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk::<N>()?;
        self.0 = tail;
        Some(*head)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }
}

/// Splits off the crc32c at the end if it fits the bytes before it.
fn checked(bytes: &[u8]) -> Option<&[u8]> {
    let (body, crc) = bytes.split_last_chunk::<4>()?;
    (crc32c::crc32c(body) == u32::from_be_bytes(*crc)).then_some(body)
}

fn seal(mut bytes: Vec<u8>) -> Vec<u8> {
    let crc = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&crc.to_be_bytes());
    bytes
}

/// What a log is for all its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Meta {
    pub(super) version: u32,
    pub(super) slots: u32,
    pub(super) epoch: LogEpoch,
}

impl Meta {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = META_MAGIC.to_vec();
        bytes.extend_from_slice(&self.version.to_be_bytes());
        bytes.extend_from_slice(&self.slots.to_be_bytes());
        bytes.extend_from_slice(&self.epoch.0);
        seal(bytes)
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut cursor = Cursor(checked(bytes)?);
        if cursor.array()? != META_MAGIC {
            return None;
        }
        let meta = Self { version: cursor.u32()?, slots: cursor.u32()?, epoch: LogEpoch(cursor.array()?) };
        cursor.0.is_empty().then_some(meta)
    }
}

/// The head of a segment file: enough to go on from when every earlier segment is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    pub(super) epoch: LogEpoch,
    pub(super) sequence: u64,
    /// When it was created, milliseconds since 1970.
    pub(super) created: i64,
    /// How much of the segment before is acknowledged. What lies behind that was refused and is no part of the log,
    /// even where it could not be cut off at the time.
    pub(super) previous_len: u64,
    /// Per slot, the offset that its next record gets.
    pub(super) next: Vec<u64>,
    /// Per slot, the low-water mark.
    pub(super) marks: Vec<u64>,
}

impl SegmentHeader {
    /// Its length, for a log of `slots` slots.
    pub(super) fn len(slots: u32) -> u64 {
        8 + 4 + 4 + 16 + 8 + 8 + 8 + 16 * u64::from(slots) + 4
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = SEGMENT_MAGIC.to_vec();
        bytes.extend_from_slice(&FORMAT_VERSION.to_be_bytes());
        bytes.extend_from_slice(&(self.next.len() as u32).to_be_bytes());
        bytes.extend_from_slice(&self.epoch.0);
        bytes.extend_from_slice(&self.sequence.to_be_bytes());
        bytes.extend_from_slice(&self.created.to_be_bytes());
        bytes.extend_from_slice(&self.previous_len.to_be_bytes());
        for (next, mark) in self.next.iter().zip(&self.marks) {
            bytes.extend_from_slice(&next.to_be_bytes());
            bytes.extend_from_slice(&mark.to_be_bytes());
        }
        seal(bytes)
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut cursor = Cursor(checked(bytes)?);
        if cursor.array()? != SEGMENT_MAGIC || cursor.u32()? != FORMAT_VERSION {
            return None;
        }
        let slots = cursor.u32()? as usize;
        let mut header = Self {
            epoch: LogEpoch(cursor.array()?),
            sequence: cursor.u64()?,
            created: i64::from_be_bytes(cursor.array()?),
            previous_len: cursor.u64()?,
            next: Vec::new(),
            marks: Vec::new(),
        };
        if cursor.0.len() != slots.checked_mul(16)? {
            return None;
        }
        for _ in 0..slots {
            header.next.push(cursor.u64()?);
            header.marks.push(cursor.u64()?);
        }
        Some(header)
    }
}

/// Where a frame stands. Goes into its checksum, so that an old frame which shows up elsewhere (a reused disk block, a
/// copied file) is not taken for one of this place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) epoch: LogEpoch,
    pub(super) sequence: u64,
    pub(super) position: u64,
}

/// One append call, or the marks of all slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FrameHeader {
    pub(super) crc: u32,
    /// Length of the payload.
    pub(super) len: u32,
    pub(super) slot: u32,
    /// How many records, or for [`MARKS`] how many slots.
    pub(super) count: u32,
    /// Offset of the first record.
    pub(super) first: u64,
    /// How much of this segment was durable when the frame was written. It tells a torn tail from damage: a broken
    /// frame below this length had been acknowledged once, one at or above it had not.
    pub(super) durable: u64,
}

impl FrameHeader {
    /// The checksum, given that of the payload: the payload is summed where it is made, many at once, the rest by the
    /// one writer that knows the place.
    fn sum(&self, payload_crc: u32, place: Place) -> u32 {
        let mut bytes = [0; 28 + 32];
        bytes[..28].copy_from_slice(&self.fields());
        bytes[28..44].copy_from_slice(&place.epoch.0);
        bytes[44..52].copy_from_slice(&place.sequence.to_be_bytes());
        bytes[52..60].copy_from_slice(&place.position.to_be_bytes());
        crc32c::crc32c_append(payload_crc, &bytes)
    }

    fn fields(&self) -> [u8; 28] {
        let mut bytes = [0; 28];
        bytes[..4].copy_from_slice(&self.len.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.slot.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.count.to_be_bytes());
        bytes[12..20].copy_from_slice(&self.first.to_be_bytes());
        bytes[20..].copy_from_slice(&self.durable.to_be_bytes());
        bytes
    }

    /// The header's bytes with the right checksum.
    pub(super) fn encode(mut self, payload_crc: u32, place: Place) -> [u8; FRAME_HEADER] {
        self.crc = self.sum(payload_crc, place);
        let mut bytes = [0; FRAME_HEADER];
        bytes[..4].copy_from_slice(&FRAME_MAGIC);
        bytes[4..8].copy_from_slice(&self.crc.to_be_bytes());
        bytes[8..].copy_from_slice(&self.fields());
        bytes
    }

    /// Reads the fields; nothing is verified but the magic.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut cursor = Cursor(bytes);
        if cursor.array()? != FRAME_MAGIC {
            return None;
        }
        Some(Self {
            crc: cursor.u32()?,
            len: cursor.u32()?,
            slot: cursor.u32()?,
            count: cursor.u32()?,
            first: cursor.u64()?,
            durable: cursor.u64()?,
        })
    }

    /// Header and payload together.
    pub(super) fn total(&self) -> u64 {
        FRAME_HEADER as u64 + u64::from(self.len)
    }

    /// Whether header, payload and place belong together.
    pub(super) fn verify(&self, payload: &[u8], place: Place) -> bool {
        self.sum(crc32c::crc32c(payload), place) == self.crc
    }
}

/// The payload of a [`MARKS`] frame.
pub(super) fn encode_marks(marks: &[u64]) -> Vec<u8> {
    marks.iter().flat_map(|mark| mark.to_be_bytes()).collect()
}

/// Reads what [`encode_marks`] wrote, for `slots` slots.
pub(super) fn decode_marks(payload: &[u8], slots: usize) -> Option<Vec<u64>> {
    let (chunks, rest) = payload.as_chunks::<8>();
    (rest.is_empty() && chunks.len() == slots).then(|| chunks.iter().map(|c| u64::from_be_bytes(*c)).collect())
}
