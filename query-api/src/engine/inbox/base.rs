//! The part of an inbox that stands still: columns sorted by newest activity, and the states as bytes.
use super::{
    codec,
    hot::{Fields, Hot, Names},
};
use crate::engine::types::InboxPlace;
use arrow::buffer::Buffer;
use schemas::{
    columns::ColumnError, conversation::ConversationState, ids::ConversationId, log::Offset, partition::PartitionDay,
    time::Millis,
};
use std::cmp::Reverse;

/// Where a state's bytes lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Loc {
    pub chunk: u32,
    pub at: u32,
    pub end: u32,
}

/// Which of two rows of a conversation holds, the greater one: the newer derivation; of the same one the later writing, as
/// `expire` writes states anew without what expired.
pub(crate) type Rank = (Offset, u32);

/// A row with its rank among those of its conversation.
#[derive(Debug)]
pub(crate) struct Ranked {
    pub hot: Hot,
    pub loc: Loc,
    pub rank: Rank,
}

/// Rows that were made beside others, with names and chunks of their own.
#[derive(Default, Debug)]
pub(crate) struct Part {
    pub names: Names,
    pub rows: Vec<Ranked>,
    pub chunks: Vec<Buffer>,
}

impl Part {
    /// Of states, each conversation once.
    pub fn of<'a>(states: impl ExactSizeIterator<Item = &'a ConversationState> + Clone) -> Result<Self, ColumnError> {
        let mut names = Names::default();
        let (chunk, locs) = codec::write(states.clone())?;
        let row = |(state, loc): (&ConversationState, Loc)| Ranked {
            hot: Hot::of(state, &mut names),
            loc,
            rank: (state.version, 0),
        };
        let rows = states.zip(locs).map(row).collect();
        Ok(Self { names, rows, chunks: vec![chunk] })
    }

    /// Appends its rows to those of other parts, numbered as those are.
    pub fn append_to(self, names: &mut Names, rows: &mut Vec<Ranked>, chunks: &mut Vec<Buffer>) {
        let numbers = names.absorb(&self.names);
        let first = index(chunks.len());
        chunks.extend(self.chunks);
        rows.extend(self.rows.into_iter().map(|mut row| {
            numbers.renumber(&mut row.hot);
            row.loc.chunk += first;
            row
        }));
    }
}

/// Chunks of bytes that states are copied into are about this long.
const CHUNK_BYTES: usize = 64 << 20;
/// Dead bytes that are left alone.
const SLACK_BYTES: usize = 256 << 10;

/// See the module's documentation. Row 0 has the newest activity.
#[derive(Default, Debug)]
pub(crate) struct Base {
    pub ids: Vec<ConversationId>,
    pub at: Vec<Millis>,
    pub status: Vec<u8>,
    pub snoozed_until: Vec<Millis>,
    pub unread: Vec<Millis>,
    pub platform: Vec<u8>,
    pub connection: Vec<u32>,
    pub assignee: Vec<u32>,
    pub newest_day: Vec<PartitionDay>,
    locs: Vec<Loc>,
    by_id: Vec<u32>,
    chunks: Vec<Buffer>,
}

fn index(row: usize) -> u32 {
    u32::try_from(row).unwrap_or(u32::MAX)
}

impl Base {
    /// Rows sorted by place, newest first.
    fn of_sorted(rows: impl ExactSizeIterator<Item = (Hot, Loc)>, chunks: Vec<Buffer>) -> Self {
        let mut base = Self::with_rows(rows, chunks);
        base.by_id = (0..index(base.len())).collect();
        let ids = &base.ids;
        base.by_id.sort_unstable_by_key(|row| ids[*row as usize]);
        base
    }

