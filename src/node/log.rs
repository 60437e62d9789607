//! The event log that the configuration names.
use super::{DataDir, StartError};
use crate::config::{Config, ConfigError, Kafka, Secret};
use event_log::{
    EventLog, SharedLog,
    assignment::{AllSlots, Assignment},
    embedded::{self, EmbeddedLog},
    kafka::{Credentials, Group, KafkaError, KafkaLog, Options, Sasl},
};
use schemas::clock::{SharedClock, SharedEntropy};

/// The topic of events, behind the prefix.
const EVENTS: &str = "events";
/// The consumer group of the processes that land, behind the prefix.
const LANDERS: &str = "chatmai-land";

/// Opens it.
///
/// # Errors
/// [`StartError`].
pub async fn open(
    config: &Config,
    directory: &DataDir,
    clock: &SharedClock,
    entropy: &SharedEntropy,
) -> Result<SharedLog, StartError> {
    if !config.kafka.brokers.is_empty() {
        return on_kafka(config).await;
    }
    let options = embedded::Options {
        segment_bytes: config.log.segment_bytes.0,
        max_total_bytes: config.log.max_bytes.0,
        lay_out: true,
        ..embedded::Options::new(directory.directory("log")?, config.log.slots, clock.clone(), entropy.clone())
    };
    let opened = tokio::task::spawn_blocking(move || EmbeddedLog::open(options)).await.map_err(StartError::part)?;
    let log: SharedLog = opened.map_err(StartError::part)?;
    Ok(log)
}

/// Which slots this process lands: all of them, or its share where several processes land from the same log into the
/// same catalog.
///
/// # Errors
/// [`StartError`].
pub fn assignment(config: &Config, log: &dyn EventLog) -> Result<Box<dyn Assignment>, StartError> {
    if !config.shares_slots() {
        return Ok(Box::new(AllSlots::new(log.slots())));
    }
    let group = Group::join(&options(&config.kafka)?, &format!("{}{LANDERS}", config.kafka.topic_prefix));
    Ok(Box::new(group.map_err(refused)?))
}

/// What a configuration cannot be with, and what is only away.
fn refused(error: KafkaError) -> StartError {
    match error {
        KafkaError::Refused(_) => StartError::Config(ConfigError::new(error.to_string())),
        KafkaError::Unavailable(_) => StartError::part(error),
    }
}

async fn on_kafka(config: &Config) -> Result<SharedLog, StartError> {
    let log: SharedLog = KafkaLog::open(options(&config.kafka)?).await.map_err(refused)?;
    if log.slots() != config.log.slots {
        return Err(StartError::Config(ConfigError::new(format!(
            "log.slots is {}, but the topic {}{EVENTS} has {} partitions; they must be the same, and a topic's number must \
             not be changed once it is used",
            config.log.slots,
            config.kafka.topic_prefix,
            log.slots()
        ))));
    }
    Ok(log)
}

fn options(kafka: &Kafka) -> Result<Options, StartError> {
    let bytes = |size: crate::config::Size| usize::try_from(size.0).unwrap_or(usize::MAX);
    let ca =
        kafka.ca_certificate.clone().ok_or_else(|| ConfigError::new("kafka.brokers needs kafka.ca_certificate"))?;
    let mut options = Options::new(kafka.brokers.clone(), format!("{}{EVENTS}", kafka.topic_prefix), ca);
    if let (Some(certificate), Some(key)) = (kafka.certificate.clone(), kafka.key.clone()) {
        options.credentials = Some(Credentials { certificate, key });
    }
    if let (Some(mechanism), Some(user), Some(file)) =
        (kafka.sasl_mechanism.clone(), kafka.sasl_user.clone(), &kafka.sasl_password_file)
    {
        let password = Secret::read(file)?;
        let password = std::str::from_utf8(password.expose())
            .map_err(|_| ConfigError::new("the password in kafka.sasl_password_file is not UTF-8"))?;
        options.sasl = Some(Sasl { mechanism, user, password: password.to_owned() });
    }
    options.send_bytes = bytes(kafka.send_bytes);
    options.fetch_bytes = bytes(kafka.fetch_bytes);
    Ok(options)
}
