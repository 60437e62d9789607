//! From a directory to a log that can be appended to: lock, identity, index, torn tail.
use super::{
    ahead::AHEAD,
    cache::Cache,
    format::{FORMAT_VERSION, Meta, SegmentHeader},
    index::{Segment, State},
    options::{OpenError, Options},
    scan::{ScanError, Source, Tail, is_blank},
    segment::{Active, SegmentName, create_segment},
    storage::{LogFile, read_all, write_whole},
};
use rustix::fs::{FlockOperation, flock};
use schemas::{clock, ids::LogEpoch, time::Millis};
use std::{
    collections::VecDeque,
    fs::{File, OpenOptions},
    io,
    path::Path,
    sync::Arc,
};

const META: &str = "meta";
const META_TEMPORARY: &str = "meta.tmp";
const LOCK: &str = "lock";

/// An open log before its writer runs.
pub(super) struct Opened {
    pub(super) meta: Meta,
    pub(super) state: State,
    pub(super) active: Active,
    /// Whoever holds it holds the log.
    pub(super) lock: Lock,
}

struct Opening<'a> {
    options: &'a Options,
}

pub(super) fn open(options: &Options) -> Result<Opened, OpenError> {
    options.check()?;
    let opening = Opening { options };
    let storage = &*options.storage;
    storage.create_dir(&options.directory).map_err(opening.io())?;
    let lock = opening.lock()?;
    let names = storage.list(&options.directory).map_err(opening.io())?;
    if names.iter().any(|name| name == AHEAD) {
        // Left by a process that was killed; no record is in it.
        storage.remove(&options.directory.join(AHEAD)).map_err(opening.io())?;
    }
    let mut segments: Vec<_> = names.iter().filter_map(|name| SegmentName::parse(name)).collect();
    segments.sort_unstable();
    let meta = match names.iter().any(|name| name == META) {
        true => opening.meta()?,
        false => {
            let meta = opening.create(&segments)?;
            segments = vec![SegmentName(1)];
            meta
        }
    };
    let (state, active) = opening.segments(meta, &segments)?;
    Ok(Opened { meta, state, active, lock })
}

/// The right to the directory. It is given back by name when dropped: a child that is just being started holds a copy
/// of every open file until it runs, and with it the lock.
pub(super) struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the file does it otherwise.
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}

