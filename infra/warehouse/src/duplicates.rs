//! The duplicate check (`DESIGN.md` §2), the same for land and for the tail: a reader must not see twice what land
//! will drop.
//!
//! The rule. A record is a copy when an earlier record of the workspace (lower log offset) that is still retained has
//! the same event id, and
//! - both are of table `events`: their event times differ by at most [`WINDOW`], or [`TWO_CLOCKS`] where the later one is
//!   a message of the business (an echo of what another inbox recorded by its own clock); or the later one comes from
//!   an import (another inbox's times differ more), or its claimed time was not believed (its receive time says
//!   nothing), or that of the earlier one was not (the catalog's claimed ids): then any distance;
//! - both are dead letters: any distance, they are kept 30 days.
//!
//! What came earlier lies in the batch itself ([`Seen`]) or in files. Of the files only those are asked whose time range
//! covers the event's time ± that distance: of in-order traffic the newest. Whoever wrote that, or read its records in the
//! log, says which ids it holds, so that it need not be read ([`Duplicates::remember`]).
//!
//! A copy is dropped, but for one thing: where it names the member who wrote a message and the first one does not, it
//! becomes an author amendment ([`judge`]).
mod authors;
mod fronts;
mod search;

pub use authors::{Origins, Verdict, is_first, judge};
pub use fronts::Fronts;

use crate::{
    catalog::{CatalogError, DataFile, SharedCatalog},
    file::{FileError, Files},
};
use arrow::{array::AsArray, datatypes::TimestampMillisecondType};
use fronts::{FileFronts, cache, push_fronts};
use futures::TryStreamExt;
use moka::policy::EvictionPolicy;
use schemas::{
    event::Event,
    ids::{ConversationId, DataFileId, EventId, WorkspaceId},
    kind::{AuthorKind, Kind, Source},
    log::Offset,
    partition::Table,
    time::Millis,
};
use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    hash::{BuildHasherDefault, Hasher},
    sync::Arc,
    time::Duration,
};

/// How far the times of two copies may differ.
pub const WINDOW: Duration = Duration::from_secs(1);

/// How far the times of an echo and of our own record of the same message may differ (`DESIGN.md` §2).
pub const TWO_CLOCKS: Duration = Duration::from_secs(3600);

/// What the check asks about one record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Candidate {
    /// Its id.
    pub id: EventId,
    /// Its event time; the receive time of dead letters.
    pub at: Millis,
    /// Which table it goes to.
    pub table: Table,
    /// True when a copy may lie at any distance.
    pub any_time: bool,
    /// How far from it otherwise.
    pub window: Duration,
    /// Its conversation.
    pub conversation: Option<ConversationId>,
    /// What it says of the person of the business who wrote it.
    pub says: Says,
}

/// What a record says of its author.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Says {
    /// It is no message of a person of the business.
    Nothing,
    /// A person of the business wrote it, it does not say who.
    Someone,
    /// This member wrote it.
    Member,
}

impl Says {
    fn of<T>(event: &Event<T>) -> Self {
        match &event.author {
            Some(author) if event.is_human_reply() => {
                if author.member.is_some() {
                    Self::Member
                } else {
                    Self::Someone
                }
            }
            _ => Self::Nothing,
        }
    }
}

impl Candidate {
    /// What is asked about an event.
    pub fn of<T>(event: &Event<T>) -> Self {
        // An author amendment has its message's time, however its copy came.
        let own_time = event.kind != Kind::AuthorAmendment;
        let any_time = own_time && (event.source == Source::Import || event.claimed_at.is_some());
        let of_business =
            event.message.is_some() && event.author.as_ref().is_some_and(|a| a.kind != AuthorKind::Customer);
        let window = if of_business { TWO_CLOCKS } else { WINDOW };
        Self {
            id: event.id,
            at: event.event_at,
            table: Table::Events,
            any_time,
            window,
            conversation: event.conversation,
            says: Says::of(event),
        }
    }

    /// What is asked about a dead letter.
    pub fn dead_letter(id: EventId, received_at: Millis) -> Self {
        Self {
            id,
            at: received_at,
            table: Table::DeadLetters,
            any_time: true,
            window: WINDOW,
            conversation: None,
            says: Says::Nothing,
        }
    }

    /// What tells it from other candidates.
    pub fn key(&self) -> (EventId, Millis) {
        (self.id, self.at)
    }

    fn meets(&self, other: Millis) -> bool {
        self.any_time || u128::from(other.0.abs_diff(self.at.0)) <= self.window.as_millis()
    }

    /// True when a file's rows could hold a copy.
    fn concerns(&self, file: &DataFile) -> bool {
        file.table == self.table && self.concerns_times(file.min_at, file.max_at)
    }

    /// True when rows of its table between these times could hold a copy.
    pub fn concerns_times(&self, min_at: Millis, max_at: Millis) -> bool {
        self.any_time || (min_at - self.window <= self.at && self.at <= max_at + self.window)
    }
}

