//! Many lines: connections resolved, batches appended, live traffic let through first.
use super::{
    BadLine, ConnectionRef, ImportLine,
    reader::{self, LINE_MAX, Line},
};
use crate::intake::{Intake, is_too_old};
use async_trait::async_trait;
use keys::{KeyError, Pseudonyms};
use records::{Position, RecordError};
use schemas::{
    clock::{NoEntropy, random},
    event::Ignored,
    ids::{ConnectionId, EventId, WorkspaceId},
    kind::{IgnoredReason, Platform},
    log::Slot,
    wire::Payload,
};
use serde::Serialize;
use std::{collections::HashMap, sync::Arc};
use tokio::{io::AsyncBufRead, task::JoinHandle};
use warehouse::registry::{RegistryError, Workspace};

/// Most lines of a batch, and most bytes of its lines.
const BATCH_LINES: usize = 1000;
const BATCH_BYTES: usize = 1 << 20;

/// Lets an import go on only while the slot keeps up (`DESIGN.md` §2: under a second of lag), so that it never stands
/// in front of live traffic.
#[async_trait]
pub trait LagGate: Send + Sync {
    /// Completes when the slot's lag is under a second.
    async fn admit(&self, slot: Slot);
}

/// How an import went.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ImportSummary {
    /// Lines that were not blank.
    pub lines: u64,
    /// Lines in the event log. Duplicates are known when they are committed.
    pub appended: u64,
    /// Lines that were refused.
    pub bad: u64,
    /// The log after the last of them; none when nothing was appended.
    pub position: Option<String>,
}

/// Why an import ended early. What was appended until then stays; running it again drops the copies.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// There is no such workspace, or it is being deleted.
    #[error("no such workspace")]
    NoWorkspace,
    /// The input cannot be read.
    #[error("the input cannot be read: {0}")]
    Input(#[from] std::io::Error),
    /// The log or the key store refuses.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The keys are out of reach or destroyed.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The registry is out of reach.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// No random bytes.
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
}

/// See the module's documentation.
#[derive(Clone)]
pub struct Importer {
    intake: Intake,
    gate: Arc<dyn LagGate>,
}

/// One run.
struct Run<'a> {
    importer: &'a Importer,
    workspace: Arc<Workspace>,
    ids: Arc<Pseudonyms>,
    connections: HashMap<ConnectionRef, (ConnectionId, Platform)>,
    batch: Vec<(EventId, Payload)>,
    bytes: usize,
    summary: ImportSummary,
    /// The batch before, on its way to the disk while the next lines are read.
    appending: Option<JoinHandle<Result<(Position, u64), RecordError>>>,
    position: Option<Position>,
}

impl Importer {
    /// An importer behind a gate.
    pub fn new(intake: Intake, gate: Arc<dyn LagGate>) -> Self {
        Self { intake, gate }
    }

    /// Takes every line of the input; `on_bad` hears of each bad one, with its number counted from 1. Blank lines are
    /// no lines.
    ///
    /// # Errors
    /// See [`ImportError`].
    pub async fn run<R: AsyncBufRead + Unpin + Send>(
        &self,
        workspace: WorkspaceId,
        mut input: R,
        mut on_bad: impl FnMut(u64, &BadLine) + Send,
    ) -> Result<ImportSummary, ImportError> {
        // What was made a moment ago, perhaps by another process, is known from here on.
        self.intake.registry.refresh().await?;
        let found = self.intake.registry.view().workspaces.get(&workspace).cloned();
        let workspace = found.filter(|workspace| workspace.active).ok_or(ImportError::NoWorkspace)?;
        let ids = self.intake.keyring.pseudonyms(workspace.id).await?;
        let mut run = Run {
            importer: self,
            workspace,
            ids,
            connections: HashMap::new(),
            batch: Vec::new(),
            bytes: 0,
            summary: ImportSummary::default(),
            appending: None,
            position: None,
        };
        let mut number = 0;
        while let Some(line) = reader::next(&mut input).await? {
            number += 1;
            let outcome = match &line {
                Line::TooLong => Err(BadLine::TooLong(LINE_MAX)),
                Line::Whole(bytes) => match text_of(bytes, number) {
                    Ok("") => continue,
                    Ok(text) => run.line(text).await?,
                    Err(bad) => Err(bad),
                },
            };
            run.summary.lines += 1;
            if let Err(bad) = outcome {
                run.summary.bad += 1;
                on_bad(number, &bad);
            }
        }
        run.flush().await?;
        run.appended().await?;
        run.summary.position = run.position.map(|position| position.to_string());
        Ok(run.summary)
    }
}

