//! Operators' commands: through the socket of a running process, or done here with the directory's lock.
mod client;
mod command;
mod frames;
mod reply;
mod server;
mod socket;

pub use client::run;
pub use command::{Command, Letters, SecretBytes};
pub use reply::{Collected, CommandError, Outcome, Replies, Reply};
pub use server::Control;

/// Removes the socket of a process that has ended its commands.
pub fn withdraw(directory: &std::path::Path) {
    if let Err(error) = socket::remove(directory) {
        tracing::warn!(%error, "the control socket's file stays; the next start removes it");
    }
}
