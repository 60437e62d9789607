//! The settings of librdkafka's clients, and where its own log goes.
use super::options::{KafkaError, Options};
use parking_lot::Mutex;
use rdkafka::{
    ClientConfig, ClientContext,
    config::RDKafkaLogLevel,
    consumer::ConsumerContext,
    error::{KafkaError as RdError, RDKafkaErrorCode},
    producer::FutureProducer,
};
use std::sync::Arc;

/// The largest record, sealed. A webhook's body of 1 MiB can become one record.
pub(super) const RECORD_BYTES: usize = 2 << 20;

/// The most bytes of records that go in one request, unless one record alone has more.
pub(super) const BATCH_BYTES: usize = 1 << 20;

/// The most requests that may wait for a broker's answer. An idempotent producer may have no more.
pub(super) const REQUESTS: usize = 5;

/// How old what a client knows of a topic may become, in milliseconds.
const METADATA_MILLIS: &str = "10000";

/// A client that only asks. A producer, because that polls for itself; it never sends a record.
pub(super) type Asker = FutureProducer<Context>;

/// Sends librdkafka's words to the process log, and keeps the last trouble, as a question that fails only says that it
/// took too long. The words name brokers and topics, never what is in a record.
#[derive(Clone, Default)]
pub(super) struct Context {
    trouble: Arc<Mutex<Option<Trouble>>>,
}

struct Trouble {
    why: String,
    /// It comes from what one side thinks of the other.
    is_denial: bool,
}

impl Context {
    /// An error with the last trouble beside it.
    pub fn explained(&self, error: &dyn std::fmt::Display) -> String {
        match &*self.trouble.lock() {
            Some(trouble) => format!("{error} (last trouble: {})", trouble.why),
            None => error.to_string(),
        }
    }

    /// The same for an error at start.
    pub fn explain(&self, error: KafkaError) -> KafkaError {
        let is_denial = self.trouble.lock().as_ref().is_some_and(|trouble| trouble.is_denial);
        match error {
            KafkaError::Unavailable(why) if is_denial => KafkaError::Denied(self.explained(&why)),
            KafkaError::Unavailable(why) => KafkaError::Unavailable(self.explained(&why)),
            other @ (KafkaError::Refused(_) | KafkaError::Denied(_)) => other,
        }
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Debug | RDKafkaLogLevel::Info => tracing::debug!(facility, message, "librdkafka"),
            _ => tracing::warn!(facility, message, "librdkafka"),
        }
    }

    fn error(&self, error: RdError, reason: &str) {
        tracing::warn!(%error, reason, "librdkafka");
        use RDKafkaErrorCode::{AllBrokersDown, Authentication, SSL, SaslAuthenticationFailed};
        let code = error.rdkafka_error_code();
        // That nobody is there is only what comes of the trouble before.
        if code != Some(AllBrokersDown) {
            let is_denial = matches!(code, Some(SSL | Authentication | SaslAuthenticationFailed));
            *self.trouble.lock() = Some(Trouble { why: reason.to_owned(), is_denial });
        }
    }
}

impl ConsumerContext for Context {}

/// What every client has: TLS with both sides verified.
fn common(options: &Options) -> ClientConfig {
    // Before librdkafka does, as the first one decides: OpenSSL shall not clean up at the process's exit, while threads
    // of librdkafka may still close connections. Both would free the same things.
    openssl_sys::init();
    let mut config = ClientConfig::new();
    let path = |path: &std::path::Path| path.to_string_lossy().into_owned();
    config
        .set("client.id", "chatmai")
        .set("bootstrap.servers", options.brokers.join(","))
        .set("security.protocol", if options.sasl.is_some() { "sasl_ssl" } else { "ssl" })
        .set("ssl.ca.location", path(&options.ca_certificate))
        .set("enable.ssl.certificate.verification", "true")
        .set("ssl.endpoint.identification.algorithm", "https")
        // librdkafka has no setting for the least version. This names the suites of TLS 1.2 that are offered, and of
        // this one there are none without a pre-shared key, so that only those of 1.3 are left.
        .set("ssl.cipher.suites", "PSK-AES256-GCM-SHA384")
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "1000")
        .set("socket.keepalive.enable", "true")
        .set("allow.auto.create.topics", "false")
        // What was heard of a topic is taken for good until then: also that a slot has no leader, or is not there, as brokers
        // say while they start or have no controller.
        .set("topic.metadata.refresh.interval.ms", METADATA_MILLIS)
        .set("log.connection.close", "false");
    if let Some(own) = &options.credentials {
        config.set("ssl.certificate.location", path(&own.certificate)).set("ssl.key.location", path(&own.key));
    }
    if let Some(sasl) = &options.sasl {
        config
            .set("sasl.mechanisms", &sasl.mechanism)
            .set("sasl.username", &sasl.user)
            .set("sasl.password", &sasl.password);
    }
    config
}

/// A client that only asks.
pub(super) fn asking(options: &Options) -> ClientConfig {
    common(options)
}

