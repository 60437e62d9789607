//! What a TLS listener counts.
use crate::tls::hello::Version;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use rustls::ProtocolVersion;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByListener {
    listener: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByVersion {
    listener: &'static str,
    version: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByReason {
    listener: &'static str,
    reason: &'static str,
}

/// What a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accepted {
    Tls13,
    /// By an exception alone.
    Tls12,
}

impl Accepted {
    const ALL: [Self; 2] = [Self::Tls13, Self::Tls12];

    /// The library names the version of a finished handshake, which is one of the two.
    pub(crate) fn of(version: Option<ProtocolVersion>) -> Self {
        if version == Some(ProtocolVersion::TLSv1_3) { Self::Tls13 } else { Self::Tls12 }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Tls13 => "tls1.3",
            Self::Tls12 => "tls1.2",
        }
    }
}

/// Why a client that could have spoken TLS 1.3 got no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It took too long.
    Timeout,
    /// It left without a byte, as probes of a port do.
    Silent,
    /// The handshake failed, on its side (it does not trust our certificate) or on ours.
    Handshake,
}

impl Failure {
    const ALL: [Self; 3] = [Self::Timeout, Self::Silent, Self::Handshake];

    fn label(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Silent => "silent",
            Self::Handshake => "handshake",
        }
    }
}

#[derive(Debug, Clone, Default)]
struct Families {
    accepted: Family<ByVersion, Counter>,
    refused: Family<ByVersion, Counter>,
    failed: Family<ByReason, Counter>,
    open: Family<ByListener, Gauge>,
    exceptions: Family<ByListener, Gauge>,
}

/// The counters of one listener. Clones count into the same numbers.
#[derive(Debug, Clone)]
pub struct ListenerMetrics {
    listener: &'static str,
    families: Families,
}

impl ListenerMetrics {
    /// Registers the metrics and begins counting for the listener `name`. Once per registry: a second listener takes
    /// [`ListenerMetrics::beside`], as a metric that is registered twice is announced twice, which OpenMetrics forbids.
    pub fn new(name: &'static str, registry: &mut Registry) -> Self {
        let families = Families::default();
        let accepted = families.accepted.clone();
        registry.register("chatmai_tls_handshakes_accepted", "TLS handshakes completed, by version", accepted);
        let refused = families.refused.clone();
        registry.register(
            "chatmai_tls_handshakes_refused",
            "Clients turned away for what they speak, by the best of it",
            refused,
        );
        let failed = families.failed.clone();
        registry.register(
            "chatmai_tls_handshakes_failed",
            "Handshakes that failed for another reason than the version",
            failed,
        );
        registry.register(
            "chatmai_tls_connections_open",
            "Connections open, after their handshake",
            families.open.clone(),
        );
        registry.register(
            "chatmai_tls12_exception",
            "1 where an exception lets TLS 1.2 in (webhooks.tls12_exception)",
            families.exceptions.clone(),
        );
        Self::begin(name, families)
    }

    /// The counters of another listener in the same registry.
    pub fn beside(&self, name: &'static str) -> Self {
        Self::begin(name, self.families.clone())
    }

    /// Handshakes refused since the start, for each version in a fixed order, zeros included: `tls1.2`, `tls1.1`,
    /// `tls1.0`, `ssl3`, `plain` (HTTP in clear), `unknown`.
    pub fn refused(&self) -> Vec<(&'static str, u64)> {
        Version::ALL.map(|version| (version.label(), self.refusals(version).get())).to_vec()
    }

    /// Handshakes completed since the start.
    pub fn accepted(&self) -> u64 {
        Accepted::ALL.map(|version| self.accepts(version).get()).iter().sum()
    }

    /// Those of them that an exception let in with TLS 1.2.
    pub fn accepted_with_tls12(&self) -> u64 {
        self.accepts(Accepted::Tls12).get()
    }

    /// Says, or takes back, that the listener takes TLS 1.2 by an exception.
    pub fn set_tls12_exception(&self, holds: bool) {
        let exceptions = &self.families.exceptions;
        exceptions.get_or_create_owned(&ByListener { listener: self.listener }).set(holds.into());
    }

    /// Connections open now.
    pub fn open(&self) -> u64 {
        u64::try_from(self.connections().get()).unwrap_or(0)
    }

    /// Handshakes that failed since the start although the client spoke TLS 1.3, or said nothing: `timeout`, `silent`,
    /// `handshake`.
    pub fn failed(&self) -> Vec<(&'static str, u64)> {
        Failure::ALL.map(|reason| (reason.label(), self.failures(reason).get())).to_vec()
    }

    pub(crate) fn count_accepted(&self, version: Accepted) {
        self.accepts(version).inc();
    }

    pub(crate) fn count_refused(&self, version: Version) {
        self.refusals(version).inc();
    }

    pub(crate) fn count_failed(&self, reason: Failure) {
        self.failures(reason).inc();
    }

    /// Counts a connection as open until the guard is dropped.
    pub(crate) fn opened(&self) -> OpenConnection {
        let gauge = self.connections();
        gauge.inc();
        OpenConnection(gauge)
    }

    fn begin(listener: &'static str, families: Families) -> Self {
        let metrics = Self { listener, families };
        // A series that starts at zero shows its first increase; one that starts at one does not.
        metrics.connections();
        metrics.set_tls12_exception(false);
        for version in Accepted::ALL {
            metrics.accepts(version);
        }
        for version in Version::ALL {
            metrics.refusals(version);
        }
        for reason in Failure::ALL {
            metrics.failures(reason);
        }
        metrics
    }

    fn accepts(&self, version: Accepted) -> Counter {
        self.families.accepted.get_or_create_owned(&ByVersion { listener: self.listener, version: version.label() })
    }

    fn refusals(&self, version: Version) -> Counter {
        self.families.refused.get_or_create_owned(&ByVersion { listener: self.listener, version: version.label() })
    }

    fn failures(&self, reason: Failure) -> Counter {
        self.families.failed.get_or_create_owned(&ByReason { listener: self.listener, reason: reason.label() })
    }

    fn connections(&self) -> Gauge {
        self.families.open.get_or_create_owned(&ByListener { listener: self.listener })
    }
}

/// Keeps a connection in the count of open ones.
#[derive(Debug)]
pub(crate) struct OpenConnection(Gauge);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}
