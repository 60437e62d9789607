//! The process's own log: lines on stderr, for people or as JSON. Never content.
use crate::config::{LogFormat, Logging};
use std::io::IsTerminal;
use tracing::{Level, Metadata};
use tracing_subscriber::{EnvFilter, filter::filter_fn, layer::SubscriberExt, util::SubscriberInitExt};

/// The crates whose lines never hold content or secrets, at whatever level.
const OWN: [&str; 12] = [
    "chatmai",
    "database",
    "event_log",
    "ingest",
    "keys",
    "query_api",
    "records",
    "schemas",
    "serve",
    "test_stores",
    "transform",
    "warehouse",
];

/// Other crates end at `info`: below it h2, hyper and rustls write frames and headers down, `authorization` among them.
fn is_shown(metadata: &Metadata<'_>) -> bool {
    let name = metadata.target().split("::").next().unwrap_or_default();
    *metadata.level() <= Level::INFO || OWN.contains(&name)
}

/// Starts it. A second call changes nothing.
pub fn start(settings: &Logging) {
    // The level has been checked with the configuration.
    let filter = settings.level.parse::<EnvFilter>().unwrap_or_else(|_| EnvFilter::new("info"));
    // A line that cannot be written, as where stderr is a file on a full disk, is no reason to end: the library would say
    // so on stderr again, and panic.
    let builder = tracing_subscriber::fmt().log_internal_errors(false);
    let builder = builder.with_env_filter(filter).with_writer(std::io::stderr);
    let started = match settings.format {
        LogFormat::Json => builder.json().flatten_event(true).finish().with(filter_fn(is_shown)).try_init(),
        LogFormat::Text => {
            builder.with_ansi(std::io::stderr().is_terminal()).finish().with(filter_fn(is_shown)).try_init()
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io, sync::Arc};

    #[derive(Clone, Default)]
    struct Lines(Arc<parking_lot::Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn other_crates_end_at_info_whatever_the_level_says() {
        for level in ["trace", "h2=trace,hyper=trace,rustls=trace,chatmai=trace,ingest=trace"] {
            let (lines, filter) = (Lines::default(), level.parse::<EnvFilter>().unwrap());
            let writer = lines.clone();
            let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(move || writer.clone());
            tracing::subscriber::with_default(builder.finish().with(filter_fn(is_shown)), || {
                tracing::trace!(target: "h2::codec::framed_write", "a secret");
                tracing::debug!(target: "hyper::proto", "a secret");
                tracing::debug!(target: "rustls::client", "a secret");
                tracing::info!(target: "h2", "of h2");
                tracing::trace!(target: "ingest::webhooks", "of ingest");
                tracing::trace!("of the binary");
            });
            let text = String::from_utf8(lines.0.lock().clone()).unwrap();
            assert!(!text.contains("a secret"), "{text}");
            for own in ["of h2", "of ingest", "of the binary"] {
                assert!(text.contains(own), "{level}: {text}");
            }
        }
    }

    #[test]
    fn every_crate_of_the_workspace_is_known_as_its_own() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let manifest: toml::Table = std::fs::read_to_string(root.join("Cargo.toml")).unwrap().parse().unwrap();
        let members = manifest["workspace"]["members"].as_array().unwrap();
        for member in members.iter().map(|member| member.as_str().unwrap()).chain(["."]) {
            let text = std::fs::read_to_string(root.join(member).join("Cargo.toml")).unwrap();
            let name = text.parse::<toml::Table>().unwrap()["package"]["name"].as_str().unwrap().replace('-', "_");
            assert!(OWN.contains(&name.as_str()), "{name}");
        }
    }
}
