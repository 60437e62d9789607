//! Several readers and several processes on one topic.
use crate::{
    suite::{read_all, record, records},
    support::Broker,
};
use event_log::{Appended, LogError};
use rdkafka::{TopicPartitionList, admin::AdminOptions};
use schemas::log::{Offset, Slot};

const A: Slot = Slot(0);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_process_appends_another_waits_for_and_reads() {
    let Some(broker) = Broker::given() else { return };
    let topic = broker.topic(2).await;
    let (one, other) = (broker.open(&topic).await, broker.open(&topic).await);
    assert_eq!((one.epoch(), one.slots()), (other.epoch(), 2));
    for round in 0..30 {
        let waiter = tokio::spawn({
            let other = other.clone();
            async move { other.wait(A, Offset(round)).await }
        });
        let appended = one.append(A, records(round..round + 1)).await.unwrap();
        assert_eq!(appended, Appended { first: Offset(round), next: Offset(round + 1) });
        waiter.await.unwrap().unwrap();
        let batch = other.read(A, Offset(round), 1000).await.unwrap();
        assert_eq!(batch.records, [(Offset(round), record(round, (round % 97) as usize))]);
    }
    // A place far ahead, which no fetch can stand at.
    let waiter = tokio::spawn({
        let other = other.clone();
        async move { other.wait(A, Offset(49)).await }
    });
    one.append(A, records(30..50)).await.unwrap();
    waiter.await.unwrap().unwrap();
    assert_eq!(read_all(&*other, A, Offset(0), 500).await, records(0..50));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_at_different_places_do_not_disturb_each_other() {
    let Some(broker) = Broker::given() else { return };
    let topic = broker.topic(1).await;
    let log = broker.open(&topic).await;
    let all: Vec<_> = (0..3000).map(|n| record(n, 2000)).collect();
    for some in all.chunks(500) {
        log.append(A, some.to_vec()).await.unwrap();
    }
    // Far more than may be fetched ahead, so that the readers have to stop and go on.
    let mut options = broker.options(&topic);
    options.fetch_bytes = 1 << 20;
    let log: event_log::SharedLog = event_log::kafka::KafkaLog::open(options).await.unwrap();
    let readers: Vec<_> = [0, 1, 700, 1500, 2999]
        .map(|from| {
            let log = log.clone();
            tokio::spawn(async move { (from, read_all(&*log, A, Offset(from), 100_000).await) })
        })
        .into();
    for reader in readers {
        let (from, read) = reader.await.unwrap();
        assert!(read == all[from as usize..], "from {from}");
    }
    for at in [2999, 0, 1234, 1233, 17] {
        assert_eq!(log.read(A, Offset(at), 1).await.unwrap().records, [(Offset(at), all[at as usize].clone())]);
    }
}

/// Further behind than who follows may be, then at the end, where every record is waited for, and far behind again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_catches_up_and_then_follows_misses_nothing() {
    let Some(broker) = Broker::given() else { return };
    let topic = broker.topic(1).await;
    let (writer, reader) = (broker.open(&topic).await, broker.open(&topic).await);
    let mut next = 0;
    for (many, few) in [(25_000, 20), (30_000, 3)] {
        let before = next;
        writer.append(A, records(next..next + many)).await.unwrap();
        next += many;
        assert!(read_all(&*reader, A, Offset(before), 1 << 20).await == records(before..next));
        for _ in 0..few {
            let waiter = tokio::spawn({
                let reader = reader.clone();
                async move { reader.wait(A, Offset(next)).await }
            });
            writer.append(A, records(next..next + 1)).await.unwrap();
            waiter.await.unwrap().unwrap();
            assert_eq!(read_all(&*reader, A, Offset(next), 1000).await, records(next..next + 1));
            next += 1;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_kafka_let_go_of_is_gone_and_said_to_be() {
    let Some(broker) = Broker::given() else { return };
    let topic = broker.topic(1).await;
    let log = broker.open(&topic).await;
    log.append(A, records(0..20)).await.unwrap();
    assert_eq!(read_all(&*log, A, Offset(0), 100).await, records(0..20));
    log.truncate(A, Offset(20)).await.unwrap();
    assert_eq!(log.start(A).await.unwrap(), Offset(0), "others may still read it");
    let mut below = TopicPartitionList::new();
    below.add_partition_offset(&topic, 0, rdkafka::Offset::Offset(15)).unwrap();
    broker.admin().delete_records(&below, &AdminOptions::new()).await.unwrap();
    assert_eq!((log.start(A).await.unwrap(), log.end(A).await.unwrap()), (Offset(15), Offset(20)));
    // From a new process, as what was fetched before stays readable in this one.
    let log = broker.open(&topic).await;
    match log.read(A, Offset(3), 100).await {
        Err(LogError::Gone { slot: A, asked: Offset(3), start: Offset(15) }) => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(read_all(&*log, A, Offset(15), 100).await, records(15..20));
    assert_eq!(log.append(A, records(20..21)).await.unwrap().first, Offset(20));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_brokers_clock_tells_how_old_a_record_is() {
    let Some(broker) = Broker::given() else { return };
    let topic = broker.topic(1).await;
    let log = broker.open(&topic).await;
    assert_eq!(log.appended_at(A, Offset(0)).await.unwrap(), None);
    log.append(A, records(0..2)).await.unwrap();
    let first = log.appended_at(A, Offset(0)).await.unwrap().unwrap();
    let second = log.appended_at(A, Offset(1)).await.unwrap().unwrap();
    assert!(first <= second && first.0 > 1_700_000_000_000, "{first:?} {second:?}");
    assert_eq!(log.appended_at(A, Offset(2)).await.unwrap(), None);
    assert_eq!(read_all(&*log, A, Offset(0), 100).await, records(0..2), "asking takes nothing away");
}
