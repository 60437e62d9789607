//! `chatmai log pass-gap`. Not behind the control socket: where there is a gap, no process that lands starts.
use crate::{
    config::Config,
    control::CommandError,
    node::{DataDir, pass_gap},
    output,
};
use schemas::log::{Offset, Slot};
use std::process::ExitCode;

/// Passes a gap and says what it cost.
///
/// # Errors
/// See [`pass_gap`].
pub async fn pass(config: &Config, slot: u32, to: u64, json: bool) -> Result<ExitCode, CommandError> {
    let directory = DataDir::lock(&config.data_dir)?;
    let lost = pass_gap(config, directory, Slot(slot), Offset(to)).await?;
    let answer = serde_json::json!({ "slot": slot, "next": to, "lost": lost });
    if json {
        output::json(&answer)?;
    } else {
        output::line(&output::human(&answer))?;
    }
    Ok(ExitCode::SUCCESS)
}
