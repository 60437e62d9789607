//! Reads the first bytes of a client that got no connection, to say which version it would have needed. Nothing is
//! decided here: TLS itself is left to the library, this only names what it refused.

/// What a refused client speaks at best.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    Tls12,
    Tls11,
    Tls10,
    Ssl3,
    /// HTTP in clear.
    Plain,
    /// Anything else, hellos cut short included.
    Unknown,
}

impl Version {
    pub(crate) const ALL: [Self; 6] = [Self::Tls12, Self::Tls11, Self::Tls10, Self::Ssl3, Self::Plain, Self::Unknown];

    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Tls12 => "tls1.2",
            Self::Tls11 => "tls1.1",
            Self::Tls10 => "tls1.0",
            Self::Ssl3 => "ssl3",
            Self::Plain => "plain",
            Self::Unknown => "unknown",
        }
    }

    fn of(wire: u16) -> Self {
        match wire {
            0x0303 => Self::Tls12,
            0x0302 => Self::Tls11,
            0x0301 => Self::Tls10,
            0x0300 => Self::Ssl3,
            _ => Self::Unknown,
        }
    }
}

/// What a client opened with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opening {
    /// No byte at all.
    Nothing,
    /// A hello that offers TLS 1.3; it failed for another reason.
    Tls13,
    /// Something that cannot become TLS 1.3.
    Older(Version),
}

/// The content type of handshake records, the first byte of every TLS connection.
pub(crate) const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SUPPORTED_VERSIONS: u16 = 43;
const TLS13: u16 = 0x0304;

/// Classifies what a client sent first. `bytes` may end early or go on past the hello.
pub(crate) fn opening(bytes: &[u8]) -> Opening {
    match bytes.first() {
        None => Opening::Nothing,
        Some(&HANDSHAKE) => match hello(bytes) {
            Some(hello) => offered(&hello).unwrap_or(Opening::Older(Version::Unknown)),
            None => Opening::Older(Version::Unknown),
        },
        Some(_) if looks_like_http(bytes) => Opening::Older(Version::Plain),
        Some(_) => Opening::Older(Version::Unknown),
    }
}

/// A method in capital letters, as far as it has come: a client may send its request byte by byte.
fn looks_like_http(bytes: &[u8]) -> bool {
    let method = bytes.split(|byte| *byte == b' ').next().unwrap_or(bytes);
    !method.is_empty() && method.len() <= 16 && method.iter().all(u8::is_ascii_uppercase)
}

/// The body of the ClientHello, gathered from the records it may be spread over.
fn hello(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut records = Reader(bytes);
    let mut message = Vec::new();
    loop {
        if records.number(1)? != u16::from(HANDSHAKE) {
            return None;
        }
        records.number(2)?; // The record's version says nothing: it is fixed for compatibility.
        let length = records.number(2)?;
        message.extend_from_slice(records.take(usize::from(length))?);
        if let Some(&[kind, a, b, c]) = message.first_chunk() {
            if kind != CLIENT_HELLO {
                return None;
            }
            let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).ok()?;
            if let Some(body) = message.get(4..4 + length) {
                return Some(body.to_vec());
            }
        }
    }
}

/// The best version that a hello offers. An unknown or absent list of versions leaves the old field, which says at most
/// 1.2: a hello without the list cannot lead to 1.3.
fn offered(hello: &[u8]) -> Option<Opening> {
    let mut reader = Reader(hello);
    let legacy = reader.number(2)?.min(0x0303);
    reader.take(32)?; // random
    reader.vector(1)?; // session id
    reader.vector(2)?; // cipher suites
    reader.vector(1)?; // compression
    if reader.0.is_empty() {
        return Some(Opening::Older(Version::of(legacy)));
    }
    let mut extensions = Reader(reader.vector(2)?);
    while !extensions.0.is_empty() {
        let kind = extensions.number(2)?;
        let content = extensions.vector(2)?;
        if kind == SUPPORTED_VERSIONS {
            let versions = Reader(content).vector(1)?.as_chunks::<2>().0;
            // Values outside of this range are GREASE or drafts, and mean nothing to us.
            let best = versions.iter().copied().map(u16::from_be_bytes).filter(|v| (0x0300..=TLS13).contains(v)).max();
            return Some(match best {
                Some(TLS13) => Opening::Tls13,
                Some(older) => Opening::Older(Version::of(older)),
                None => Opening::Older(Version::Unknown),
            });
        }
    }
    Some(Opening::Older(Version::of(legacy)))
}

/// Takes bytes from the front; `None` where there are too few.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// A number of one or two bytes.
    fn number(&mut self, width: usize) -> Option<u16> {
        Some(self.take(width)?.iter().fold(0, |number, byte| number << 8 | u16::from(*byte)))
    }

    /// As many bytes as the number in front of them says.
    fn vector(&mut self, width: usize) -> Option<&'a [u8]> {
        let length = self.number(width)?;
        self.take(usize::from(length))
    }
}

#[cfg(test)]
#[path = "hello_tests.rs"]
mod tests;
