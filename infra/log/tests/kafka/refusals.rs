//! What is not connected to, and not read.
use crate::{suite::records, support::Broker};
use event_log::{
    EventLog, LogError,
    kafka::{KafkaError, KafkaLog, Options, Sasl},
};
use rdkafka::{admin::AdminOptions, producer::FutureRecord};
use schemas::log::{Offset, Slot};

const A: Slot = Slot(0);

async fn refused(options: Options) -> String {
    match KafkaLog::open(options).await.map(drop) {
        Err(KafkaError::Refused(why)) => why,
        other => panic!("{other:?}"),
    }
}

async fn denied(options: Options) -> String {
    match KafkaLog::open(options).await.map(drop) {
        Err(KafkaError::Denied(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_speaks_only_tls_1_2_is_refused() {
    let Some(broker) = Broker::given() else { return };
    let mut options = broker.options("events");
    options.brokers = vec![broker.setting("TLS12").to_owned()];
    let why = denied(options).await;
    assert!(why.contains("SSL handshake failed") || why.contains("handshake"), "{why}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_under_a_name_that_its_certificate_does_not_have_is_refused() {
    let Some(broker) = Broker::given() else { return };
    let mut options = broker.options("events");
    options.brokers = vec![broker.setting("WRONG_NAME").to_owned()];
    let why = denied(options).await;
    assert!(why.contains("certificate"), "{why}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_opens_in_place_of_a_certificate_and_a_wrong_one_does_not() {
    let Some(broker) = Broker::given() else { return };
    let topic = broker.topic(1).await;
    let password = std::fs::read_to_string(broker.setting("SASL_PASSWORD_FILE")).unwrap();
    for mechanism in ["PLAIN", "SCRAM-SHA-512"] {
        let with = |password: &str| {
            let mut options = broker.options(&topic);
            options.brokers = vec![broker.setting("SASL").to_owned()];
            options.credentials = None;
            let (user, password) = ("chatmai".to_owned(), password.trim().to_owned());
            options.sasl = Some(Sasl { mechanism: mechanism.to_owned(), user, password });
            options
        };
        let log = KafkaLog::open(with(&password)).await.unwrap();
        let appended = log.append(A, records(0..3)).await.unwrap();
        let batch = log.read(A, appended.first, 1 << 20).await.unwrap();
        assert_eq!(batch.records.len(), 3, "{mechanism}");
        log.close().await;
        let why = denied(with("not it")).await;
        assert!(why.to_lowercase().contains("auth"), "{mechanism}: {why}");
        assert!(!why.contains("not it"), "{mechanism}: {why}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_of_another_authority_is_refused() {
    let Some(broker) = Broker::given() else { return };
    let mut options = broker.options("events");
    // A certificate that signed nobody's.
    options.ca_certificate = broker.setting("CERTIFICATE").into();
    let why = denied(options).await;
    assert!(why.contains("certificate"), "{why}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nobody_listens_nobody_answers() {
    let Some(broker) = Broker::given() else { return };
    let mut options = broker.options("events");
    options.brokers = vec!["127.0.0.1:1".into()];
    let opened = KafkaLog::open(options).await.map(drop);
    assert!(matches!(opened, Err(KafkaError::Unavailable(_))), "{opened:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_that_are_missing_or_set_up_wrongly_are_refused() {
    let Some(broker) = Broker::given() else { return };
    let why = refused(broker.options("not-made")).await;
    assert!(why.contains("there is no topic not-made"), "{why}");
    for (name, value) in
        [("cleanup.policy", "compact"), ("message.timestamp.type", "CreateTime"), ("retention.ms", "-1")]
    {
        let topic = format!("test-{}", crate::support::random());
        broker.topic_with(&topic, 1, &[(name, value)]).await;
        let why = refused(broker.options(&topic)).await;
        assert!(why.contains(name), "{why}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_made_again_under_its_name_is_another_log() {
    let Some(broker) = Broker::given() else { return };
    let topic = broker.topic(1).await;
    let first = broker.open(&topic).await.epoch();
    assert_eq!(broker.open(&topic).await.epoch(), first);
    broker.admin().delete_topics(&[&topic], &AdminOptions::new()).await.unwrap();
    let made = async {
        // The old one goes at its own pace.
        loop {
            if let Err(KafkaError::Refused(why)) = KafkaLog::open(broker.options(&topic)).await
                && why.contains("there is no topic")
            {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), made).await.unwrap();
    broker.topic_with(&topic, 1, &[]).await;
    assert_ne!(broker.open(&topic).await.epoch(), first);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_record_stops_the_reader() {
    let Some(broker) = Broker::given() else { return };
    let topic = broker.topic(1).await;
    let log = broker.open(&topic).await;
    log.append(A, records(0..2)).await.unwrap();
    let foreign = FutureRecord::to(&topic).partition(0).key("Ann").payload("hello");
    broker.producer().send(foreign, std::time::Duration::from_secs(10)).await.unwrap();
    let batch = log.read(A, Offset(0), 10_000).await.unwrap();
    assert_eq!(batch.records.len() as u64, batch.next.0, "what comes before is given out");
    let read = async {
        let mut at = batch.next;
        loop {
            at = log.read(A, at, 10_000).await?.next;
        }
    };
    let stopped: Result<(), LogError> = read.await;
    match stopped {
        Err(LogError::Damaged(why)) => assert!(why.contains("offset 2") && !why.contains("Ann"), "{why}"),
        other => panic!("{other:?}"),
    }
}
