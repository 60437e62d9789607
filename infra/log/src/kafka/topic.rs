//! What is asked of a topic before it is used: that it exists, which one it is, and that it keeps records as they must be.
use super::{
    QUESTION,
    client::{Asker, Context, RECORD_BYTES, asking},
    identity,
    options::{KafkaError, Options},
};
use rdkafka::{
    admin::{AdminClient, AdminOptions, ResourceSpecifier},
    error::RDKafkaErrorCode,
    producer::Producer,
};
use schemas::ids::LogEpoch;
use sha2::{Digest, Sha256};
use std::time::Duration;

/// For how long records are kept (`retention.ms`): content not for longer, and what is not landed not for less, as
/// webhooks are taken until land is 60 h behind.
const RETENTION: Duration = Duration::from_secs(72 * 3600);
/// Longest that a segment may be open (`segment.ms`).
const SEGMENT: Duration = Duration::from_secs(6 * 3600);

/// What was found.
#[derive(Debug)]
pub(super) struct Found {
    pub epoch: LogEpoch,
    pub partitions: u32,
}

/// Looks at the topic.
pub(super) async fn look(options: &Options, context: &Context, asker: &Asker) -> Result<Found, KafkaError> {
    let (asking, topic) = (asker.clone(), options.topic.clone());
    let (cluster, partitions, id) = tokio::task::spawn_blocking(move || ask(&asking, &topic))
        .await
        .map_err(|error| KafkaError::Unavailable(error.to_string()))?
        .map_err(|error| context.explain(error))?;
    settings(options, context).await?;
    Ok(Found { epoch: epoch(&cluster, id), partitions })
}

/// The same for the life of a topic, and for every process.
fn epoch(cluster: &str, topic: [u8; 16]) -> LogEpoch {
    let mut digest = Sha256::new();
    digest.update(b"cm-log-epoch-1");
    digest.update((cluster.len() as u64).to_be_bytes());
    digest.update(cluster.as_bytes());
    digest.update(topic);
    let mut epoch = [0; 16];
    epoch.copy_from_slice(&digest.finalize()[..16]);
    LogEpoch(epoch)
}

#[allow(unsafe_code, reason = "see `identity`")]
fn ask(asker: &Asker, topic: &str) -> Result<(String, u32, [u8; 16]), KafkaError> {
    let unavailable = |error: rdkafka::error::KafkaError| KafkaError::Unavailable(error.to_string());
    let metadata = asker.client().fetch_metadata(Some(topic), QUESTION).map_err(unavailable)?;
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    let found = found.ok_or_else(|| KafkaError::Unavailable(format!("nothing is known of topic {topic}")))?;
    match found.error().map(RDKafkaErrorCode::from) {
        None => {}
        Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
            return Err(KafkaError::Refused(format!(
                "there is no topic {topic}; make it as infra/docs/operate.md says, with log.slots partitions"
            )));
        }
        Some(RDKafkaErrorCode::TopicAuthorizationFailed) => {
            return Err(KafkaError::Refused(format!("this client may not use topic {topic}; see its ACLs")));
        }
        Some(other) => return Err(KafkaError::Unavailable(format!("topic {topic}: {other}"))),
    }
    let partitions = u32::try_from(found.partitions().len()).unwrap_or(0);
    if partitions == 0 {
        return Err(KafkaError::Unavailable(format!("topic {topic} has no partitions yet")));
    }
    let cluster = asker.client().fetch_cluster_id(QUESTION);
    let cluster = cluster.ok_or_else(|| KafkaError::Unavailable("the cluster does not tell its id".into()))?;
    // SAFETY: `asker` holds the client.
    let id = unsafe { identity::topic_id(asker.client().native_ptr(), topic, QUESTION) };
    Ok((cluster, partitions, id.map_err(KafkaError::Unavailable)?))
}

