//! A broker that hangs or goes away: nothing is acknowledged meanwhile, nothing acknowledged is lost, and it goes on by itself.
use crate::{
    suite::{records, try_read_all},
    support::Broker,
};
use event_log::{LogError, SharedLog};
use rustix::process::{Signal, kill_process};
use schemas::{
    log::{Offset, Slot},
    record::SealedRecord,
};
use std::time::Duration;

const A: Slot = Slot(0);

/// Appends until it is taken, as platforms do, and counts the refusals.
async fn until_taken(log: &SharedLog, number: u64) -> (Offset, usize) {
    for refusals in 0..200 {
        match log.append(A, records(number..number + 1)).await {
            Ok(appended) => return (appended.first, refusals),
            Err(LogError::Unavailable(_)) => tokio::time::sleep(Duration::from_millis(100)).await,
            Err(other) => panic!("{other}"),
        }
    }
    panic!("nothing is taken any more");
}

/// Reads until it can, as readers do: a broker that was away has no leader for a while.
async fn until_read(log: &SharedLog) -> Vec<SealedRecord> {
    for _ in 0..200 {
        match try_read_all(&**log, A, Offset(0), 100_000).await {
            Ok(all) => return all,
            Err(LogError::Unavailable(_)) => tokio::time::sleep(Duration::from_millis(100)).await,
            Err(other) => panic!("{other}"),
        }
    }
    panic!("nothing can be read any more");
}

/// Each number that was acknowledged at least once, in place; copies only of those that were refused first.
async fn check(log: &SharedLog, acknowledged: &[(u64, Offset, usize)]) {
    let all = until_read(log).await;
    for (number, at, refusals) in acknowledged {
        let wanted = &records(*number..number + 1)[0];
        assert_eq!(&all[at.0 as usize], wanted);
        let copies = all.iter().filter(|record| *record == wanted).count();
        assert!(copies <= 1 + refusals, "{copies} of {number} after {refusals} refusals");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_hangs_refuses_and_one_that_wakes_goes_on() {
    let Some(broker) = Broker::own() else { return };
    let topic = broker.topic(1).await;
    let log = broker.open_impatient(&topic).await;
    let mut acknowledged = Vec::new();
    for number in 0..5 {
        let (at, refusals) = until_taken(&log, number).await;
        acknowledged.push((number, at, refusals));
    }
    kill_process(broker.pid(), Signal::STOP).unwrap();
    let refused = log.append(A, records(5..6)).await;
    let asked = log.start(A).await;
    kill_process(broker.pid(), Signal::CONT).unwrap();
    assert!(matches!(refused, Err(LogError::Unavailable(_))), "{refused:?}");
    assert!(matches!(asked, Err(LogError::Unavailable(_))), "{asked:?}");
    let (at, refusals) = until_taken(&log, 5).await;
    acknowledged.push((5, at, refusals + 1));
    check(&log, &acknowledged).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_started_again_has_what_it_acknowledged() {
    let Some(broker) = Broker::own() else { return };
    let topic = broker.topic(1).await;
    let log = broker.open_impatient(&topic).await;
    let epoch = log.epoch();
    let mut acknowledged = Vec::new();
    for number in 0..200 {
        let (at, refusals) = until_taken(&log, number).await;
        acknowledged.push((number, at, refusals));
    }
    // A reader that waits at the end all the while, as the tail does.
    let end = log.end(A).await.unwrap();
    let waiter = tokio::spawn({
        let log = log.clone();
        async move {
            while let Err(error) = log.wait(A, end).await {
                assert!(matches!(error, LogError::Unavailable(_)), "{error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    });
    kill_process(broker.pid(), Signal::KILL).unwrap();
    assert!(matches!(log.append(A, records(200..201)).await, Err(LogError::Unavailable(_))));
    broker.stop();
    broker.start();
    let (at, refusals) = until_taken(&log, 200).await;
    acknowledged.push((200, at, refusals + 1));
    waiter.await.unwrap();
    check(&log, &acknowledged).await;
    let again = broker.open(&topic).await;
    assert_eq!(again.epoch(), epoch);
    check(&again, &acknowledged).await;
}
