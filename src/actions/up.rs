//! `chatmai up`, `ingest`, `transform`, `query-api`: a process with its roles, until it is asked to end.
use crate::{
    config::Config,
    control::CommandError,
    node::{DataDir, Node, Roles, asked},
};
use std::process::ExitCode;

/// Runs until SIGTERM or Ctrl-C.
///
/// # Errors
/// When it does not start.
pub async fn run(config: &Config, roles: Roles) -> Result<ExitCode, CommandError> {
    // Heard from the beginning: a start may take a while, and ending it must not lose anything either.
    let mut signal = std::pin::pin!(asked());
    let directory = DataDir::lock(&config.data_dir)?;
    let started = tokio::select! {
        started = Node::start(config, directory, roles) => started,
        _ = &mut signal => return Ok(ExitCode::SUCCESS),
    };
    let mut node = started?;
    let failure = tokio::select! {
        heard = &mut signal => {
            tracing::info!(signal = heard?, "asked to end");
            None
        }
        why = node.failed() => Some(why),
    };
    if let Some(why) = &failure {
        tracing::error!(why, "a part of the process has ended; the process ends");
    }
    let stopped = node.stop().await;
    if let Err(why) = &stopped {
        tracing::error!(why, "the stop was not clean");
    }
    Ok(if failure.is_none() && stopped.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
