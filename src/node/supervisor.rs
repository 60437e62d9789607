//! Everything that runs. A part that ends by itself, with an error or a panic, ends the process: it is never half alive.
use std::{collections::HashMap, future::Future, time::Duration};
use tokio::task::{Id, JoinSet};

/// The running parts of a process.
#[derive(Default)]
pub struct Supervisor {
    tasks: JoinSet<Result<(), String>>,
    names: HashMap<Id, &'static str>,
}

impl Supervisor {
    /// Runs a part.
    pub fn spawn(&mut self, name: &'static str, part: impl Future<Output = Result<(), String>> + Send + 'static) {
        let id = self.tasks.spawn(part).id();
        self.names.insert(id, name);
    }

    /// Completes when any part ends; nobody has asked it to.
    pub async fn failed(&mut self) -> String {
        match self.next().await {
            Some((name, Err(why))) => format!("{name}: {why}"),
            Some((name, Ok(()))) => format!("{name} has ended"),
            None => "nothing runs".into(),
        }
    }

    /// Waits until all parts have ended, each of which was asked to. Says what failed, and names what did not end in
    /// time; that is cut off.
    pub async fn ended(&mut self, step: &'static str, patience: Duration) -> Vec<String> {
        let mut failures = Vec::new();
        let all = async {
            while let Some((name, ended)) = self.next().await {
                match ended {
                    Ok(()) => tracing::info!(step, part = name, "ended"),
                    Err(why) => failures.push(format!("{name}: {why}")),
                }
            }
        };
        if tokio::time::timeout(patience, all).await.is_err() {
            for name in self.names.values() {
                tracing::warn!(step, part = name, "did not end in time and is cut off");
            }
            self.tasks.shutdown().await;
            self.names.clear();
        }
        failures
    }

    async fn next(&mut self) -> Option<(&'static str, Result<(), String>)> {
        let (id, ended) = match self.tasks.join_next_with_id().await? {
            Ok((id, ended)) => (id, ended),
            Err(error) => (error.id(), Err("it has panicked".to_owned())),
        };
        Some((self.names.remove(&id).unwrap_or("a part"), ended))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whatever_ends_by_itself_is_named() {
        let mut parts = Supervisor::default();
        parts.spawn("forever", std::future::pending());
        parts.spawn("short", async { Ok(()) });
        assert_eq!(parts.failed().await, "short has ended");
        parts.spawn("broken", async { Err("no disk".into()) });
        assert_eq!(parts.failed().await, "broken: no disk");
        parts.spawn("panicking", async { panic!("test") });
        assert_eq!(parts.failed().await, "panicking: it has panicked");
        parts.spawn("bad", async { Err("late".into()) });
        let failures = parts.ended("test", Duration::from_millis(50)).await;
        assert_eq!(failures, ["bad: late"]);
        assert_eq!(parts.failed().await, "nothing runs");
    }
}
