//! JSON lines on a stream: one command, then its input if it has any, and lines of answer the other way.
use serde::{Serialize, de::DeserializeOwned};
use std::io;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use zeroize::Zeroizing;

/// The longest command; a replay may name many dead letters.
pub const COMMAND_BYTES: u64 = 4 << 20;
/// The longest line of an answer: a list of all connections is one, of some 350 bytes each. Only the process that runs
/// on the data directory writes these.
pub const ANSWER_BYTES: u64 = 64 << 20;

/// Reads a line of at most `max` bytes; `None` at the end of the stream.
///
/// # Errors
/// When the stream fails, or the line is too long, cut short, or not what is expected.
pub async fn read<T: DeserializeOwned>(stream: &mut (impl AsyncBufRead + Unpin), max: u64) -> io::Result<Option<T>> {
    // Secrets and keys travel in these lines.
    let mut line = Zeroizing::new(Vec::new());
    let read = stream.take(max + 1).read_until(b'\n', &mut line).await?;
    if read == 0 {
        return Ok(None);
    }
    if line.last() != Some(&b'\n') {
        let why = if read as u64 > max { "the line is too long" } else { "the line ends early" };
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    // serde's text could quote the line.
    let invalid = |_| io::Error::new(io::ErrorKind::InvalidData, "the line is not one that is expected here");
    serde_json::from_slice(&line).map(Some).map_err(invalid)
}

/// Writes a line.
///
/// # Errors
/// When the stream fails.
pub async fn write(stream: &mut (impl AsyncWrite + Unpin), line: &impl Serialize) -> io::Result<()> {
    let mut bytes = Zeroizing::new(serde_json::to_vec(line)?);
    bytes.push(b'\n');
    stream.write_all(&bytes).await?;
    stream.flush().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::{Command, Reply};
    use tokio::io::BufReader;

    #[tokio::test]
    async fn lines_round_trip_and_what_follows_is_left() {
        let mut wire = Vec::new();
        write(&mut wire, &Command::Import { workspace: "w\n".into() }).await.unwrap();
        wire.extend_from_slice(b"{\"id\":1}\n{\"id\":2}");
        let mut stream = BufReader::with_capacity(7, wire.as_slice());
        let command = read(&mut stream, COMMAND_BYTES).await.unwrap();
        assert!(matches!(command, Some(Command::Import { workspace }) if workspace == "w\n"));
        let mut rest = String::new();
        stream.read_to_string(&mut rest).await.unwrap();
        assert_eq!(rest, "{\"id\":1}\n{\"id\":2}");
        assert!(read::<Reply>(&mut stream, ANSWER_BYTES).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn lines_that_are_cut_long_or_strange_are_refused_without_quoting_them() {
        let long = format!("\"{}\"\n", "hunter2".repeat(1 << 20));
        for bad in ["{\"reply\":\"done\"", "hunter2\n", "{}\n", long.as_str()] {
            let error = read::<Reply>(&mut bad.as_bytes(), COMMAND_BYTES).await.unwrap_err();
            assert!(!error.to_string().contains("hunter2"));
        }
    }

    #[tokio::test]
    async fn an_answer_may_be_longer_than_a_command() {
        let answer = Reply::Done { value: "x".repeat(8 << 20).into(), clean: true };
        let mut wire = Vec::new();
        write(&mut wire, &answer).await.unwrap();
        assert_eq!(read::<Reply>(&mut wire.as_slice(), ANSWER_BYTES).await.unwrap(), Some(answer));
        assert!(read::<Command>(&mut wire.as_slice(), COMMAND_BYTES).await.is_err());
    }
}
