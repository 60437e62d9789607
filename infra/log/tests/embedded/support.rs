//! A file system that fails on demand, and other helpers.
use event_log::{
    LogError, SharedLog,
    embedded::{Disk, LogFile, Options, Storage},
};
use parking_lot::{Condvar, Mutex};
use schemas::{
    clock::{ManualClock, SeededEntropy},
    log::{Offset, Slot},
    record::SealedRecord,
    time::Millis,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    io,
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

/// Options for a test: a clock that stands, an epoch from the seed.
pub fn options(directory: &Path, slots: u32, seed: u64) -> Options {
    let clock = ManualClock::at(Millis(1_700_000_000_000));
    Options::new(directory, slots, clock, Arc::new(SeededEntropy::new(seed)))
}

/// Paths of the segments, oldest first.
pub fn segments(directory: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "seg"));
    paths.sort();
    paths
}

/// Copies a flat directory: what a killed process would have left at this moment.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// An append that has been handed to the log and waits for its answer.
pub struct Queued(Pin<Box<dyn Future<Output = Result<Offset, LogError>> + Send>>);

impl Queued {
    /// Hands it over. One poll is enough to queue it as long as the queue has room and the runtime does not ask for a
    /// pause, hence `unconstrained`.
    pub fn append(log: &SharedLog, slot: Slot, records: Vec<SealedRecord>) -> Self {
        let log = log.clone();
        let append = async move { log.append(slot, records).await.map(|appended| appended.first) };
        let mut future: Pin<Box<dyn Future<Output = _> + Send>> = Box::pin(tokio::task::unconstrained(append));
        assert!(matches!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Pending));
        Self(future)
    }

    /// Its answer.
    pub async fn answer(self) -> Result<Offset, LogError> {
        self.0.await
    }
}

/// What shall fail, and what happened.
#[derive(Default)]
pub struct Faults {
    /// Bytes that can still be written; `None` without limit.
    pub space: Option<u64>,
    /// How many of the next file syncs fail.
    pub failing_syncs: u32,
    /// Cutting files fails.
    pub no_cutting: bool,
    /// Creating files fails.
    pub no_creating: bool,
    /// Syncing the directory fails.
    pub no_dir_syncs: bool,
    /// Syncs wait until this is false again.
    pub hold_syncs: bool,
    /// After so many more file syncs, the next one is a power cut: what the disk then holds goes to this directory, and
    /// nothing works after.
    pub power_cut: Option<(u32, PathBuf, SeededEntropy)>,
    /// The power is off.
    pub dead: bool,
    /// Successful file syncs.
    pub syncs: u32,
    /// A sync waits.
    pub held: bool,
    /// How often a file was read.
    pub reads: u32,
    /// Every file that was opened; a rename goes along.
    paths: Vec<PathBuf>,
    /// Files whose sync failed.
    poisoned: BTreeSet<usize>,
    /// Writes and syncs on a file whose sync had failed.
    pub trusted_a_poisoned_file: u32,
    /// Per file what was written since its last sync.
    unsynced: BTreeMap<usize, Vec<(u64, usize)>>,
}

/// See the module's documentation.
#[derive(Default)]
pub struct FaultStorage {
    pub faults: Mutex<Faults>,
    changed: Condvar,
}

impl FaultStorage {
    /// Changes what fails.
    pub fn set(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.faults.lock());
        self.changed.notify_all();
    }

    /// Blocks until a sync is held.
    pub fn until_held(&self) {
        let mut faults = self.faults.lock();
        while !faults.held {
            self.changed.wait(&mut faults);
        }
    }

    fn alive(&self) -> io::Result<parking_lot::MutexGuard<'_, Faults>> {
        let faults = self.faults.lock();
        if faults.dead { Err(eio()) } else { Ok(faults) }
    }
}

fn eio() -> io::Error {
    io::Error::from_raw_os_error(5)
}

fn enospc() -> io::Error {
    io::ErrorKind::StorageFull.into()
}

/// [`FaultStorage`] shared with the test.
#[derive(Clone, Default)]
pub struct Faulty(pub Arc<FaultStorage>);

struct FaultyFile {
    storage: Arc<FaultStorage>,
    id: usize,
    file: Arc<dyn LogFile>,
}

