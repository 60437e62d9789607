//! The event log that the configuration names.
use super::{DataDir, StartError};
use crate::config::{Config, ConfigError, Kafka, Secret};
use event_log::{
    EventLog, LogError, SharedLog,
    assignment::{AllSlots, Assignment},
    embedded::{self, EmbeddedLog},
    kafka::{Credentials, Group, KafkaError, KafkaLog, Options, Sasl},
};
use schemas::{
    clock::{SharedClock, SharedEntropy},
    log::{Offset, Slot},
};
use std::{fmt::Display, future::Future, ops::Range, time::Duration};
use tokio::time::{Instant, sleep};

/// The topic of events, behind the prefix.
const EVENTS: &str = "events";
/// The consumer group of the processes that land, behind the prefix.
const LANDERS: &str = "chatmai-land";
/// How long a start waits for brokers that do not answer: the slots of one that died a moment ago have no leader until the
/// others have noticed.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long it waits between two questions.
const PAUSE: Duration = Duration::from_secs(1);

/// How long all questions of one start to the log may be asked again, together.
#[derive(Clone, Copy)]
pub struct Patience {
    until: Instant,
    pause: Duration,
}

impl Patience {
    /// It begins now.
    pub fn of_a_start() -> Self {
        Self { until: Instant::now() + PATIENCE, pause: PAUSE }
    }

    /// Asks until there is an answer, or an error that is not `away`, or the time is over.
    async fn ask<T, E, F>(self, mut ask: impl FnMut() -> F, away: impl Fn(&E) -> bool) -> Result<T, E>
    where
        E: Display,
        F: Future<Output = Result<T, E>>,
    {
        loop {
            match ask().await {
                Err(error) if away(&error) && Instant::now() < self.until => {
                    tracing::warn!(%error, "the start waits for the event log");
                    sleep(self.pause).await;
                }
                other => return other,
            }
        }
    }
}

/// Opens it.
///
/// # Errors
/// [`StartError`].
pub async fn open(
    config: &Config,
    directory: &DataDir,
    clock: &SharedClock,
    entropy: &SharedEntropy,
    patience: Patience,
) -> Result<SharedLog, StartError> {
    if !config.kafka.brokers.is_empty() {
        return on_kafka(config, patience).await;
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
        KafkaError::Denied(_) | KafkaError::Unavailable(_) => StartError::part(error),
    }
}

/// What a slot holds: from its first offset to the one that the next record gets.
///
/// # Errors
/// [`StartError`].
pub async fn held(log: &dyn EventLog, slot: Slot, patience: Patience) -> Result<Range<Offset>, StartError> {
    let away = |error: &LogError| matches!(error, LogError::Unavailable(_));
    let start = patience.ask(|| log.start(slot), away).await.map_err(StartError::part)?;
    let end = patience.ask(|| log.end(slot), away).await.map_err(StartError::part)?;
    Ok(start..end)
}

async fn on_kafka(config: &Config, patience: Patience) -> Result<SharedLog, StartError> {
    let options = options(&config.kafka)?;
    let away = |error: &KafkaError| matches!(error, KafkaError::Unavailable(_));
    let log: SharedLog = patience.ask(|| KafkaLog::open(options.clone()), away).await.map_err(refused)?;
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
    options.readers = format!("{}{}", kafka.topic_prefix, options.readers);
    options.send_bytes = bytes(kafka.send_bytes);
    options.fetch_bytes = bytes(kafka.fetch_bytes);
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// Answers as `answers` says, one after the other; how often it was asked.
    async fn asked(seconds: u64, answers: &[Result<u8, &'static str>]) -> (Result<u8, &'static str>, usize) {
        let patience = Patience { until: Instant::now() + Duration::from_secs(seconds), pause: Duration::ZERO };
        let asked = Cell::new(0);
        let ask = || {
            let answer = answers[asked.replace(asked.get() + 1)];
            async move { answer }
        };
        (patience.ask(ask, |error| *error == "away").await, asked.get())
    }

    #[tokio::test]
    async fn a_start_waits_for_what_is_away_and_for_nothing_else() {
        assert_eq!(asked(3600, &[Ok(1)]).await, (Ok(1), 1));
        assert_eq!(asked(3600, &[Err("away"), Err("away"), Ok(1)]).await, (Ok(1), 3));
        assert_eq!(asked(3600, &[Err("away"), Err("refused"), Ok(1)]).await, (Err("refused"), 2));
    }

    #[tokio::test]
    async fn a_start_does_not_wait_for_ever() {
        assert_eq!(asked(0, &[Err("away"), Ok(1)]).await, (Err("away"), 1));
    }
}
