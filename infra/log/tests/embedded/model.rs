//! Random histories against a model that is a list.
use crate::{
    suite::{read_all, record},
    support::{copy, options, segments},
};
use event_log::{EventLog, LogError, embedded::EmbeddedLog};
use proptest::prelude::*;
use schemas::{
    log::{Offset, Slot},
    record::SealedRecord,
};
use std::{fs, path::PathBuf, sync::Arc};

const SLOTS: u32 = 3;

#[derive(Debug, Clone)]
enum Step {
    Append {
        slot: u32,
        count: usize,
        size: usize,
    },
    /// At this share of the slot.
    Truncate {
        slot: u32,
        share: f64,
    },
    Read {
        slot: u32,
        share: f64,
        max_bytes: usize,
    },
    Reopen,
    /// A kill during an append: of its frame only a share is left, some bits of that turned.
    Kill {
        slot: u32,
        count: usize,
        size: usize,
        share: f64,
        turned: Vec<f64>,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let slot = || 0..SLOTS;
    let size = || 0..400_usize;
    let share = || 0.0..=1.0;
    prop_oneof![
        6 => (slot(), 1..6_usize, size()).prop_map(|(slot, count, size)| Step::Append { slot, count, size }),
        2 => (slot(), share()).prop_map(|(slot, share)| Step::Truncate { slot, share }),
        2 => (slot(), share(), 0..3000_usize).prop_map(|(slot, share, max_bytes)| Step::Read { slot, share, max_bytes }),
        1 => Just(Step::Reopen),
        2 => (slot(), 1..6_usize, size(), share(), proptest::collection::vec(share(), 0..3))
            .prop_map(|(slot, count, size, share, turned)| Step::Kill { slot, count, size, share, turned }),
    ]
}

#[derive(Default)]
struct Model {
    records: Vec<SealedRecord>,
    mark: u64,
}

struct Run {
    directory: tempfile::TempDir,
    generation: u32,
    log: Option<Arc<EmbeddedLog>>,
    segment_bytes: u64,
    cache_bytes: usize,
    slots: Vec<Model>,
    number: u64,
}

fn at(share: f64, len: u64) -> u64 {
    (share * len as f64) as u64
}

impl Run {
    fn path(&self) -> PathBuf {
        self.directory.path().join(self.generation.to_string())
    }

    fn open(&mut self) {
        self.log = None;
        let mut options = options(&self.path(), SLOTS, 1);
        options.segment_bytes = self.segment_bytes;
        options.cache_bytes = self.cache_bytes;
        self.log = Some(EmbeddedLog::open(options).unwrap());
    }

    fn log(&self) -> &EmbeddedLog {
        self.log.as_ref().unwrap()
    }

    fn some(&mut self, count: usize, size: usize) -> Vec<SealedRecord> {
        self.number += count as u64;
        (self.number - count as u64..self.number).map(|number| record(number, size)).collect()
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::Append { slot, count, size } => {
                let some = self.some(count, size);
                let first = self.log().append(Slot(slot), some.clone()).await.unwrap().first;
                let model = &mut self.slots[slot as usize];
                assert_eq!(first.0, model.records.len() as u64);
                model.records.extend(some);
            }
            Step::Truncate { slot, share } => {
                let below = at(share, self.slots[slot as usize].records.len() as u64);
                self.log().truncate(Slot(slot), Offset(below)).await.unwrap();
                let model = &mut self.slots[slot as usize];
                model.mark = model.mark.max(below);
            }
            Step::Read { slot, share, max_bytes } => {
                let model = &self.slots[slot as usize];
                let from = at(share, model.records.len() as u64);
                match self.log().read(Slot(slot), Offset(from), max_bytes).await {
                    Ok(batch) => {
                        assert!(from >= model.mark);
                        let got: Vec<_> = batch.records.into_iter().map(|(_, record)| record).collect();
                        let to = from as usize + got.len();
                        assert_eq!(got, model.records[from as usize..to]);
                        assert_eq!(batch.next, Offset(to as u64));
                        assert!(to > from as usize || to == model.records.len());
                    }
                    Err(LogError::Gone { start, .. }) => assert!(from < model.mark && start.0 == model.mark),
                    Err(other) => panic!("{other}"),
                }
            }
            Step::Reopen => self.open(),
            Step::Kill { slot, count, size, share, turned } => self.kill(slot, count, size, share, turned).await,
        }
    }

    async fn kill(&mut self, slot: u32, count: usize, size: usize, share: f64, turned: Vec<f64>) {
        let newest = |run: &Self| segments(&run.path()).pop().unwrap();
        let before = (newest(self), fs::metadata(newest(self)).unwrap().len());
        let some = self.some(count, size);
        self.log().append(Slot(slot), some.clone()).await.unwrap();
        let from = self.path();
        self.generation += 1;
        copy(&from, &self.path());
        fs::remove_dir_all(from).unwrap();
        // Where the append began a new segment, its frame comes after the head.
        let file = newest(self);
        let same = before.0.file_name() == file.file_name();
        let acknowledged = if same { before.1 } else { 60 + 16 * u64::from(SLOTS) };
        let mut bytes = fs::read(&file).unwrap();
        let torn = bytes.len() as u64 - acknowledged;
        bytes.truncate((acknowledged + at(share, torn)) as usize);
        let left = bytes.len() as u64 - acknowledged;
        for turn in turned.into_iter().filter(|_| left > 0) {
            bytes[(acknowledged + at(turn, left - 1)) as usize] ^= 4;
        }
        fs::write(&file, bytes).unwrap();
        self.open();
        let model = &mut self.slots[slot as usize];
        let end = self.log.as_ref().unwrap().end(Slot(slot)).await.unwrap().0;
        if end != model.records.len() as u64 {
            model.records.extend(some);
            assert_eq!(end, model.records.len() as u64, "whole or not at all");
        }
    }

    async fn check(&self) {
        for (slot, model) in (0..).zip(&self.slots) {
            let (slot, len) = (Slot(slot), model.records.len() as u64);
            assert_eq!(self.log().end(slot).await.unwrap(), Offset(len));
            assert_eq!(self.log().start(slot).await.unwrap(), Offset(model.mark));
            let left = &model.records[model.mark as usize..];
            assert_eq!(read_all(self.log(), slot, Offset(model.mark), 900).await, left);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, ..ProptestConfig::default() })]
    #[test]
    fn any_history_reads_like_a_list(
        steps in proptest::collection::vec(step(), 1..40),
        segment_bytes in 300..6000_u64,
        cache_bytes in prop_oneof![Just(0_usize), Just(2000), Just(1 << 20)],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut run = Run {
                directory: tempfile::tempdir().unwrap(),
                generation: 0,
                log: None,
                segment_bytes,
                cache_bytes,
                slots: (0..SLOTS).map(|_| Model::default()).collect(),
                number: 0,
            };
            run.open();
            for step in steps {
                run.step(step).await;
            }
            run.check().await;
            run.open();
            run.check().await;
        });
    }
}
