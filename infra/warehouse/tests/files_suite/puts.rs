//! How files come to lie in a store.
use super::bench::{Bench, batch, path, rows, target};
use arrow::record_batch::RecordBatch;
use futures::TryStreamExt;
use object_store::ObjectStore;
use schemas::columns::{EventRow, read_events};
use test_stores::Fate;
use warehouse::{catalog::DataFile, file::FileError};

async fn all(bench: &Bench, file: &DataFile) -> Vec<EventRow> {
    let batches: Vec<RecordBatch> = bench.files.read(file, None).await.unwrap();
    batches.iter().flat_map(|batch| read_events(batch).unwrap()).collect()
}

async fn objects(bench: &Bench) -> usize {
    bench.place.store.list(None).try_collect::<Vec<_>>().await.unwrap().len()
}

pub async fn written_files_read_back(bench: Bench) {
    let rows = rows(100, 40);
    let file = bench.write(&rows).await;
    bench.files.make_durable(std::slice::from_ref(&file)).await.unwrap();
    assert_eq!(all(&bench, &file).await, rows);
    assert_eq!(bench.object(&file).await.len() as u64, file.bytes);
    bench.files.verify(&file).await.unwrap();
    assert!(bench.files.exists(&file).await.unwrap());
}

pub async fn nothing_is_written_over(bench: Bench) {
    let first = bench.seeded(5).write(target(), vec![batch(&rows(10, 20))]).await.unwrap();
    let before = bench.object(&first).await;
    // The same random numbers once more: the same place, and other rows.
    let error = bench.seeded(5).write(target(), vec![batch(&rows(11, 20))]).await.unwrap_err();
    assert!(matches!(error, FileError::Unavailable(_)), "{error}");
    assert_eq!(bench.object(&first).await, before);
    assert_eq!(objects(&bench).await, 1);
}

pub async fn a_lost_answer_is_no_loss(bench: Bench) {
    let rows = rows(10, 20);
    // The put happened; the answer, and the first question about what lies there, are lost.
    for fates in [vec![Fate::Lost], vec![Fate::Lost, Fate::Refused], vec![Fate::Refused, Fate::Well, Fate::Lost]] {
        bench.faulty.script(fates);
        let file = bench.write(&rows).await;
        bench.files.verify(&file).await.unwrap();
        assert_eq!(all(&bench, &file).await, rows);
    }
    assert_eq!(objects(&bench).await, 3, "one object for each file");
    assert_eq!(bench.faulty.met(), 5);
}

pub async fn what_is_torn_is_no_file(bench: Bench) {
    bench.faulty.script([Fate::Torn]);
    let error = bench.try_write(&rows(10, 20)).await.unwrap_err();
    assert!(matches!(error, FileError::Unavailable(_)), "{error}");
    // The next try takes another place.
    let file = bench.write(&rows(10, 20)).await;
    assert_eq!(all(&bench, &file).await.len(), 10);
    assert_eq!(objects(&bench).await, 2);
    // A store that does not answer at all is told as such.
    bench.faulty.fail(1000);
    let error = bench.try_write(&rows(10, 20)).await.unwrap_err();
    assert!(matches!(error, FileError::Unavailable(_)), "{error}");
}

pub async fn large_files_go_in_parts(bench: Bench) {
    let rows = rows(12_000, 800);
    bench.counting.take();
    let file = bench.write(&rows).await;
    assert!(file.bytes > 6 << 20, "{} bytes", file.bytes);
    let asked = bench.counting.take();
    let parts = if bench.place.is_bucket() { (0, 1) } else { (1, 0) };
    assert_eq!((asked.put, asked.multipart), parts, "{asked:?}");
    bench.files.verify(&file).await.unwrap();
    assert_eq!(all(&bench, &file).await, rows);
    if !bench.place.is_bucket() {
        return;
    }
    // Asked whether it is there, begun, two parts, put together: each lost or refused once. Nothing is left behind.
    let well = |n: usize| std::iter::repeat_n(Fate::Well, n);
    for (before, fate) in [(4, Fate::Lost), (4, Fate::Refused), (3, Fate::Lost), (2, Fate::Refused), (1, Fate::Lost)] {
        let count = objects(&bench).await;
        bench.faulty.script(well(before).chain([fate]));
        let file = bench.write(&rows).await;
        bench.files.verify(&file).await.unwrap();
        assert_eq!(objects(&bench).await, count + 1, "{before} {fate:?}");
    }
}

pub async fn removing_what_is_gone_is_fine(bench: Bench) {
    let (first, second) = (bench.write(&rows(3, 9)).await, bench.write(&rows(4, 9)).await);
    bench.files.remove(std::slice::from_ref(&first)).await.unwrap();
    // Removed, and nobody was told.
    bench.faulty.script([Fate::Well, Fate::Lost]);
    let both = [first.clone(), second.clone()];
    bench.files.remove(&both).await.unwrap_err();
    bench.files.remove(&both).await.unwrap();
    bench.files.remove(&both).await.unwrap();
    assert_eq!(objects(&bench).await, 0);
    for file in both {
        assert!(!bench.files.exists(&file).await.unwrap());
        assert!(matches!(bench.files.verify(&file).await, Err(FileError::Gone(id)) if id == file.id));
        assert!(matches!(bench.cold().read(&file, None).await, Err(FileError::Gone(id)) if id == file.id));
        assert!(!path(&file).as_ref().is_empty());
    }
}
