//! Closing without losing the last answer. A socket that is closed while bytes of its client lie unread in it is reset by
//! the kernel, and the reset overtakes what was sent before. A request is often refused before it is read, so a client
//! that is still sending would never learn why.
use crate::limits::Linger;
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::TcpStream,
    sync::{oneshot, watch},
};

/// What is read into, again and again.
const SCRATCH: usize = 16 * 1024;
/// What is left of all patience once the listener stops.
const AT_STOP: Duration = Duration::from_millis(300);

/// A socket that goes back to who lent it, when TLS and HTTP let go of it: they close by dropping.
#[derive(Debug)]
pub(crate) struct Socket {
    /// Absent only while it is dropped.
    stream: Option<TcpStream>,
    lender: Option<oneshot::Sender<TcpStream>>,
}

/// Where a lent socket comes back to.
pub(super) struct Lent(oneshot::Receiver<TcpStream>);

/// Lends a socket.
pub(super) fn lend(stream: TcpStream) -> (Socket, Lent) {
    let (lender, lent) = oneshot::channel();
    (Socket { stream: Some(stream), lender: Some(lender) }, Lent(lent))
}

impl Lent {
    /// Ends a connection whose last answer is written: says that no more will come, then reads and drops what its client
    /// still sends, until that one closes or a limit is reached. Whoever still holds the socket keeps it from lingering.
    pub(super) async fn linger(mut self, limits: &Linger, mut stopping: watch::Receiver<bool>) {
        let Ok(stream) = self.0.try_recv() else { return };
        let stopped = async {
            let _ = stopping.wait_for(|stop| *stop).await;
            tokio::time::sleep(AT_STOP).await;
        };
        tokio::select! {
            () = drain(stream, limits) => {}
            () = stopped => {}
            () = tokio::time::sleep(limits.time) => {}
        }
    }
}

async fn drain(mut stream: TcpStream, limits: &Linger) {
    // Usually done already, by HTTP. A socket that refuses has no client any more.
    if stream.shutdown().await.is_err() {
        return;
    }
    // On the heap, as this future is a part of each connection's, and most never come here.
    let mut scratch = vec![0; SCRATCH];
    let mut left = limits.bytes;
    while left > 0 {
        match tokio::time::timeout(limits.quiet, stream.read(&mut scratch)).await {
            Ok(Ok(read)) if read > 0 => left = left.saturating_sub(read),
            // Closed, broken, or silent.
            _ => return,
        }
    }
}

impl Socket {
    fn stream(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        self.stream.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if let (Some(stream), Some(lender)) = (self.stream.take(), self.lender.take()) {
            // Who lent it may not wait for it: then it ends here.
            drop(lender.send(stream));
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_shutdown(cx)
    }
}