/// The one that appends. Order is kept and nothing is sent twice within the life of one producer.
pub(super) fn producing(options: &Options) -> ClientConfig {
    let mut config = common(options);
    config
        .set("enable.idempotence", "true")
        .set("acks", "all")
        // What is sealed does not shrink, and across records sizes would tell about content.
        .set("compression.type", "none")
        // What a group of appends waits so that all of it goes in one request; groups come one after the other. librdkafka
        // waits a whole millisecond where it has nothing else to do.
        .set("linger.ms", "0.5")
        .set("batch.size", BATCH_BYTES.to_string())
        .set("max.in.flight.requests.per.connection", REQUESTS.to_string())
        .set("message.max.bytes", RECORD_BYTES.to_string())
        .set("message.timeout.ms", options.patience.as_millis().max(1000).to_string())
        .set("queue.buffering.max.messages", "200000")
        .set("queue.buffering.max.kbytes", (options.send_bytes >> 10).max(RECORD_BYTES >> 10).to_string());
    config
}

/// How a reader fetches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Pace {
    /// What comes, as it comes: nothing is fetched while something is still to be taken, and for 5 ms after it came. A
    /// fetch that stands at the broker is answered at the first record, so that at thousands of records a second there
    /// would be nearly as many answers; so there are 200 at most, and two a second while nothing comes.
    Following,
    /// What is there already, as much ahead as there is room for.
    CatchingUp,
}

impl Pace {
    /// The pace for a reader that is so many records behind; in between one goes on as it is.
    pub fn of(now: Option<Self>, behind: u64) -> Self {
        match behind {
            0..1_000 => Self::Following,
            20_000.. => Self::CatchingUp,
            _ => now.unwrap_or(Self::Following),
        }
    }
}

/// A reader of one slot, at offsets that it is told.
pub(super) fn reading(options: &Options, pace: Pace) -> ClientConfig {
    let mut config = common(options);
    // What has to wait to be taken before nothing more is fetched, and for how long nothing is: by default that is a
    // second, with which a reader that is behind crawls.
    let (waiting, pause) = match pace {
        Pace::Following => ("1", "5"),
        Pace::CatchingUp => ("100000", "10"),
    };
    config
        // librdkafka assigns partitions only with a group's name. The group is never joined, nothing is committed.
        .set("group.id", &options.readers)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("isolation.level", "read_committed")
        .set("check.crcs", "true")
        .set("fetch.queue.backoff.ms", pause)
        .set("queued.min.messages", waiting)
        .set("queued.max.messages.kbytes", (options.fetch_bytes >> 10).max(1024).to_string())
        .set("fetch.message.max.bytes", RECORD_BYTES.to_string())
        .set("fetch.error.backoff.ms", "100");
    config
}

/// A member of a group, for what it assigns. It is paused and reads nothing.
pub(super) fn grouping(options: &Options, group: &str) -> ClientConfig {
    let mut config = common(options);
    config
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "latest")
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("session.timeout.ms", "15000")
        .set("heartbeat.interval.ms", "3000")
        .set("max.poll.interval.ms", "60000")
        .set("queued.max.messages.kbytes", "1024");
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_client_verifies_and_encrypts() {
        let mut options = Options::new(vec!["a:1".into()], "events", "ca.pem");
        for protocol in ["ssl", "sasl_ssl"] {
            let reading = [Pace::Following, Pace::CatchingUp].map(|pace| reading(&options, pace));
            for config in [asking(&options), producing(&options), grouping(&options, "land")].into_iter().chain(reading)
            {
                assert_eq!(config.get("security.protocol"), Some(protocol));
                assert_eq!(config.get("enable.ssl.certificate.verification"), Some("true"));
                assert_eq!(config.get("ssl.endpoint.identification.algorithm"), Some("https"));
                assert_eq!(config.get("allow.auto.create.topics"), Some("false"));
            }
            options.sasl =
                Some(crate::kafka::Sasl { mechanism: "PLAIN".into(), user: "u".into(), password: "p".into() });
        }
        let producing = producing(&options);
        assert_eq!((producing.get("acks"), producing.get("enable.idempotence")), (Some("all"), Some("true")));
        let reading = reading(&options, Pace::Following);
        assert_eq!(reading.get("enable.auto.commit"), Some("false"));
        assert_eq!(reading.get("enable.auto.offset.store"), Some("false"));
        assert_eq!(reading.get("auto.offset.reset"), Some("error"));
    }

    #[test]
    fn who_is_far_behind_catches_up_and_who_is_near_follows() {
        use Pace::{CatchingUp, Following};
        for now in [None, Some(Following), Some(CatchingUp)] {
            assert_eq!((Pace::of(now, 0), Pace::of(now, 999)), (Following, Following));
            assert_eq!((Pace::of(now, 20_000), Pace::of(now, u64::MAX)), (CatchingUp, CatchingUp));
            assert_eq!(Pace::of(now, 5_000), now.unwrap_or(Following));
        }
    }
}