/// The records of a workspace that were seen since a snapshot: of a batch, or of the tail.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    at: HashMap<(Table, EventId), Records, BuildHasherDefault<IdHasher>>,
}

#[derive(Clone, Copy, Debug)]
struct SeenRecord {
    at: Millis,
    claimed: bool,
    says: Says,
    conversation: Option<ConversationId>,
}

impl SeenRecord {
    fn is_met_by(&self, candidate: &Candidate) -> bool {
        self.claimed || candidate.meets(self.at)
    }
}

/// The records of one id, in the log's order. Nearly always there is one.
#[derive(Clone, Debug)]
struct Records {
    first: SeenRecord,
    more: Vec<SeenRecord>,
}

impl Records {
    fn iter(&self) -> impl Iterator<Item = &SeenRecord> {
        std::iter::once(&self.first).chain(&self.more)
    }
}

/// Folds an id. Event ids come from a keyed hash, so nobody outside can make them fall together.
#[derive(Clone, Copy, Debug, Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, word: u64) {
        // An odd constant with well-spread bits; the rotation brings the high bits, where it mixes, down again.
        self.0 = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32);
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }

    fn write_isize(&mut self, word: isize) {
        self.write_u64(word as u64);
    }
}

impl Seen {
    /// True when a record seen before makes this one a copy.
    pub fn has(&self, candidate: &Candidate) -> bool {
        self.at
            .get(&(candidate.table, candidate.id))
            .is_some_and(|records| records.iter().any(|record| record.is_met_by(candidate)))
    }

    /// Notes a record that is no copy. `claimed`: its claimed time was not believed.
    pub fn add(&mut self, candidate: &Candidate, claimed: bool) {
        let Candidate { at, says, conversation, .. } = *candidate;
        let record = SeenRecord { at, claimed, says, conversation };
        match self.at.entry((candidate.table, candidate.id)) {
            Entry::Vacant(entry) => {
                entry.insert(Records { first: record, more: Vec::new() });
            }
            Entry::Occupied(mut entry) => entry.get_mut().more.push(record),
        }
    }

    /// How many ids were noted.
    pub fn len(&self) -> usize {
        self.at.len()
    }

    /// True when none were.
    pub fn is_empty(&self) -> bool {
        self.at.is_empty()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.at.clear();
    }
}

/// Candidates that are copies, by [`Candidate::key`].
pub type Copies = HashSet<(EventId, Millis)>;