async fn settings(options: &Options, context: &Context) -> Result<(), KafkaError> {
    let topic = options.topic.as_str();
    let admin: AdminClient<Context> =
        asking(options).create_with_context(context.clone()).map_err(|error| KafkaError::Refused(error.to_string()))?;
    let wanted = [ResourceSpecifier::Topic(topic)];
    let opts = AdminOptions::new().request_timeout(Some(QUESTION));
    let answer = admin.describe_configs(&wanted, &opts).await;
    let answer = answer.map_err(|error| KafkaError::Unavailable(error.to_string()))?;
    match answer.into_iter().next() {
        Some(Ok(resource)) => {
            let value = |name: &str| resource.get(name).and_then(|entry| entry.value.clone());
            let problems = problems(value);
            if problems.is_empty() {
                if value_below(resource.get("min.insync.replicas").and_then(|entry| entry.value.as_deref()), 2) {
                    tracing::warn!(
                        topic,
                        "min.insync.replicas is below 2: an acknowledged event is on one broker only"
                    );
                }
                return Ok(());
            }
            Err(KafkaError::Refused(format!("topic {topic} is set up wrongly: {}", problems.join("; "))))
        }
        Some(Err(RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::ClusterAuthorizationFailed)) => {
            tracing::warn!(topic, "the topic's settings cannot be checked: this client may not describe them");
            Ok(())
        }
        Some(Err(code)) => Err(KafkaError::Unavailable(format!("the settings of topic {topic}: {code}"))),
        None => Err(KafkaError::Unavailable(format!("the settings of topic {topic}: no answer"))),
    }
}

fn value_below(value: Option<&str>, least: i64) -> bool {
    value.and_then(|value| value.parse::<i64>().ok()).is_some_and(|value| value < least)
}

/// What is wrong with a topic's settings (`security.md` §3), each with what it should be.
fn problems(value: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut problems = Vec::new();
    let mut check = |name: &str, fits: &dyn Fn(&str) -> bool, wanted: &str| {
        if let Some(value) = value(name)
            && !fits(&value)
        {
            problems.push(format!("{name} is {value} and must be {wanted}"));
        }
    };
    let millis = |value: &str, fits: &dyn Fn(u128) -> bool| value.parse::<u128>().is_ok_and(fits);
    check("cleanup.policy", &|value| value == "delete", "delete");
    check("message.timestamp.type", &|value| value == "LogAppendTime", "LogAppendTime");
    check("retention.ms", &|value| millis(value, &|it| it == RETENTION.as_millis()), "259200000 (72 h)");
    check("retention.bytes", &|value| value == "-1", "-1, as a limit of size deletes what is not landed yet");
    check("segment.ms", &|value| millis(value, &|it| it <= SEGMENT.as_millis()), "21600000 (6 h) at most");
    check("unclean.leader.election.enable", &|value| value == "false", "false");
    check("compression.type", &|value| value == "producer" || value == "uncompressed", "producer");
    check(
        "max.message.bytes",
        &|value| value.parse::<usize>().is_ok_and(|value| value >= RECORD_BYTES),
        "2097152 at least",
    );
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &[(&str, &str)] = &[
        ("cleanup.policy", "delete"),
        ("message.timestamp.type", "LogAppendTime"),
        ("retention.ms", "259200000"),
        ("retention.bytes", "-1"),
        ("segment.ms", "21600000"),
        ("unclean.leader.election.enable", "false"),
        ("compression.type", "producer"),
        ("max.message.bytes", "2097152"),
    ];

    #[test]
    fn a_topic_that_keeps_content_wrongly_is_refused() {
        let with = |name: &str, other: &str| {
            let value = |asked: &str| {
                let good = GOOD.iter().find(|(name, _)| *name == asked).map(|(_, value)| (*value).to_owned());
                if asked == name { Some(other.to_owned()) } else { good }
            };
            problems(value).len()
        };
        assert_eq!(with("", ""), 0);
        for (name, bad) in [
            ("cleanup.policy", "compact"),
            ("cleanup.policy", "compact,delete"),
            ("message.timestamp.type", "CreateTime"),
            ("retention.ms", "-1"),
            ("retention.ms", "604800000"),
            ("retention.ms", "3600000"),
            ("retention.bytes", "1073741824"),
            ("segment.ms", "604800000"),
            ("unclean.leader.election.enable", "true"),
            ("compression.type", "zstd"),
            ("max.message.bytes", "1048588"),
        ] {
            assert_eq!(with(name, bad), 1, "{name}={bad}");
        }
    }

    #[test]
    fn another_cluster_or_topic_is_another_epoch() {
        let one = epoch("a", [1; 16]);
        assert_eq!(one, epoch("a", [1; 16]));
        assert_ne!(one, epoch("b", [1; 16]));
        assert_ne!(one, epoch("a", [2; 16]));
    }
}