    fn with_rows(rows: impl ExactSizeIterator<Item = (Hot, Loc)>, chunks: Vec<Buffer>) -> Self {
        let n = rows.len();
        let mut base = Self {
            ids: Vec::with_capacity(n),
            at: Vec::with_capacity(n),
            status: Vec::with_capacity(n),
            snoozed_until: Vec::with_capacity(n),
            unread: Vec::with_capacity(n),
            platform: Vec::with_capacity(n),
            connection: Vec::with_capacity(n),
            assignee: Vec::with_capacity(n),
            newest_day: Vec::with_capacity(n),
            locs: Vec::with_capacity(n),
            by_id: Vec::new(),
            chunks,
        };
        for (hot, loc) in rows {
            base.ids.push(hot.place.conversation);
            base.at.push(hot.place.at);
            base.status.push(hot.status);
            base.snoozed_until.push(hot.snoozed_until);
            base.unread.push(hot.unread);
            base.platform.push(hot.platform);
            base.connection.push(hot.connection);
            base.assignee.push(hot.assignee);
            base.newest_day.push(hot.newest_day);
            base.locs.push(loc);
        }
        base
    }

    /// Of the rows of several parts, of each conversation the one of the greatest rank.
    pub fn of_parts(parts: Vec<Part>, names: &mut Names) -> Self {
        let (mut rows, mut chunks) = (Vec::new(), Vec::new());
        for part in parts {
            part.append_to(names, &mut rows, &mut chunks);
        }
        let id = |row: &Ranked| row.hot.place.conversation;
        // Numbers of 16 bytes sort faster than rows and than slices.
        let mut by_id: Vec<(u128, u32)> =
            rows.iter().enumerate().map(|(at, row)| (u128::from_be_bytes(id(row).0), index(at))).collect();
        let rank = |at: u32| rows[at as usize].rank;
        by_id.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| rank(b.1).cmp(&rank(a.1))));
        by_id.dedup_by_key(|(id, _)| *id);
        let place = |(id, at): &(u128, u32)| (Reverse(rows[*at as usize].hot.place.at), Reverse(*id), *at);
        let mut order: Vec<(Reverse<Millis>, Reverse<u128>, u32)> = by_id.iter().map(place).collect();
        order.sort_unstable();
        let sorted = order.iter().map(|(_, _, at)| &rows[*at as usize]).map(|row| (row.hot, row.loc));
        let mut base = Self::with_rows(sorted, chunks);
        let mut place_of = vec![0; rows.len()];
        for (place, (_, _, at)) in order.iter().enumerate() {
            place_of[*at as usize] = index(place);
        }
        base.by_id = by_id.iter().map(|(_, at)| place_of[*at as usize]).collect();
        base
    }

    /// The rows of `self` that have not moved, and the given states, as a new base. The bytes of rows that stay are
    /// shared, until more than half of them are dead.
    pub fn merge<'a>(
        &self,
        moved: impl Fn(usize) -> bool,
        states: impl ExactSizeIterator<Item = (Hot, &'a ConversationState)>,
    ) -> Result<Self, ColumnError> {
        let states: Vec<(Hot, &ConversationState)> = states.collect();
        let (written, locs) = codec::write(states.iter().map(|(_, state)| *state))?;
        let rows = states.iter().zip(locs).map(|((hot, _), loc)| (*hot, loc)).collect();
        Ok(self.join(moved, rows, vec![written]))
    }

    /// The rows of `self` that have not moved, and the given ones with the chunks that their bytes lie in.
    pub fn join(&self, moved: impl Fn(usize) -> bool, new: Vec<(Hot, Loc)>, written: Vec<Buffer>) -> Self {
        let mut rows: Vec<(Hot, Loc)> = Vec::with_capacity(self.ids.len() + new.len());
        let mut live = 0;
        for row in (0..self.ids.len()).filter(|row| !moved(*row)) {
            live += (self.locs[row].end - self.locs[row].at) as usize;
            rows.push((self.hot(row), self.locs[row]));
        }
        let held: usize = self.chunks.iter().map(Buffer::len).sum();
        let mut chunks = self.chunks.clone();
        if held > 2 * live + SLACK_BYTES {
            chunks = self.compact(&mut rows);
        }
        let first = index(chunks.len());
        chunks.extend(written);
        rows.extend(new.into_iter().map(|(hot, loc)| (hot, Loc { chunk: first + loc.chunk, ..loc })));
        // Two runs, of which the first is sorted: the stable sort finds them.
        rows.sort_by_key(|(hot, _)| Reverse(hot.place));
        Self::of_sorted(rows.into_iter(), chunks)
    }

    fn compact(&self, rows: &mut [(Hot, Loc)]) -> Vec<Buffer> {
        let (mut chunks, mut current) = (Vec::new(), Vec::new());
        for (_, loc) in rows.iter_mut() {
            let bytes = self.bytes_at(*loc);
            if current.len() + bytes.len() > CHUNK_BYTES {
                chunks.push(Buffer::from_vec(std::mem::take(&mut current)));
            }
            let at = index(current.len());
            current.extend_from_slice(bytes);
            *loc = Loc { chunk: index(chunks.len()), at, end: index(current.len()) };
        }
        if !current.is_empty() {
            chunks.push(Buffer::from_vec(current));
        }
        chunks
    }

    /// The row of a conversation.
    pub fn find(&self, id: ConversationId) -> Option<usize> {
        let at = self.by_id.binary_search_by_key(&id, |row| self.ids[*row as usize]).ok()?;
        Some(self.by_id[at] as usize)
    }

    /// Where a row stands in the list.
    pub fn place(&self, row: usize) -> InboxPlace {
        InboxPlace { at: self.at[row], conversation: self.ids[row] }
    }

    /// The first row that comes after a place, or at it.
    pub fn first_from(&self, place: InboxPlace) -> usize {
        let (mut low, mut high) = (0, self.ids.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.place(middle) > place { low = middle + 1 } else { high = middle }
        }
        low
    }

    /// The fields that filters look at.
    #[inline]
    pub fn hot(&self, row: usize) -> Hot {
        Hot {
            place: self.place(row),
            status: self.status[row],
            snoozed_until: self.snoozed_until[row],
            unread: self.unread[row],
            platform: self.platform[row],
            connection: self.connection[row],
            assignee: self.assignee[row],
            newest_day: self.newest_day[row],
        }
    }

    /// A row's state, in bytes.
    pub fn bytes(&self, row: usize) -> &[u8] {
        self.bytes_at(self.locs[row])
    }

    fn bytes_at(&self, loc: Loc) -> &[u8] {
        self.chunks.get(loc.chunk as usize).map_or(&[], |c| &c.as_slice()[loc.at as usize..loc.end as usize])
    }

    /// Rows.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Bytes of memory.
    pub fn memory(&self) -> usize {
        let row = 16 + 8 + 1 + 8 + 8 + 1 + 4 + 4 + 4 + size_of::<Loc>() + 4;
        self.len() * row + self.chunks.iter().map(Buffer::capacity).sum::<usize>()
    }
}

/// One row of a base.
pub(crate) struct BaseRow<'a>(pub &'a Base, pub usize);

impl Fields for BaseRow<'_> {
    #[inline]
    fn id(&self) -> ConversationId {
        self.0.ids[self.1]
    }
    #[inline]
    fn at(&self) -> Millis {
        self.0.at[self.1]
    }
    #[inline]
    fn status(&self) -> u8 {
        self.0.status[self.1]
    }
    #[inline]
    fn snoozed_until(&self) -> Millis {
        self.0.snoozed_until[self.1]
    }
    #[inline]
    fn unread(&self) -> Millis {
        self.0.unread[self.1]
    }
    #[inline]
    fn platform(&self) -> u8 {
        self.0.platform[self.1]
    }
    #[inline]
    fn connection(&self) -> u32 {
        self.0.connection[self.1]
    }
    #[inline]
    fn assignee(&self) -> u32 {
        self.0.assignee[self.1]
    }
    #[inline]
    fn newest_day(&self) -> PartitionDay {
        self.0.newest_day[self.1]
    }
}