/// What could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum DuplicateError {
    /// See [`FileError`].
    #[error(transparent)]
    File(#[from] FileError),
    /// See [`CatalogError`].
    #[error(transparent)]
    Catalog(#[from] CatalogError),
}

/// The ids and times of one file, sorted by id.
type FileIds = Arc<Vec<(EventId, Millis)>>;
/// Asks files for copies. Cheap to clone; what was read of files that were asked stays in memory under a budget. Of most
/// files that are only the fronts of ids, a sixth of ids with times: an echo is looked up over an hour, in which there may
/// be millions of ids, and nearly never is one of them its own.
#[derive(Clone)]
pub struct Duplicates {
    files: Files,
    catalog: SharedCatalog,
    /// Of files that were not read for them. Nobody has asked for a file that is new, so that by how often it was asked for
    /// it would not be let in once this is full; and what nobody asks for, as of an import's days, leaves first.
    told: moka::future::Cache<DataFileId, FileFronts>,
    /// Of files that were read for them. A pass over all files, as an import makes, must not drive out those of live traffic.
    fronts: moka::future::Cache<DataFileId, FileFronts>,
    ids: moka::future::Cache<DataFileId, FileIds>,
    authors: moka::future::Cache<DataFileId, authors::FileAuthors>,
}

impl Duplicates {
    /// A check over these files; `cache_bytes` bounds what is kept of them in memory: half of it is for the fronts of ids,
    /// a fourth for ids with times, a fourth for who wrote messages, which is asked of named copies only.
    pub fn new(files: Files, catalog: SharedCatalog, cache_bytes: u64) -> Self {
        let quarter = cache_bytes / 4;
        let by_use = EvictionPolicy::tiny_lfu;
        Self {
            files,
            catalog,
            told: cache(quarter, EvictionPolicy::lru()),
            fronts: cache(quarter, by_use()),
            ids: cache(quarter, by_use()),
            authors: cache(quarter, by_use()),
        }
    }

    /// Remembers a file by what its writer, or who read its records in the log, has at hand. While it does, it is read only
    /// for an id that it very likely holds; so what comes just after a file was written neither waits for the store nor fails
    /// with it.
    pub async fn remember(&self, file: DataFileId, fronts: Fronts) {
        self.told.insert(file, fronts.0).await;
    }

    /// True while the fronts of a file's ids are in memory.
    pub fn remembers(&self, file: DataFileId) -> bool {
        self.told.contains_key(&file) || self.fronts.contains_key(&file)
    }

    /// Which of the candidates have a copy in the files (those of one snapshot, of one workspace) or among the claimed
    /// ids that were landed before the snapshot's end `next`; told by id and time, as copies of one id may differ.
    ///
    /// # Errors
    /// See [`DuplicateError`]; nothing is known then.
    pub async fn in_files(
        &self,
        workspace: WorkspaceId,
        files: &[DataFile],
        next: Offset,
        candidates: &[Candidate],
    ) -> Result<Copies, DuplicateError> {
        let mut found = self.copies(files, candidates).await?;
        let rest: Vec<Candidate> = candidates.iter().filter(|c| !found.contains(&c.key())).copied().collect();
        found.extend(self.claimed(workspace, next, &rest).await?);
        Ok(found)
    }

    /// Which of the candidates have a copy in the files.
    ///
    /// # Errors
    /// See [`DuplicateError`].
    pub async fn copies(&self, files: &[DataFile], candidates: &[Candidate]) -> Result<Copies, DuplicateError> {
        let mut found = HashSet::new();
        for file in files {
            let concerned: Vec<&Candidate> = candidates.iter().filter(|c| c.concerns(file)).collect();
            if concerned.is_empty() {
                continue;
            }
            let fronts = self.fronts_of(file).await?;
            let likely = |c: &&Candidate| search::has(&fronts, search::Front::of(c.id));
            let likely: Vec<&Candidate> = concerned.into_iter().filter(likely).collect();
            if likely.is_empty() {
                continue;
            }
            let ids = self.ids_of(file).await?;
            for candidate in likely {
                let from = search::place_of(&ids, candidate.id, |(id, _)| *id);
                let copies = ids[from..].iter().take_while(|(id, _)| *id == candidate.id);
                if copies.into_iter().any(|(_, at)| candidate.meets(*at)) {
                    found.insert(candidate.key());
                }
            }
        }
        Ok(found)
    }

    /// Which of the candidates are among the claimed ids that were landed before `next`.
    ///
    /// # Errors
    /// See [`DuplicateError`].
    pub async fn claimed(
        &self,
        workspace: WorkspaceId,
        next: Offset,
        candidates: &[Candidate],
    ) -> Result<Copies, DuplicateError> {
        let events: Vec<&Candidate> = candidates.iter().filter(|c| c.table == Table::Events).collect();
        if events.is_empty() {
            return Ok(Copies::new());
        }
        let ids: Vec<EventId> = events.iter().map(|c| c.id).collect();
        let known: HashSet<EventId> = self.catalog.claimed(workspace, &ids, next).await?.into_iter().collect();
        Ok(events.into_iter().filter(|c| known.contains(&c.id)).map(Candidate::key).collect())
    }

    /// True when some file would have to be asked about a candidate; claimed ids are always asked.
    pub fn concerns(files: &[DataFile], candidate: &Candidate) -> bool {
        files.iter().any(|file| candidate.concerns(file))
    }

    async fn fronts_of(&self, file: &DataFile) -> Result<FileFronts, FileError> {
        for known in [&self.told, &self.fronts] {
            if let Some(fronts) = known.get(&file.id).await {
                return Ok(fronts);
            }
        }
        let mut fronts = Vec::with_capacity(usize::try_from(file.rows).unwrap_or(0));
        let mut stream = self.files.stream(file, Some(&["event_id"])).await?;
        while let Some(batch) = stream.try_next().await? {
            push_fronts(&batch, &mut fronts).ok_or_else(|| without_ids(file))?;
        }
        let Fronts(fronts) = Fronts::sorted(fronts);
        self.fronts.insert(file.id, fronts.clone()).await;
        Ok(fronts)
    }

    async fn ids_of(&self, file: &DataFile) -> Result<FileIds, FileError> {
        if let Some(ids) = self.ids.get(&file.id).await {
            return Ok(ids);
        }
        let at = if file.table == Table::DeadLetters { "received_at" } else { "event_at" };
        let mut ids = Vec::with_capacity(usize::try_from(file.rows).unwrap_or(0));
        let mut stream = self.files.stream(file, Some(&["event_id", at])).await?;
        let missing = || without_ids(file);
        while let Some(batch) = stream.try_next().await? {
            let id = batch.column_by_name("event_id").and_then(|c| c.as_fixed_size_binary_opt()).ok_or_else(missing)?;
            let at = batch
                .column_by_name(at)
                .and_then(|c| c.as_primitive_opt::<TimestampMillisecondType>())
                .ok_or_else(missing)?;
            for row in 0..batch.num_rows() {
                ids.push((EventId::from_slice(id.value(row)).ok_or_else(missing)?, Millis(at.value(row))));
            }
        }
        ids.sort_unstable();
        let ids = Arc::new(ids);
        self.ids.insert(file.id, ids.clone()).await;
        Ok(ids)
    }
}

fn without_ids(file: &DataFile) -> FileError {
    FileError::Integrity { file: file.id, why: "its rows lack an id".into() }
}