impl Opening<'_> {
    fn io(&self) -> impl Fn(io::Error) -> OpenError + use<> {
        let directory = self.options.directory.clone();
        move |error| OpenError::Io { directory: directory.clone(), error }
    }

    fn damaged(&self, name: impl AsRef<Path>, what: impl Into<String>) -> OpenError {
        OpenError::Damaged { file: self.options.directory.join(name), what: what.into() }
    }

    fn scan_error(&self, name: SegmentName, error: ScanError) -> OpenError {
        match error {
            ScanError::Io(error) => self.io()(error),
            ScanError::Damaged(what) => self.damaged(name.to_string(), what),
        }
    }

    /// The lock goes with the file description: a killed process leaves none behind.
    fn lock(&self) -> Result<Lock, OpenError> {
        let path = self.options.directory.join(LOCK);
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path).map_err(self.io())?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Lock(file)),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(OpenError::InUse(self.options.directory.clone())),
            Err(error) => Err(self.io()(error.into())),
        }
    }

    fn meta(&self) -> Result<Meta, OpenError> {
        let directory = &self.options.directory;
        let file = self.options.storage.open(&directory.join(META)).map_err(self.io())?;
        let len = file.len().map_err(self.io())?;
        if len > 4096 {
            return Err(self.damaged(META, "it is too long"));
        }
        let mut bytes = vec![0; len as usize];
        read_all(&*file, &mut bytes, 0).map_err(self.io())?;
        let meta = Meta::decode(&bytes).ok_or_else(|| self.damaged(META, "it does not read"))?;
        if meta.version != FORMAT_VERSION {
            return Err(OpenError::Version { directory: directory.clone(), version: meta.version });
        }
        if meta.slots != self.options.slots {
            let (asked, actual) = (self.options.slots, meta.slots);
            return Err(OpenError::Slots { directory: directory.clone(), asked, actual });
        }
        Ok(meta)
    }

    /// Creates the log. The first segment comes before `meta`, so that `meta` without a segment is always a loss. What
    /// an interrupted creation left, one segment without records, is replaced.
    fn create(&self, found: &[SegmentName]) -> Result<Meta, OpenError> {
        let Options { directory, storage, slots, .. } = self.options;
        for &name in found {
            let file = storage.open(&directory.join(name.to_string())).map_err(self.io())?;
            if name != SegmentName(1) || file.len().map_err(self.io())? > SegmentHeader::len(*slots) {
                return Err(self.damaged(META, "it is missing, but there are segments"));
            }
        }
        let epoch = LogEpoch(clock::random(&*self.options.entropy)?);
        let header = SegmentHeader {
            epoch,
            sequence: 1,
            created: self.options.clock.now().0,
            previous_len: 0,
            next: vec![0; *slots as usize],
            marks: vec![0; *slots as usize],
        };
        create_segment(self.options, &header).map_err(self.io())?;
        let meta = Meta { version: FORMAT_VERSION, slots: *slots, epoch };
        write_whole(&**storage, directory, META_TEMPORARY, META, &meta.encode()).map_err(self.io())?;
        // The directory itself may be new.
        let parent = directory.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        storage.sync_dir(parent).map_err(self.io())?;
        Ok(meta)
    }

    fn segments(&self, meta: Meta, names: &[SegmentName]) -> Result<(State, Active), OpenError> {
        let options = self.options;
        let mut files = Vec::with_capacity(names.len());
        for &name in names {
            let file = options.storage.open(&options.directory.join(name.to_string())).map_err(self.io())?;
            let source = Source { file: &*file, epoch: meta.epoch, sequence: name.0, slots: meta.slots };
            let header = source.header().map_err(|error| self.scan_error(name, error))?;
            files.push((name, file, header));
        }
        let Some((_, _, oldest)) = files.first() else { return Err(self.damaged(META, "all segments are missing")) };
        // What the oldest segment does not hold is gone, whatever mark was known when it was begun.
        let mut marks = oldest.next.clone();
        let mut segments: VecDeque<Segment> = VecDeque::with_capacity(files.len());
        let mut cuts: Vec<(Arc<dyn LogFile>, u64)> = Vec::new();
        for (at, (name, file, header)) in files.iter().enumerate() {
            if let Some(before) = segments.back() {
                if before.sequence + 1 != name.0 {
                    return Err(self.damaged(SegmentName(before.sequence + 1).to_string(), "it is missing"));
                }
                if before.slots.iter().map(|slot| slot.end()).ne(header.next.iter().copied()) {
                    return Err(self.damaged(name.to_string(), "it does not continue the segment before it"));
                }
            }
            marks.iter_mut().zip(&header.marks).for_each(|(mark, read)| *mark = (*mark).max(*read));
            let following = files.get(at + 1).map(|(_, _, header)| header);
            let segment = self.segment(meta, *name, file, header, following, &mut marks)?;
            if file.len().map_err(self.io())? > segment.len {
                cuts.push((file.clone(), segment.len));
            }
            segments.push_back(segment);
        }
        if segments.back().is_some_and(|last| last.slots.iter().zip(&marks).any(|(slot, &mark)| mark > slot.end())) {
            return Err(self.damaged(META, "a mark lies behind the end"));
        }
        // Only now, as nothing may be changed where damage is found. Durable before the first append: else a crash
        // could bring the old tail back behind new, acknowledged frames.
        for (file, len) in cuts {
            if !is_blank(&*file, len).map_err(self.io())? {
                tracing::warn!(len, "the event log cuts off a write that was interrupted and never acknowledged");
            }
            file.set_len(len).and_then(|()| file.sync()).map_err(self.io())?;
        }
        let active = segments.back().map(|last| Active {
            sequence: last.sequence,
            file: last.file.clone(),
            len: last.len,
            since: files.last().filter(|_| last.holds_records()).map(|(_, _, header)| Millis(header.created)),
            unsealed: false,
            closed: false,
            unverified: false,
            laid_out: false,
        });
        let active = active.ok_or_else(|| self.damaged(META, "all segments are missing"))?;
        let cache = Cache::new(meta.slots as usize, options.cache_bytes);
        Ok((State { epoch: meta.epoch, segments, marks, cache }, active))
    }

    /// Reads one segment. All but the last must be whole up to the length that the following one recorded.
    fn segment(
        &self,
        meta: Meta,
        name: SegmentName,
        file: &Arc<dyn LogFile>,
        header: &SegmentHeader,
        following: Option<&SegmentHeader>,
        marks: &mut [u64],
    ) -> Result<Segment, OpenError> {
        let len = file.len().map_err(self.io())?;
        let (limit, tail) = match following {
            Some(following) if following.previous_len > len => {
                return Err(self.damaged(name.to_string(), "it is shorter than it was"));
            }
            Some(following) => (following.previous_len, Tail::Whole),
            None => {
                // The last frames may have been written and not synced by a process that was killed. They become
                // visible now, so they are made durable first; and they are read from the disk, not from a cache that
                // may disagree with it after a sync that failed.
                file.sync().map_err(self.io())?;
                file.drop_cache();
                (len, Tail::MayBeTorn)
            }
        };
        let mut segment = Segment::new(name.0, file.clone(), 0, &header.next);
        let source = Source { file: &**file, epoch: meta.epoch, sequence: name.0, slots: meta.slots };
        segment.len =
            source.frames(limit, tail, &mut segment.slots, marks).map_err(|error| self.scan_error(name, error))?;
        Ok(segment)
    }
}
