//! Keeps the first bytes of a connection while its handshake runs, without holding them back: so the handshake needs no
//! look ahead, and what was refused can still be named.
use super::hello::HANDSHAKE;
use crate::http::Socket;
use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// More than a hello of today needs; what is longer is not understood, only counted.
const KEPT: usize = 16 * 1024;

/// A connection whose first bytes are kept until [`Tap::forget`].
#[derive(Debug)]
pub(crate) struct Tap {
    stream: Socket,
    seen: Option<Vec<u8>>,
}

impl Tap {
    pub(super) fn new(stream: Socket) -> Self {
        Self { stream, seen: Some(Vec::new()) }
    }

    /// What the client sent so far.
    pub(super) fn seen(&self) -> &[u8] {
        self.seen.as_deref().unwrap_or_default()
    }

    /// Ends the keeping: the handshake is done.
    pub(super) fn forget(&mut self) {
        self.seen = None;
    }
}

impl AsyncRead for Tap {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if let Some(seen) = &mut self.seen {
            let fresh = buf.filled().get(before..).unwrap_or_default();
            seen.extend(fresh.iter().take(KEPT.saturating_sub(seen.len())));
            // What is not TLS gets no byte back, not even an alert.
            if seen.first().is_some_and(|first| *first != HANDSHAKE) {
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "not TLS")));
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tap {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
