//! When to stop.
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

/// Completes when the process is asked to end, by SIGTERM or Ctrl-C; says by which.
///
/// # Errors
/// When signals cannot be heard.
pub async fn asked() -> std::io::Result<&'static str> {
    let (mut term, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = term.recv() => Ok("SIGTERM"),
        _ = interrupt.recv() => Ok("SIGINT"),
    }
}

/// Completes when the switch is turned, or whoever could turn it is gone.
pub async fn turned(mut switch: watch::Receiver<bool>) {
    let _ = switch.wait_for(|on| *on).await;
}
