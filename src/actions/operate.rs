//! The operator's commands: arguments and files in, answers out.
use super::print::Printer;
use crate::{
    cli::{Action, Connectable, Connection, DeadLetters, Key, KeyScope, Which, Workspace},
    config::{Config, Secret},
    control::{self, Command, CommandError, Letters, Outcome, SecretBytes},
    output,
};
use std::{
    fs::OpenOptions,
    io::Write,
    os::{fd::AsFd, unix::fs::OpenOptionsExt},
    path::{Path, PathBuf},
    process::ExitCode,
};
use tokio::io::{AsyncBufRead, BufReader};
use warehouse::registry::Scope;

/// Carries out a command and prints its answer.
///
/// # Errors
/// See [`CommandError`].
pub async fn run(config: &Config, action: Action, json: bool) -> Result<ExitCode, CommandError> {
    let export = match &action {
        Action::Key(Key::Export { out, .. }) => Some(out.clone()),
        _ => None,
    };
    if let Some(out) = export.as_ref().filter(|out| out.exists()) {
        return Err(CommandError::usage(format!("{} exists already and is not overwritten", out.display())));
    }
    let mut input = input(&action).await?;
    let mut printer = Printer::new(&action, json);
    let command = command(action)?;
    let outcome = control::run(config, command, &mut input, &mut printer).await?;
    match export {
        Some(out) => write_keys(&out, &outcome, json)?,
        None => printer.finish(&outcome)?,
    }
    Ok(if outcome.clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The lines of an import; nothing for other commands.
async fn input(action: &Action) -> Result<Box<dyn AsyncBufRead + Unpin + Send>, CommandError> {
    Ok(match action {
        Action::Import(import) if import.file == Path::new("-") => {
            let stdin = std::fs::File::from(std::io::stdin().as_fd().try_clone_to_owned()?);
            Box::new(BufReader::with_capacity(64 << 10, tokio::fs::File::from_std(stdin)))
        }
        Action::Import(import) => {
            let file = tokio::fs::File::open(&import.file).await;
            let file = file.map_err(|error| CommandError::usage(format!("{}: {error}", import.file.display())))?;
            Box::new(BufReader::with_capacity(64 << 10, file))
        }
        _ => Box::new(tokio::io::empty()),
    })
}

fn secret(file: &Path) -> Result<SecretBytes, CommandError> {
    Ok(SecretBytes::new(Secret::read(file)?.expose()))
}

fn letters(which: Which) -> Letters {
    Letters { workspace: which.workspace, connection: which.connection, ids: which.ids }
}

fn command(action: Action) -> Result<Command, CommandError> {
    Ok(match action {
        Action::Workspace(Workspace::Add { name, time_zone, retention_days }) => {
            Command::WorkspaceAdd { name, time_zone, retention_days }
        }
        Action::Workspace(Workspace::List) => Command::WorkspaceList,
        Action::Connection(connection) => self::connection(connection)?,
        Action::Key(key) => self::key(key),
        Action::Import(import) => Command::Import { workspace: import.workspace },
        Action::DeadLetters(DeadLetters::List(which)) => Command::DeadLettersList(letters(which)),
        Action::DeadLetters(DeadLetters::Show(which)) => Command::DeadLettersShow(letters(which)),
        Action::DeadLetters(DeadLetters::Replay(which)) => Command::DeadLettersReplay(letters(which)),
        Action::Up
        | Action::Ingest
        | Action::Transform
        | Action::QueryApi
        | Action::Demo(_)
        | Action::Config
        | Action::Log(_) => {
            return Err(CommandError::usage("not an operator's command"));
        }
    })
}

fn connection(connection: Connection) -> Result<Command, CommandError> {
    Ok(match connection {
        Connection::Add { workspace, platform, name, destination, secret_file, page_id } => {
            let external_id = match platform {
                Connectable::Line => destination.ok_or_else(|| CommandError::usage("--destination is missing"))?,
                Connectable::Facebook => page_id.ok_or_else(|| CommandError::usage("--page-id is missing"))?,
            };
            let secret = secret_file.as_deref().map(secret).transpose()?;
            Command::ConnectionAdd { workspace, platform: platform.into(), name, external_id, secret }
        }
        Connection::List { workspace } => Command::ConnectionList { workspace },
        Connection::Disable { connection } => Command::ConnectionDisable { connection },
        Connection::RotateSecret { connection, secret_file } => {
            Command::ConnectionRotateSecret { connection, secret: secret(&secret_file)? }
        }
    })
}

fn key(key: Key) -> Command {
    match key {
        Key::Add { workspace, scope } => {
            let scopes = scope.into_iter().map(|scope| match scope {
                KeyScope::Read => Scope::Read,
                KeyScope::Write => Scope::Write,
            });
            Command::KeyAdd { workspace, scopes: scopes.collect() }
        }
        Key::List { workspace } => Command::KeyList { workspace },
        Key::Revoke { id } => Command::KeyRevoke { id },
        Key::Rotate { workspace, .. } => Command::KeyRotate { workspace },
        Key::Export { workspace, day, .. } => Command::KeyExport { workspace, day },
    }
}

/// Keys go to a new file that only its owner can read, and nowhere else.
fn write_keys(out: &PathBuf, outcome: &Outcome, json: bool) -> Result<(), CommandError> {
    let failed = |error: std::io::Error| CommandError::failed(format!("{}: {error}", out.display()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(out).map_err(failed)?;
    let text = zeroize::Zeroizing::new(serde_json::to_string_pretty(&outcome.value).map_err(CommandError::failed)?);
    file.write_all(text.as_bytes())
        .and_then(|()| file.write_all(b"\n"))
        .and_then(|()| file.sync_all())
        .map_err(failed)?;
    let count = outcome.value.as_object().map_or(0, serde_json::Map::len);
    let answer = serde_json::json!({ "file": out, "keys": count });
    if json {
        output::json(&answer)?;
    } else {
        output::line(&output::human(&answer))?;
    }
    eprintln!("{count} keys exported; they open the data for as long as copies of it exist, also after its expiry");
    Ok(())
}
