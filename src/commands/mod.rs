//! What each command does. The same code runs behind the socket, in a process of its own, and in the demo.
mod connections;
mod dead_letters;
mod import;
mod keys;
mod workspaces;

use crate::{
    control::{Command, CommandError, Outcome, Replies},
    node::Desk,
};
use ::keys::KeyError;
use schemas::ids::WorkspaceId;
use tokio::io::AsyncBufRead;
use warehouse::registry::RegistryError;

/// Carries out a command.
///
/// # Errors
/// See [`CommandError`].
pub async fn execute(
    desk: &Desk,
    command: Command,
    input: &mut (impl AsyncBufRead + Unpin + Send),
    replies: &mut impl Replies,
) -> Result<Outcome, CommandError> {
    tracing::info!(command = command.name(), "an operator's command");
    match command {
        Command::WorkspaceAdd { name, time_zone, retention_days } => {
            workspaces::add(desk, &name, &time_zone, retention_days).await
        }
        Command::WorkspaceList => workspaces::list(desk).await,
        Command::ConnectionAdd { workspace, platform, name, external_id, secret } => {
            connections::add(desk, &workspace, platform, &name, &external_id, secret, replies).await
        }
        Command::ConnectionList { workspace } => connections::list(desk, workspace.as_deref()).await,
        Command::ConnectionDisable { connection } => connections::disable(desk, connection).await,
        Command::ConnectionRotateSecret { connection, secret } => {
            connections::rotate_secret(desk, connection, &secret).await
        }
        Command::KeyAdd { workspace, scopes } => keys::add(desk, &workspace, &scopes).await,
        Command::KeyList { workspace } => keys::list(desk, workspace.as_deref()).await,
        Command::KeyRevoke { id } => keys::revoke(desk, id).await,
        Command::KeyRotate { workspace } => keys::rotate(desk, workspace.as_deref()).await,
        Command::KeyExport { workspace, day } => keys::export(desk, &workspace, day).await,
        Command::Import { workspace } => import::import(desk, &workspace, input, replies).await,
        Command::DeadLettersList(letters) => dead_letters::list(desk, &letters, replies).await,
        Command::DeadLettersShow(letters) => dead_letters::show(desk, &letters, replies).await,
        Command::DeadLettersReplay(letters) => dead_letters::replay(desk, &letters).await,
    }
}

/// The workspace that is meant: by id, by a name that only one has, or `system`.
async fn workspace(desk: &Desk, text: &str) -> Result<WorkspaceId, CommandError> {
    desk.registry.refresh().await?;
    let view = desk.registry.view();
    if let Ok(id) = text.parse::<WorkspaceId>() {
        return if view.workspaces.contains_key(&id) {
            Ok(id)
        } else {
            Err(RegistryError::NotFound("workspace").into())
        };
    }
    if text == "system" {
        return Ok(WorkspaceId::SYSTEM);
    }
    let mut named = view.workspaces.values().filter(|workspace| workspace.name == text).map(|workspace| workspace.id);
    match (named.next(), named.next()) {
        (Some(id), None) => Ok(id),
        (Some(_), Some(_)) => Err(CommandError::usage("several workspaces have this name; give the id")),
        (None, _) => Err(RegistryError::NotFound("workspace").into()),
    }
}

/// As [`workspace`], but not the operator's own, in which nothing can be connected.
async fn customer(desk: &Desk, text: &str) -> Result<WorkspaceId, CommandError> {
    match workspace(desk, text).await? {
        WorkspaceId::SYSTEM => Err(CommandError::usage("the workspace system is the operator's own")),
        id => Ok(id),
    }
}

impl From<RegistryError> for CommandError {
    fn from(error: RegistryError) -> Self {
        match error {
            RegistryError::Refused(why) => Self::usage(why),
            other => Self::failed(other),
        }
    }
}

impl From<KeyError> for CommandError {
    fn from(error: KeyError) -> Self {
        Self::failed(error)
    }
}

impl From<std::io::Error> for CommandError {
    fn from(error: std::io::Error) -> Self {
        Self::failed(error)
    }
}
