//! The process's own log: lines on stderr, for people or as JSON. Never content.
use crate::config::{LogFormat, Logging};
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// Starts it. A second call changes nothing.
pub fn start(settings: &Logging) {
    // The level has been checked with the configuration.
    let filter = settings.level.parse::<EnvFilter>().unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match settings.format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).try_init(),
    };
    // Only tests call it twice.
    let _ = started;
}

/// The log of a command: its answer is on stdout, and only what went wrong is worth a line beside it. A level that was
/// set counts as it is.
pub fn start_quiet(settings: &Logging, level: &str) {
    let is_default = settings.level == Logging::default().level;
    let level = if is_default { level.to_owned() } else { settings.level.clone() };
    start(&Logging { level, ..settings.clone() });
}
