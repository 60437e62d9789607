//! What one listener grants its clients.
use std::time::Duration;

/// Bounds on what a client may ask of a listener before it is cut. All of them hold before any handler runs.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The size of a request's line and headers; beyond it the answer is 431. Not below 8 KiB, which is the least that
    /// HTTP/1 is read with.
    pub header_bytes: usize,
    /// How long a request's headers may take. An HTTP/1 connection is also closed when it has been idle for so long, as
    /// waiting for the next request is waiting for its headers.
    pub header_timeout: Duration,
    /// How long a request's body may take as a whole, from the first time the handler had to wait for it. A handler that
    /// has a limit of its own, and an answer for it, needs a longer one here.
    pub body_timeout: Duration,
    /// How long a TLS handshake may take.
    pub handshake_timeout: Duration,
    /// How long an HTTP/2 connection without a running request is kept.
    pub idle_timeout: Duration,
    /// Open connections. At the limit no further one is accepted, so that clients queue in the kernel.
    pub connections: usize,
    /// Open connections from one address (of IPv6 the /64, which one client has as a whole); further ones are closed at
    /// once, so that one client cannot take all of them.
    pub connections_per_address: usize,
    /// Requests that one HTTP/2 connection may have running.
    pub streams: u32,
    /// What is still taken from a client that has its last answer.
    pub linger: Linger,
}

/// What a client may still send after its last answer. It is read and dropped: a client that sends a whole body before it
/// reads would otherwise not learn why it was refused.
#[derive(Debug, Clone)]
pub struct Linger {
    /// Bytes, as they come over the wire.
    pub bytes: usize,
    /// How long in all.
    pub time: Duration,
    /// How long without a byte.
    pub quiet: Duration,
}

impl Default for Linger {
    fn default() -> Self {
        Self { bytes: 32 << 20, time: Duration::from_secs(5), quiet: Duration::from_secs(1) }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_bytes: 16 * 1024,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(15),
            handshake_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(60),
            // Where the process may open fewer files, accepting pauses at that limit instead.
            connections: 1_024,
            connections_per_address: 512,
            streams: 256,
            linger: Linger::default(),
        }
    }
}
