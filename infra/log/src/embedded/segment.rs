//! The segment that is written to, and what happens to it when a write or a sync fails.
use super::{
    format::SegmentHeader,
    index::SlotIndex,
    options::Options,
    scan::{ScanError, Source, Tail},
    storage::{LogFile, write_all, write_whole},
};
use schemas::{ids::LogEpoch, time::Millis};
use std::{fmt, io, sync::Arc};

const TEMPORARY: &str = "segment.tmp";

/// Name of a segment's file, by its sequence number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SegmentName(pub(super) u64);

impl SegmentName {
    /// `None` for the name of anything else.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let parsed = Self(name.strip_suffix(".seg")?.parse().ok()?);
        (parsed.to_string() == name).then_some(parsed)
    }
}

impl fmt::Display for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:020}.seg", self.0)
    }
}

/// Creates the file of a segment, durably and whole or not at all. One that exists is replaced: it can only be left
/// from a try that failed after the rename, and holds no frame, as nothing is written before this returns.
pub(super) fn create_segment(options: &Options, header: &SegmentHeader) -> io::Result<Arc<dyn LogFile>> {
    let name = SegmentName(header.sequence).to_string();
    write_whole(&*options.storage, &options.directory, TEMPORARY, &name, &header.encode())
}

/// The last segment, as its one writer sees it.
pub(super) struct Active {
    pub(super) sequence: u64,
    pub(super) file: Arc<dyn LogFile>,
    /// All before this is acknowledged; the next write goes here.
    pub(super) len: u64,
    /// When the first record came, or before.
    pub(super) since: Option<Millis>,
    /// Frames were written since the last one that vouches for all before it (see `FrameHeader::durable`).
    pub(super) unsealed: bool,
    /// Nothing may be written to it any more. Stays set once a successor was tried: even a failed try may have left a
    /// successor behind that records this segment's length.
    pub(super) closed: bool,
    /// A sync failed, so what was acknowledged has to be read back before anything else is.
    pub(super) unverified: bool,
    /// The file is longer than what was written to it, by zeros.
    pub(super) laid_out: bool,
}

impl Active {
    /// Appends durably, or leaves the log as it was and says why not.
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Err(error) = write_all(&*self.file, bytes, self.len) {
            // A file that may not grow further would refuse the next write as well; a new one does not.
            self.closed |= error.kind() == io::ErrorKind::FileTooLarge;
            self.cut_back();
            return Err(error);
        }
        if let Err(error) = self.file.sync() {
            // The system may have marked the pages clean without having written them: it reports such an error once,
            // and the next sync of this file would succeed and mean nothing. So this file is never written or synced
            // again. It ends at its acknowledged length, which the successor's head records; cutting it here as well
            // only saves space, and keeps the refused frames from a crash that comes before there is a successor.
            self.closed = true;
            self.unverified = true;
            if let Err(error) = self.file.set_len(self.len) {
                tracing::warn!(%error, "the event log cannot cut back a segment whose sync failed");
            }
            return Err(error);
        }
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Takes back what a failed write left. Synced, because some of its frames may be whole and even on the disk
    /// already, and their callers are told that nothing was appended.
    fn cut_back(&mut self) {
        if let Err(error) = self.file.set_len(self.len).and_then(|()| self.file.sync()) {
            tracing::warn!(%error, "the event log cannot cut back a failed write and goes on in a new segment");
            self.closed = true;
            self.unverified = true;
        }
    }

    /// Gives back what was laid out and is not needed. Not synced: zeros that come back are cut at the next open.
    pub(super) fn trim(&mut self) {
        if std::mem::take(&mut self.laid_out)
            && let Err(error) = self.file.set_len(self.len)
        {
            tracing::warn!(%error, "the event log cannot trim a segment; the next start does");
        }
    }

    /// Proves that all acknowledged frames can be read from the disk. They had been synced before the sync that
    /// failed, but the last page of the old and the first of the new bytes are one, and a disk that failed once
    /// deserves the question.
    pub(super) fn verify(&mut self, epoch: LogEpoch, next: &[u64]) -> Result<(), ScanError> {
        if !self.unverified {
            return Ok(());
        }
        self.file.drop_cache();
        let source = Source { file: &*self.file, epoch, sequence: self.sequence, slots: next.len() as u32 };
        let mut index: Vec<_> = source.header()?.next.into_iter().map(SlotIndex::at).collect();
        source.frames(self.len, Tail::Whole, &mut index, &mut vec![0; next.len()])?;
        if index.iter().map(SlotIndex::end).ne(next.iter().copied()) {
            return Err(ScanError::Damaged("frames are missing".into()));
        }
        self.unverified = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_like_numbers_and_only_ours_parse() {
        assert_eq!(SegmentName(7).to_string(), "00000000000000000007.seg");
        assert_eq!(SegmentName::parse("00000000000000000007.seg"), Some(SegmentName(7)));
        for other in ["7.seg", "meta", "segment.tmp", "+0000000000000000007.seg", "00000000000000000007.seg.bak"] {
            assert_eq!(SegmentName::parse(other), None, "{other}");
        }
    }
}
