//! The store as a whole.
use super::bench::{Bench, path, rows};
use futures::{StreamExt, TryStreamExt, stream};
use object_store::{ObjectStoreExt, PutPayload, path::Path};
use test_stores::Fate;
use warehouse::file::{ClaimError, FileError, StoredObject};

/// Enough to be removed in bulk; a small service removes them one by one.
const MANY: usize = 120;

pub async fn everything_is_listed_and_removed_in_bulk(bench: Bench) {
    let file = bench.write(&rows(3, 9)).await;
    let strays: Vec<Path> = (0..MANY).map(|n| Path::from(format!("w/stray/{n:05}.parquet"))).collect();
    let puts = stream::iter(strays).map(|stray| {
        let store = bench.place.store.clone();
        async move { store.put(&stray, PutPayload::from_static(b"x")).await }
    });
    puts.buffer_unordered(16).try_collect::<Vec<_>>().await.unwrap();
    if bench.place.is_bucket() {
        bench.files.claim("ours").await.unwrap();
    }
    let listed: Vec<StoredObject> = bench.files.objects().try_collect().await.unwrap();
    let (known, strays): (Vec<_>, Vec<_>) = listed.into_iter().partition(|object| object.path.is_some());
    assert_eq!((known.len(), strays.len()), (1, MANY), "and not the owner's");
    assert_eq!((known[0].path.map(|p| p.file), known[0].bytes), (Some(file.id), file.bytes));
    bench.files.remove_objects(strays.clone()).await.unwrap();
    bench.files.remove_objects(strays).await.unwrap();
    let left: Vec<StoredObject> = bench.files.objects().try_collect().await.unwrap();
    assert_eq!(left.len(), 1);
    bench.files.verify(&file).await.unwrap();
    // A listing that breaks off says so.
    bench.faulty.script([Fate::Torn]);
    let broken: Result<Vec<StoredObject>, FileError> = bench.files.objects().try_collect().await;
    assert!(matches!(broken, Err(FileError::Unavailable(_))));
}

pub async fn damage_is_found(bench: Bench) {
    let (first, second) = (bench.write(&rows(30, 9)).await, bench.write(&rows(31, 9)).await);
    let whole = bench.object(&first).await;
    let other = bench.object(&second).await;
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    for damaged in [flipped, whole[..whole.len() - 1].to_vec(), other, Vec::new()] {
        bench.overwrite(&path(&first), damaged).await;
        assert!(matches!(bench.files.verify(&first).await, Err(FileError::Integrity { file, .. }) if file == first.id));
        let read = bench.cold().read(&first, None).await;
        assert!(matches!(read, Err(FileError::Integrity { file, .. }) if file == first.id), "{:?}", read.err());
    }
    bench.overwrite(&path(&first), whole).await;
    bench.files.verify(&first).await.unwrap();
    assert_eq!(bench.cold().read(&first, None).await.unwrap().iter().map(|b| b.num_rows()).sum::<usize>(), 30);
    // A store that fails in the middle of an answer is no damage.
    for fate in [Fate::Torn, Fate::Refused, Fate::Lost] {
        bench.faulty.script([fate]);
        assert!(matches!(bench.files.verify(&first).await, Err(FileError::Unavailable(_))), "{fate:?}");
        bench.faulty.script([fate]);
        assert!(matches!(bench.cold().read(&first, None).await, Err(FileError::Unavailable(_))), "{fate:?}");
    }
}

pub async fn a_store_has_one_owner(bench: Bench) {
    if !bench.place.is_bucket() {
        // It belongs to its data directory.
        return bench.files.claim("anybody").await.unwrap();
    }
    bench.faulty.script([Fate::Refused]);
    assert!(matches!(bench.files.claim("one").await, Err(ClaimError::Unavailable(_))));
    // Claimed, and the answer is lost.
    bench.faulty.script([Fate::Well, Fate::Lost]);
    assert!(matches!(bench.files.claim("one").await, Err(ClaimError::Unavailable(_))));
    bench.counting.take();
    bench.files.claim("one").await.unwrap();
    let asked = bench.counting.take();
    assert_eq!((asked.get, asked.put, asked.list), (1, 0, 0));
    match bench.files.claim("two").await {
        Err(ClaimError::Foreign { found, ours }) => assert_eq!((found.as_str(), ours.as_str()), ("one", "two")),
        other => panic!("{other:?}"),
    }
    bench.files.claim("one").await.unwrap();
}
