//! `chatmai import`.
use super::customer;
use crate::{
    control::{CommandError, Outcome, Replies, Reply},
    node::Desk,
};
use ::ingest::{ImportError, Importer};
use tokio::{io::AsyncBufRead, sync::mpsc};

pub(super) async fn import(
    desk: &Desk,
    of: &str,
    input: &mut (impl AsyncBufRead + Unpin + Send),
    replies: &mut impl Replies,
) -> Result<Outcome, CommandError> {
    let workspace = customer(desk, of).await?;
    let pipeline = desk.pipeline()?;
    let importer = Importer::new(pipeline.intake.clone(), pipeline.gate.clone());
    // Not bounded by itself: the import is not polled while a line goes out, so that no more wait than one read holds.
    let (bad, mut told) = mpsc::unbounded_channel();
    let run = async move {
        importer
            .run(workspace, input, move |line, why| {
                // Only fails when the operator is gone; then the answer fails too.
                let _ = bad.send(format!("line {line}: {why}"));
            })
            .await
    };
    let mut run = std::pin::pin!(run);
    let mut result = None;
    loop {
        tokio::select! {
            biased;
            text = told.recv() => match text {
                Some(text) => replies.take(Reply::Note { text }).await?,
                None => break,
            },
            ended = &mut run, if result.is_none() => result = Some(ended),
        }
    }
    let summary = match result {
        Some(ended) => ended,
        None => run.await,
    };
    let summary = summary.map_err(|error| match error {
        ImportError::NoWorkspace => CommandError::usage(error),
        other => CommandError::failed(other),
    })?;
    let clean = summary.bad == 0;
    Ok(Outcome { value: serde_json::to_value(&summary).map_err(CommandError::failed)?, clean })
}