impl Faulty {
    fn wrap(&self, path: &Path, file: Arc<dyn LogFile>) -> Arc<dyn LogFile> {
        let mut faults = self.0.faults.lock();
        faults.paths.push(path.into());
        Arc::new(FaultyFile { storage: self.0.clone(), id: faults.paths.len() - 1, file })
    }
}

impl LogFile for FaultyFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.storage.alive()?.reads += 1;
        self.file.read_at(buffer, position)
    }

    fn write_at(&self, bytes: &[u8], position: u64) -> io::Result<usize> {
        let mut faults = self.storage.alive()?;
        faults.trusted_a_poisoned_file += u32::from(faults.poisoned.contains(&self.id));
        let fits = faults.space.map_or(bytes.len(), |space| bytes.len().min(space as usize));
        if fits == 0 {
            return Err(enospc());
        }
        let written = self.file.write_at(&bytes[..fits], position)?;
        if let Some(space) = &mut faults.space {
            *space -= written as u64;
        }
        faults.unsynced.entry(self.id).or_default().push((position, written));
        Ok(written)
    }

    fn sync(&self) -> io::Result<()> {
        let mut faults = self.storage.faults.lock();
        while faults.hold_syncs {
            faults.held = true;
            self.storage.changed.notify_all();
            self.storage.changed.wait(&mut faults);
        }
        faults.held = false;
        if faults.dead {
            return Err(eio());
        }
        match faults.power_cut.take() {
            Some((0, to, entropy)) => {
                cut_power(&faults, faults.paths[self.id].parent().unwrap(), &to, &entropy);
                faults.dead = true;
                return Err(eio());
            }
            Some((more, to, entropy)) => faults.power_cut = Some((more - 1, to, entropy)),
            None => {}
        }
        if faults.failing_syncs > 0 {
            faults.failing_syncs -= 1;
            faults.poisoned.insert(self.id);
            return Err(eio());
        }
        faults.trusted_a_poisoned_file += u32::from(faults.poisoned.contains(&self.id));
        faults.syncs += 1;
        faults.unsynced.remove(&self.id);
        drop(faults);
        self.file.sync()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if self.storage.alive()?.no_cutting {
            return Err(eio());
        }
        self.file.set_len(len)
    }

    fn len(&self) -> io::Result<u64> {
        drop(self.storage.alive()?);
        self.file.len()
    }

    fn drop_cache(&self) {
        self.file.drop_cache();
    }
}

/// Copies the directory as a power cut leaves it: of what was not synced, any 512-byte piece may be missing, and the
/// file may end anywhere in it.
fn cut_power(faults: &Faults, from: &Path, to: &Path, entropy: &SeededEntropy) {
    let random = || u64::from_be_bytes(schemas::clock::random(entropy).unwrap());
    copy(from, to);
    for (id, writes) in &faults.unsynced {
        let copied = to.join(faults.paths[*id].file_name().unwrap());
        let Ok(mut bytes) = std::fs::read(&copied) else { continue };
        let synced = writes.iter().map(|(position, _)| *position).min().unwrap_or(0) as usize;
        let mut at = synced.min(bytes.len());
        while at < bytes.len() {
            let end = (at / 512 * 512 + 512).min(bytes.len());
            if random() % 3 == 0 {
                bytes[at..end].fill(0);
            }
            at = end;
        }
        if random() % 2 == 0 && synced < bytes.len() {
            bytes.truncate(synced + (random() % (bytes.len() - synced) as u64) as usize);
        }
        std::fs::write(copied, bytes).unwrap();
    }
}

impl Storage for Faulty {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        Disk.create_dir(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        Disk.list(path)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn LogFile>> {
        if self.0.alive()?.no_creating {
            return Err(enospc());
        }
        Ok(self.wrap(path, Disk.create(path)?))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn LogFile>> {
        drop(self.0.alive()?);
        Ok(self.wrap(path, Disk.open(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut faults = self.0.alive()?;
        faults.paths.iter_mut().filter(|path| *path == from).for_each(|path| *path = to.into());
        Disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        drop(self.0.alive()?);
        Disk.remove(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        if self.0.alive()?.no_dir_syncs {
            return Err(eio());
        }
        Disk.sync_dir(path)
    }
}
