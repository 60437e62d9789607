//! Which files are merged: a pure decision over the catalog's rows.
use super::conversations::files_for;
use crate::JobSettings;
use schemas::{
    partition::{PartitionDay, RetentionClass, Table, day_is_expired},
    time::Millis,
};
use std::collections::BTreeMap;
use warehouse::catalog::{Crowd, DataFile};

/// Most rows of one merged file: bounds the memory of a merge. A day with more settles to as few files as that allows.
pub(super) const MERGED_ROWS: u64 = 1_000_000;
/// Most bytes of one merged file, as rows of dead letters can be large.
const MERGED_BYTES: u64 = 256 << 20;

/// What is to be done in one workspace.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// Files of table `events` or `dead_letters` that become one.
    pub merge: Vec<Vec<DataFile>>,
    /// Amendments are due.
    pub fold: bool,
    /// Days whose files of states become as few as they can.
    pub conversations: Vec<PartitionDay>,
}

impl Plan {
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.merge.is_empty() && !self.fold && self.conversations.is_empty()
    }
}

/// True when [`plan`] may find work in files like these.
pub(super) fn may_be_due(crowd: &Crowd, now: Millis, settings: &JobSettings, all: bool) -> bool {
    let files = usize::try_from(crowd.files).unwrap_or(usize::MAX);
    crowd.amending > 0 || is_due(crowd.table, crowd.day, files, now, settings, all)
}

/// Decides whether so many files of one table, day and class are merged now.
fn is_due(table: Table, day: PartitionDay, files: usize, now: Millis, settings: &JobSettings, all: bool) -> bool {
    let settled = all || day.end() + settings.settle_after <= now;
    let many = if table == Table::Conversations { settings.merge_states_at } else { settings.merge_at };
    files >= many.max(2) || (settled && files > 1)
}

/// Decides. Expired days are left to `expire`.
pub(super) fn plan(files: &[DataFile], now: Millis, days: u16, settings: &JobSettings, all: bool) -> Plan {
    let mut plan = Plan::default();
    let mut groups: BTreeMap<(Table, PartitionDay, RetentionClass), Vec<&DataFile>> = BTreeMap::new();
    for file in files.iter().filter(|f| !day_is_expired(f.day, now, f.class, days)) {
        groups.entry((file.table, file.day, file.class)).or_default().push(file);
        // A merge makes a new file of old rows; they are at least as old as their day.
        if file.amendments > 0 && (all || file.created_at.min(file.day.end()) + settings.fold_after <= now) {
            plan.fold = true;
        }
    }
    for ((table, day, _), group) in groups {
        // As few as so many states settle to count as one.
        let settles_to = if table == Table::Conversations { files_for(group.iter().map(|f| f.rows).sum()) } else { 1 };
        if !is_due(table, day, (group.len() + 1).saturating_sub(settles_to), now, settings, all) {
            continue;
        }
        if table == Table::Conversations {
            plan.conversations.push(day);
        } else {
            plan.merge.extend(bundles(group));
        }
    }
    plan
}

/// Splits a group so that no bundle has more than [`MERGED_ROWS`]; files that are large enough already are left alone.
fn bundles(group: Vec<&DataFile>) -> Vec<Vec<DataFile>> {
    let mut bundles: Vec<Vec<DataFile>> = Vec::new();
    let (mut bundle, mut rows, mut bytes) = (Vec::new(), 0, 0);
    for file in group {
        if (rows + file.rows > MERGED_ROWS || bytes + file.bytes > MERGED_BYTES) && !bundle.is_empty() {
            bundles.push(std::mem::take(&mut bundle));
            (rows, bytes) = (0, 0);
        }
        rows += file.rows;
        bytes += file.bytes;
        bundle.push(file.clone());
    }
    bundles.push(bundle);
    bundles.retain(|b| b.len() > 1);
    bundles
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemas::{
        ids::{DataFileId, WorkspaceId},
        log::{Offset, Slot},
    };

    fn file(n: u8, day: i32, rows: u64, amendments: u64) -> DataFile {
        DataFile {
            id: DataFileId([n; 16]),
            workspace: WorkspaceId([1; 16]),
            slot: Slot(0),
            table: Table::Events,
            day: PartitionDay(day),
            class: RetentionClass::STANDARD,
            rows,
            bytes: rows * 100,
            sha256: [0; 32],
            min_at: PartitionDay(day).start(),
            max_at: PartitionDay(day).end(),
            min_offset: Offset(0),
            max_offset: Offset(rows),
            amendments,
            created_at: PartitionDay(day).end(),
        }
    }

    #[test]
    fn a_settled_day_becomes_one_file_and_a_running_day_waits_for_many() {
        let settings = JobSettings { merge_at: 3, ..JobSettings::default() };
        let now = PartitionDay(101).start() + settings.settle_after;
        let files = [file(1, 100, 10, 0), file(2, 100, 10, 0), file(3, 101, 10, 0), file(4, 101, 10, 0)];
        let planned = plan(&files, now, 356, &settings, false);
        assert_eq!(planned.merge, vec![vec![files[0].clone(), files[1].clone()]]);
        let before = Millis(now.0 - 1);
        assert!(plan(&files, before, 356, &settings, false).is_empty());
        let many = [files.as_slice(), &[file(5, 101, 10, 0)]].concat();
        assert_eq!(plan(&many, before, 356, &settings, false).merge, vec![many[2..].to_vec()]);
    }

    #[test]
    fn states_are_merged_when_there_are_few_files_of_them() {
        let settings = JobSettings { merge_at: 9, merge_states_at: 3, ..JobSettings::default() };
        let now = PartitionDay(101).start();
        let of = |table, count: u8| (0..count).map(|n| DataFile { table, ..file(n, 101, 10, 0) }).collect::<Vec<_>>();
        let due = |files: &[DataFile]| !plan(files, now, 356, &settings, false).is_empty();
        assert!(due(&of(Table::Conversations, 3)));
        assert!(!due(&of(Table::Conversations, 2)));
        assert!(!due(&of(Table::Events, 8)));
        // So many states need more than one file: what they settle to is no crowd.
        let large =
            |count: u8| (0..count).map(|n| DataFile { table: Table::Conversations, ..file(n, 101, 250_000, 0) });
        assert!(!due(&large(9).collect::<Vec<_>>()));
        let more: Vec<_> = large(9).chain(of(Table::Conversations, 1)).collect();
        assert!(!due(&more), "one more file needs one more");
        let many: Vec<_> = large(9).chain(of(Table::Conversations, 4)).collect();
        assert!(due(&many));
    }

    #[test]
    fn merges_stay_under_the_row_limit_and_amendments_become_due() {
        let settings = JobSettings::default();
        let now = PartitionDay(110).start();
        let files = [file(1, 100, MERGED_ROWS, 0), file(2, 100, 10, 0), file(3, 100, 10, 1)];
        let planned = plan(&files, now, 356, &settings, false);
        assert_eq!(planned.merge, vec![vec![files[1].clone(), files[2].clone()]]);
        assert!(planned.fold);
        assert!(plan(&files, now, 5, &settings, false).is_empty(), "expired days are not compacted");
    }
}
