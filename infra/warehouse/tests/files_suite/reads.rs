//! How often a store is asked.
use super::bench::{Bench, WORKSPACE, rows};
use futures::TryStreamExt;
use schemas::{columns::read_events, ids::ConversationId};
use test_stores::{Fate, Requests};
use warehouse::file::{FileError, Files, ScanFilter};

async fn of_conversation(files: &Files, file: &warehouse::catalog::DataFile, n: u8) -> Result<usize, FileError> {
    let filter = ScanFilter { conversations: vec![ConversationId([n; 16])], ..ScanFilter::default() };
    let files = files.scan(WORKSPACE, std::slice::from_ref(file), &filter, None).await?;
    let batches: Vec<_> = files.try_collect().await?;
    Ok(batches.iter().map(|batch| read_events(batch).unwrap().len()).sum())
}

pub async fn a_question_lists_nothing_and_asks_little(bench: Bench) {
    let small = bench.write(&rows(800, 40)).await;
    let cold = bench.cold();
    bench.counting.take();
    // Both ends of a small file come together; its columns lie near each other.
    assert_eq!(of_conversation(&cold, &small, 3).await.unwrap(), 100);
    let first = bench.counting.take();
    assert!(first.get <= 3, "{first:?}");
    assert_eq!(first, Requests { get: first.get, ..Requests::default() }, "reads only");
    assert_eq!(of_conversation(&cold, &small, 5).await.unwrap(), 100);
    let second = bench.counting.take();
    assert!(second.get < first.get, "the footer is at hand: {second:?}");
    assert_eq!(second, Requests { get: second.get, ..Requests::default() });
    assert_eq!(cold.read(&small, None).await.unwrap().iter().map(|b| b.num_rows()).sum::<usize>(), 800);
    let whole = bench.counting.take();
    assert!(whole.get <= 1, "all columns in one request: {whole:?}");

    // A larger file: one conversation of it takes some ranges, and not the file.
    let large = bench.write(&rows(40_000, 60)).await;
    let cold = bench.cold();
    bench.counting.take();
    assert_eq!(of_conversation(&cold, &large, 2).await.unwrap(), 5000);
    let asked = bench.counting.take();
    assert!(asked.get <= 8, "{asked:?}");
    assert_eq!(asked, Requests { get: asked.get, ..Requests::default() });
    // A store that fails under a question is told as such.
    for fate in [Fate::Refused, Fate::Torn, Fate::Lost] {
        bench.faulty.script([fate]);
        let failed = of_conversation(&cold, &large, 2).await;
        bench.faulty.script([fate]);
        let again = of_conversation(&bench.cold(), &large, 2).await;
        for answer in [failed, again] {
            assert!(matches!(answer, Err(FileError::Unavailable(_))), "{fate:?}: {answer:?}");
        }
    }
}
