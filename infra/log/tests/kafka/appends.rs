//! Many who append to one slot at once.
use crate::{
    suite::{read_all, record, records},
    support::Broker,
};
use event_log::{SharedLog, kafka::KafkaLog};
use futures::future::join_all;
use schemas::log::{Offset, Slot};
use std::time::Duration;

const A: Slot = Slot(0);

/// Appends go together in groups: each is told its own place, whatever becomes of those who no longer wait for theirs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_gives_up_takes_nothing_from_those_who_go_with_it() {
    let Some(broker) = Broker::given() else { return };
    let log = broker.open(&broker.topic(1).await).await;
    let appends = (0..300u64).map(|n| {
        let log = log.clone();
        async move {
            let append = log.append(A, records(10 * n..10 * n + 1 + n % 3));
            // Every third has no patience at all.
            let patience = if n % 3 == 0 { Duration::ZERO } else { Duration::from_secs(60) };
            (n, tokio::time::timeout(patience, append).await)
        }
    });
    let answers = join_all(appends).await;
    let all = read_all(&*log, A, Offset(0), 1 << 20).await;
    let mut told = 0;
    for (n, answer) in answers {
        let Ok(appended) = answer else { continue };
        let appended = appended.unwrap();
        let (first, next) = (appended.first.0 as usize, appended.next.0 as usize);
        assert!(all[first..next] == records(10 * n..10 * n + 1 + n % 3), "append {n}");
        told += 1;
    }
    assert!(told >= 200, "{told} were told");
}

/// An append of more than may wait to be sent goes bit by bit, and is whole in the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_larger_than_the_room_for_sending_waits_for_room() {
    let Some(broker) = Broker::given() else { return };
    let mut options = broker.options(&broker.topic(1).await);
    // Room for two of the records, which is the least there is.
    options.send_bytes = 0;
    let log: SharedLog = KafkaLog::open(options).await.unwrap();
    let large: Vec<_> = (0..24).map(|n| record(n, 900_000)).collect();
    let appended = log.append(A, large.clone()).await.unwrap();
    assert_eq!((appended.first, appended.next), (Offset(0), Offset(24)));
    assert!(read_all(&*log, A, Offset(0), 1 << 20).await == large);
}
