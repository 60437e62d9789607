//! What must hold between settings.
use super::{Config, ConfigError};
use std::time::Duration;
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

/// Longest written reason, in bytes: it is shown in readiness.
const REASON_MAX: usize = 1000;
const DAY: Duration = Duration::from_secs(86_400);

impl Config {
    /// True when several processes may land from the same log into the same catalog, each its share of the slots.
    pub fn shares_slots(&self) -> bool {
        !self.kafka.brokers.is_empty() && self.catalog.url.is_some()
    }

    /// The settings without which other processes do not reach what this one writes, of which the vault's counts for
    /// those that open it.
    pub fn private_parts(&self, with_vault: bool) -> Vec<&'static str> {
        let needed = [
            ("kafka.brokers", self.kafka.brokers.is_empty()),
            ("catalog.url", self.catalog.url.is_none()),
            ("keys.url", self.keys.url.is_none()),
            ("vault.url", with_vault && self.vault.url.is_none()),
            ("kms.directory", self.kms.directory.is_none()),
            ("store.url", self.store.url.is_none()),
        ];
        needed.into_iter().filter(|(_, is_missing)| *is_missing).map(|(name, _)| name).collect()
    }

    /// Checks what single types cannot say.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let fail = |text: &str| Err(ConfigError::new(text));
        if self.data_dir.as_os_str().is_empty() {
            return fail("data_dir is empty; it is the path of a directory, or is left out for ./chatmai-data");
        }
        let listen = [self.listen.ingest, self.listen.api, self.listen.operations];
        for (n, address) in listen.iter().enumerate() {
            if address.port() != 0 && listen[..n].contains(address) {
                return Err(ConfigError::new(format!("two listeners share the address {address}")));
            }
        }
        if !self.listen.operations.ip().is_loopback() {
            return fail("listen.operations is not encrypted and must be a loopback address such as 127.0.0.1:8445");
        }
        if self.tls.certificate.is_some() != self.tls.key.is_some() {
            return fail("tls.certificate and tls.key are set together or not at all");
        }
        if self.tls.ca.is_some() && self.tls.certificate.is_none() {
            return fail("tls.ca needs tls.certificate and tls.key");
        }
        let is_reason =
            |text: &String| !text.trim().is_empty() && text.len() <= REASON_MAX && !text.contains(char::is_control);
        if !self.webhooks.tls12_exception.as_ref().is_none_or(is_reason) {
            return fail("webhooks.tls12_exception is the reason in words, on one line, or is left out");
        }
        if !(1..=65_536).contains(&self.log.slots) {
            return fail("log.slots is 1 to 65536");
        }
        if !(1 << 20..=1 << 30).contains(&self.log.segment_bytes.0) {
            return fail("log.segment_bytes is 1MiB to 1GiB");
        }
        if self.log.max_bytes.0 < 2 * self.log.segment_bytes.0 {
            return fail("log.max_bytes must hold at least two segments (log.segment_bytes)");
        }
        self.check_databases()?;
        if self.land.max_rows == 0 || self.land.max_bytes.0 < 64 << 10 {
            return fail("land.max_rows is at least 1, land.max_bytes at least 64KiB");
        }
        if self.land.max_age.0 > DAY {
            return fail("land.max_age is at most 1d");
        }
        self.check_store()?;
        self.check_kafka()?;
        self.check_jobs()?;
        if !(1..=356).contains(&self.retention.days) {
            return fail("retention.days is 1 to 356");
        }
        if self.limits.body_bytes.0 == 0 || self.limits.body_bytes.0 > 1 << 20 {
            return fail("limits.body_bytes is at most 1MiB");
        }
        if self.limits.header_bytes.0 < 8 << 10 {
            return fail("limits.header_bytes is at least 8KiB");
        }
        let limits = &self.limits;
        if limits.connections == 0 || limits.connections_per_address == 0 {
            return fail("limits.connections and limits.connections_per_address are above zero");
        }
        if limits.streams == 0 || limits.requests_per_key == 0 {
            return fail("limits.streams and limits.requests_per_key are above zero");
        }
        if self.limits.read_timeout.0.is_zero() {
            return fail("limits.read_timeout is above zero");
        }
        if !is_log_filter(&self.logging.level) {
            return fail("logging.level is error, warn, info, debug or trace, or a list such as `warn,ingest=debug`");
        }
        Ok(())
    }

    fn check_kafka(&self) -> Result<(), ConfigError> {
        let kafka = &self.kafka;
        let fail = |text: &str| Err(ConfigError::new(text));
        let sasl = [kafka.sasl_user.is_some(), kafka.sasl_password_file.is_some()];
        if sasl.contains(&kafka.sasl_mechanism.is_none()) {
            return fail(
                "kafka.sasl_mechanism, kafka.sasl_user and kafka.sasl_password_file are set together or not at all",
            );
        }
        if kafka.certificate.is_some() != kafka.key.is_some() {
            return fail("kafka.certificate and kafka.key are set together or not at all");
        }
        if kafka.brokers.is_empty() {
            return Ok(());
        }
        if kafka.ca_certificate.is_none() {
            return fail("kafka.brokers needs kafka.ca_certificate");
        }
        if kafka.certificate.is_none() && kafka.sasl_mechanism.is_none() {
            return fail("kafka.brokers needs kafka.certificate and kafka.key, or SASL");
        }
        let is_name = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if !kafka.topic_prefix.chars().all(is_name) || kafka.topic_prefix.len() > 200 {
            return fail("kafka.topic_prefix consists of letters, digits, dots, dashes and underscores");
        }
        if kafka.send_bytes.0 < 4 << 20 || kafka.fetch_bytes.0 < 1 << 20 {
            return fail("kafka.send_bytes is at least 4MiB, kafka.fetch_bytes at least 1MiB");
        }
        Ok(())
    }

    fn check_jobs(&self) -> Result<(), ConfigError> {
        let jobs = &self.jobs;
        let intervals = [
            ("derive_interval", jobs.derive_interval),
            ("compact_interval", jobs.compact_interval),
            ("expire_interval", jobs.expire_interval),
            ("scrub_interval", jobs.scrub_interval),
        ];
        for (name, interval) in intervals {
            if interval.0.is_zero() {
                return Err(ConfigError::new(format!("jobs.{name} is above zero")));
            }
        }
        // 25 h 15 min after its end a day must be gone, so the look for it may not be much rarer than hourly.
        if jobs.expire_interval.0 > DAY {
            return Err(ConfigError::new("jobs.expire_interval is at most 1d, or content would outlive its retention"));
        }
        if jobs.verify_days == 0 {
            return Err(ConfigError::new("jobs.verify_days is at least 1"));
        }
        // Amended content is gone from the files after 7 days; the job itself takes its time too.
        if jobs.fold_after.0 > 6 * DAY {
            return Err(ConfigError::new("jobs.fold_after is at most 6d"));
        }
        Ok(())
    }
}

/// True for levels, each alone or as `module=level`. The library itself takes a level that is misspelt for a module, and
/// would then write nothing.
fn is_log_filter(text: &str) -> bool {
    // To the library, no word is `error`.
    let is_level = |text: &str| !text.is_empty() && text.parse::<LevelFilter>().is_ok();
    let is_module = |text: &str| {
        let of_names = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':');
        !text.is_empty() && text.bytes().all(of_names)
    };
    text.split(',').all(|part| match part.split_once('=') {
        Some((module, level)) => is_module(module) && is_level(level),
        None => is_level(part),
    }) && text.parse::<EnvFilter>().is_ok()
}