/// A line as text; a byte order mark before the first one is none of it.
fn text_of(bytes: &[u8], number: u64) -> Result<&str, BadLine> {
    let text = std::str::from_utf8(bytes).map_err(|_| BadLine::NotJson)?;
    Ok(text.strip_prefix('\u{feff}').filter(|_| number == 1).unwrap_or(text).trim())
}

impl Run<'_> {
    /// Takes one line: a bad one is the line's fault, an error ends the run.
    async fn line(&mut self, text: &str) -> Result<Result<(), BadLine>, ImportError> {
        let line = match ImportLine::parse(text) {
            Ok(line) => line,
            Err(bad) => return Ok(Err(bad)),
        };
        let (connection, platform) = match self.connection(&line.connection).await? {
            Ok(found) => found,
            Err(bad) => return Ok(Err(bad)),
        };
        let now = self.importer.intake.clock.now();
        let event = line.to_event(connection, platform, self.ids.as_ref(), now);
        let record = if is_too_old(&event, &self.workspace, now) {
            let reason = IgnoredReason::TooOld;
            let id = EventId(random(self.importer.intake.entropy.as_ref())?);
            (id, Payload::Ignored(Ignored { reason, platform }))
        } else {
            (event.id, Payload::Event(event))
        };
        if !self.batch.is_empty() && self.bytes + text.len() > BATCH_BYTES {
            self.flush().await?;
        }
        self.bytes += text.len();
        self.batch.push(record);
        if self.batch.len() >= BATCH_LINES {
            self.flush().await?;
        }
        Ok(Ok(()))
    }

    async fn connection(
        &mut self,
        reference: &ConnectionRef,
    ) -> Result<Result<(ConnectionId, Platform), BadLine>, ImportError> {
        if let Some(found) = self.connections.get(reference) {
            return Ok(Ok(*found));
        }
        let registry = &self.importer.intake.registry;
        let found = match reference {
            ConnectionRef::Id(id) => {
                // Of another workspace is as unknown as none (`security.md` §11).
                let view = registry.view();
                let Some(found) = view.connections.get(id).filter(|c| c.workspace == self.workspace.id) else {
                    return Ok(Err(BadLine::UnknownConnection));
                };
                (found.id, found.platform)
            }
            ConnectionRef::Named(platform, name) => {
                match registry.import_connection(self.workspace.id, *platform, name).await {
                    Ok(found) => (found.id, found.platform),
                    Err(RegistryError::Refused(why)) => return Ok(Err(BadLine::Connection(why))),
                    Err(error) => return Err(error.into()),
                }
            }
        };
        self.connections.insert(reference.clone(), found);
        Ok(Ok(found))
    }

    async fn flush(&mut self) -> Result<(), ImportError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        // One at a time, so that the lines stay in order.
        self.appended().await?;
        let (id, slot) = (self.workspace.id, self.workspace.slot);
        self.importer.gate.admit(slot).await;
        let (appender, batch) = (self.importer.intake.appender.clone(), std::mem::take(&mut self.batch));
        self.appending = Some(tokio::spawn(async move {
            let position = appender.append(id, slot, &batch).await?;
            Ok((position, batch.len() as u64))
        }));
        self.bytes = 0;
        Ok(())
    }

    /// Waits until the batch before is durable.
    async fn appended(&mut self) -> Result<(), ImportError> {
        let Some(appending) = self.appending.take() else { return Ok(()) };
        let appended = appending.await.map_err(|_| RecordError::Unavailable("appending was stopped".into()))?;
        let (position, lines) = appended?;
        self.position = Some(position);
        self.summary.appended += lines;
        Ok(())
    }
}
