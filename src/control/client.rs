//! Carries a command out: by the process that runs on the data directory, else here.
use super::{
    command::Command,
    frames,
    reply::{CommandError, Outcome, Replies, Reply},
    socket,
};
use crate::{
    commands,
    config::Config,
    node::{DataDir, Solo, StartError},
};
use std::{io, time::Duration};
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::UnixStream,
};

/// How long a process that has just started, or is about to end, is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);

/// Carries out a command; `input` is what belongs to it, such as the lines of an import.
///
/// # Errors
/// See [`CommandError`].
pub async fn run(
    config: &Config,
    command: Command,
    input: &mut (impl AsyncBufRead + Unpin + Send),
    replies: &mut impl Replies,
) -> Result<Outcome, CommandError> {
    let began = tokio::time::Instant::now();
    loop {
        let connected = socket::connect(&config.data_dir).await;
        if let Some(stream) = connected.map_err(|error| CommandError::failed(format!("the control socket: {error}")))? {
            return by_socket(stream, command, input, replies).await;
        }
        match DataDir::lock(&config.data_dir) {
            Ok(directory) => return alone(config, directory, command, input, replies).await,
            // It holds the lock and has no socket: it starts, or stops, or works on a command of its own.
            Err(StartError::InUse { .. }) if began.elapsed() < PATIENCE => tokio::time::sleep(PAUSE).await,
            Err(error) => return Err(error.into()),
        }
    }
}

async fn alone(
    config: &Config,
    directory: DataDir,
    command: Command,
    input: &mut (impl AsyncBufRead + Unpin + Send),
    replies: &mut impl Replies,
) -> Result<Outcome, CommandError> {
    let solo = Solo::open(config, directory, command.needs_pipeline()).await?;
    let result = tokio::select! {
        biased;
        result = commands::execute(solo.desk(), command, input, replies) => Some(result),
        () = solo.land_ended() => None,
    };
    let closed = solo.close().await.map_err(CommandError::failed);
    match result {
        Some(result) => result.and_then(|outcome| closed.map(|()| outcome)),
        None => Err(closed.err().unwrap_or_else(|| CommandError::failed("the land workers have ended"))),
    }
}

async fn by_socket(
    stream: UnixStream,
    command: Command,
    input: &mut (impl AsyncBufRead + Unpin + Send),
    replies: &mut impl Replies,
) -> Result<Outcome, CommandError> {
    let (read, mut write) = stream.into_split();
    let mut answers = BufReader::new(read);
    let send = async {
        frames::write(&mut write, &command).await?;
        if matches!(command, Command::Import { .. }) {
            pass_on(input, &mut write).await?;
        }
        Ok(write.shutdown().await?)
    };
    let receive = async {
        loop {
            match frames::read::<Reply>(&mut answers, frames::ANSWER_BYTES).await? {
                Some(Reply::Done { value, clean }) => return Ok(Ok(Outcome { value, clean })),
                Some(Reply::Failed { why, usage: true }) => return Ok(Err(CommandError::usage(why))),
                Some(Reply::Failed { why, usage: false }) => return Ok(Err(CommandError::failed(why))),
                Some(reply) => replies.take(reply).await?,
                None => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the running process has ended")),
            }
        }
    };
    let (mut send, mut receive) = (std::pin::pin!(send), std::pin::pin!(receive));
    let mut sent = None;
    let answered: io::Result<_> = loop {
        tokio::select! {
            answered = &mut receive => break answered,
            // The answer says more than a stream that was cut because of it.
            result = &mut send, if sent.is_none() => match result {
                // The other side waits for lines that will not come.
                Err(SendError::Input(error)) => return Err(CommandError::failed(format!("the input cannot be read: {error}"))),
                Err(SendError::Socket(error)) => sent = Some(Err(error)),
                Ok(()) => sent = Some(Ok(())),
            },
        }
    };
    match (answered, sent) {
        (Ok(result), _) => result,
        (Err(_), Some(Err(error))) | (Err(error), _) => {
            Err(CommandError::failed(format!("the control socket: {error}")))
        }
    }
}

/// Why a command's input did not go out.
enum SendError {
    /// It cannot be read.
    Input(io::Error),
    /// Nobody takes it.
    Socket(io::Error),
}

impl From<io::Error> for SendError {
    fn from(error: io::Error) -> Self {
        Self::Socket(error)
    }
}

async fn pass_on(
    input: &mut (impl AsyncBufRead + Unpin + Send),
    write: &mut (impl AsyncWrite + Unpin),
) -> Result<(), SendError> {
    loop {
        let bytes = input.fill_buf().await.map_err(SendError::Input)?;
        if bytes.is_empty() {
            return Ok(());
        }
        write.write_all(bytes).await?;
        let length = bytes.len();
        input.consume(length);
    }
}
