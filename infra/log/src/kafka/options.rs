//! What a connection to Kafka is made of, and what is refused before one is made.
use crate::LogError;
use std::{path::PathBuf, time::Duration};

/// How to reach the brokers. There is no way to turn encryption or a check of the broker's certificate or name off.
#[derive(Clone, Debug)]
pub struct Options {
    /// `host:port`, any one of which leads to all.
    pub brokers: Vec<String>,
    /// The topic.
    pub topic: String,
    /// The group's name under which readers ask. Nobody joins it; brokers that check who may use which group want to know.
    pub readers: String,
    /// PEM of the authorities that sign the brokers' certificates.
    pub ca_certificate: PathBuf,
    /// The client's own certificate.
    pub credentials: Option<Credentials>,
    /// Name and password, beside the certificate or in place of it.
    pub sasl: Option<Sasl>,
    /// Bytes of records that may wait to be sent.
    pub send_bytes: usize,
    /// Bytes that one reader of one slot fetches ahead.
    pub fetch_bytes: usize,
    /// How long an append may wait for its turn, and its request or a question for the brokers' answer; then it is
    /// [`LogError::Unavailable`].
    pub patience: Duration,
}

/// A client certificate and its key, PEM.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Path of the chain.
    pub certificate: PathBuf,
    /// Path of the private key.
    pub key: PathBuf,
}

/// SASL over TLS.
#[derive(Clone)]
pub struct Sasl {
    /// `SCRAM-SHA-512`, `SCRAM-SHA-256` or `PLAIN`.
    pub mechanism: String,
    /// The name.
    pub user: String,
    /// The password.
    pub password: String,
}

impl std::fmt::Debug for Sasl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sasl").field("mechanism", &self.mechanism).finish_non_exhaustive()
    }
}

impl Options {
    /// With defaults for all but the places.
    pub fn new(brokers: Vec<String>, topic: impl Into<String>, ca_certificate: impl Into<PathBuf>) -> Self {
        Self {
            brokers,
            topic: topic.into(),
            readers: "chatmai-readers".into(),
            ca_certificate: ca_certificate.into(),
            credentials: None,
            sasl: None,
            send_bytes: 64 << 20,
            fetch_bytes: 8 << 20,
            patience: Duration::from_secs(5),
        }
    }

    /// What can be said without a broker.
    pub(super) fn check(&self) -> Result<(), KafkaError> {
        let fail = |text: String| Err(KafkaError::Refused(text));
        if self.brokers.is_empty() {
            return fail("no broker is named".into());
        }
        for broker in &self.brokers {
            // A scheme in front of an address would choose another protocol, PLAINTEXT too.
            let port = broker.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port);
            let named = port.is_some_and(|port| port.parse::<u16>().is_ok());
            if !named || broker.contains("://") || broker.contains([',', ' ']) {
                return fail(format!("a broker is written host:port, not `{broker}`"));
            }
        }
        if self.credentials.is_none() && self.sasl.is_none() {
            return fail("the brokers must know who connects: a client certificate or SASL is needed".into());
        }
        if let Some(sasl) = &self.sasl
            && !["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"].contains(&sasl.mechanism.as_str())
        {
            return fail("the SASL mechanism is SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN".into());
        }
        Ok(())
    }
}

/// Why the log cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum KafkaError {
    /// The configuration, or the topic's, is not what records need. Change it.
    #[error("Kafka: {0}")]
    Refused(String),
    /// Brokers answer, but they are not who they should be or do not let this client in: TLS, a certificate, a password.
    /// Change what does not fit.
    #[error("Kafka is not connected to: {0}")]
    Denied(String),
    /// The brokers do not answer. Try again.
    #[error("Kafka does not answer: {0}")]
    Unavailable(String),
}

impl From<LogError> for KafkaError {
    fn from(error: LogError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_protocols_and_nameless_clients_are_refused() {
        let with = |broker: &str| {
            let mut options = Options::new(vec![broker.into()], "events", "ca.pem");
            options.credentials = Some(Credentials { certificate: "c".into(), key: "k".into() });
            options
        };
        assert!(with("kafka-1.example:9093").check().is_ok());
        for bad in ["", "host", ":9093", "PLAINTEXT://host:9092", "SSL://host:9093", "a:1,b:2", "host:x", "host: 1"] {
            assert!(matches!(with(bad).check(), Err(KafkaError::Refused(_))), "{bad}");
        }
        let mut nameless = with("host:1");
        nameless.credentials = None;
        assert!(matches!(nameless.check(), Err(KafkaError::Refused(_))));
        let sasl = |mechanism: &str| Sasl { mechanism: mechanism.into(), user: "u".into(), password: "secret".into() };
        nameless.sasl = Some(sasl("SCRAM-SHA-512"));
        assert!(nameless.check().is_ok());
        assert!(!format!("{nameless:?}").contains("secret"));
        nameless.sasl = Some(sasl("GSSAPI"));
        assert!(matches!(nameless.check(), Err(KafkaError::Refused(_))));
        nameless.brokers.clear();
        assert!(matches!(nameless.check(), Err(KafkaError::Refused(_))));
    }
}
