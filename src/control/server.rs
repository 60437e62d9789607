//! The socket's other end, in a running process.
use super::{
    command::Command,
    frames,
    reply::{CommandError, Outcome, Replies, Reply},
    socket,
};
use crate::{commands, node::Desk};
use std::{future::Future, io, path::Path, sync::Arc, time::Duration};
use tokio::{
    io::BufReader,
    net::{UnixListener, UnixStream, unix::OwnedWriteHalf},
    sync::Semaphore,
    task::JoinSet,
};

/// How long a client may take to say what it wants.
const QUESTION: Duration = Duration::from_secs(10);
/// Long commands that run at once; further ones wait. The others never do: a key must be revoked at any time.
const AT_ONCE: usize = 16;
/// How long those that run when the process stops may still take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Listens for commands.
pub struct Control {
    listener: UnixListener,
    desk: Arc<Desk>,
}

impl Control {
    /// Listens in a directory whose lock is held.
    ///
    /// # Errors
    /// When the directory does not let it.
    pub fn bind(directory: &Path, desk: Arc<Desk>) -> io::Result<Self> {
        Ok(Self { listener: socket::listen(directory)?, desk })
    }

    /// Serves until `stop` ends; then cuts off what needs much longer. An import that is cut off has appended what it
    /// said, and running it again drops the copies.
    pub async fn run(self, stop: impl Future<Output = ()> + Send) -> Result<(), String> {
        let room = Arc::new(Semaphore::new(AT_ONCE));
        let mut running = JoinSet::new();
        let mut stop = std::pin::pin!(stop);
        loop {
            let accepted = tokio::select! {
                () = &mut stop => break,
                Some(_) = running.join_next() => continue,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => {
                    let (desk, room) = (self.desk.clone(), room.clone());
                    running.spawn(async move {
                        if let Err(error) = serve(stream, &desk, &room).await {
                            tracing::info!(%error, "an operator's command was cut off");
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "the control socket accepts nothing now");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        drop(self.listener);
        let rest = async { while running.join_next().await.is_some() {} };
        if tokio::time::timeout(PATIENCE, rest).await.is_err() {
            running.shutdown().await;
        }
        Ok(())
    }
}

struct ToSocket(OwnedWriteHalf);

impl Replies for ToSocket {
    async fn take(&mut self, reply: Reply) -> io::Result<()> {
        frames::write(&mut self.0, &reply).await
    }
}

async fn serve(stream: UnixStream, desk: &Desk, room: &Semaphore) -> io::Result<()> {
    let (read, write) = stream.into_split();
    let (mut input, mut replies) = (BufReader::new(read), ToSocket(write));
    let question = frames::read::<Command>(&mut input, frames::COMMAND_BYTES);
    let Some(command) = tokio::time::timeout(QUESTION, question).await?? else { return Ok(()) };
    let _permit = if command.is_long() { Some(room.acquire().await.map_err(io::Error::other)?) } else { None };
    let last = last(commands::execute(desk, command, &mut input, &mut replies).await);
    replies.take(last).await
}

fn last(result: Result<Outcome, CommandError>) -> Reply {
    match result {
        Ok(Outcome { value, clean }) => Reply::Done { value, clean },
        Err(error) => Reply::Failed { why: error.to_string(), usage: error.usage },
    }
}
