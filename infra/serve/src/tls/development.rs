//! A CA of this machine's own, for when no certificates are configured.
use super::{
    config::{provider, roots},
    files::{Readers, replace},
    identity::{Identity, load_identity},
};
use crate::ServeError;
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, NameConstraints, date_time_ymd,
};
use rustls::{
    client::{WebPkiServerVerifier, danger::ServerCertVerifier},
    pki_types::{ServerName, UnixTime},
};
use schemas::clock::Clock;
use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a server certificate is valid.
const LIFE: Duration = Duration::from_secs(365 * DAY.as_secs());
/// A certificate is renewed at a start this close to its end; a process may thus run for so long.
const RENEW: Duration = Duration::from_secs(90 * DAY.as_secs());

/// What a process shows when no certificates are configured.
#[derive(Debug, Clone)]
pub struct DevIdentity {
    /// The CA's certificate: what clients trust.
    pub ca_certificate: PathBuf,
    /// The server's certificate and key.
    pub identity: Identity,
}

/// Makes a CA and a server certificate for `localhost`, `127.0.0.1` and `::1` under `tls_dir`, or takes those that are
/// there: `ca.pem` (for clients), `ca-key.pem` and `server.pem` (certificate and key in one file, which cannot fall
/// apart; both 0600). A server certificate that is broken or near its end is replaced, under the same CA. The keys come
/// from the system's generator through *ring*. The caller holds the data directory's lock.
pub fn development_identity(tls_dir: &Path, clock: &dyn Clock) -> Result<DevIdentity, ServeError> {
    fs::create_dir_all(tls_dir).map_err(ServeError::file(tls_dir))?;
    let ca_certificate = tls_dir.join("ca.pem");
    let ca_key = tls_dir.join("ca-key.pem");
    let server = tls_dir.join("server.pem");
    if !present(&ca_certificate)? {
        // The key is written first: a key alone is the rest of a crash, and goes on to be the CA's.
        if !present(&ca_key)? {
            replace(&ca_key, &KeyPair::generate()?.serialize_pem(), Readers::Owner)?;
        }
        let certificate = authority()?.self_signed(&read_key(&ca_key)?)?;
        replace(&ca_certificate, &certificate.pem(), Readers::All)?;
    }
    if let Some(identity) = usable(&ca_certificate, &server, clock)? {
        return Ok(DevIdentity { ca_certificate, identity });
    }
    if !present(&ca_key)? {
        return Err(broken(tls_dir, "a server certificate is needed but the CA's key is missing"));
    }
    replace(&server, &issue(read_key(&ca_key)?, clock)?, Readers::Owner)?;
    match usable(&ca_certificate, &server, clock)? {
        Some(identity) => Ok(DevIdentity { ca_certificate, identity }),
        None => Err(broken(tls_dir, "the CA's certificate and key do not belong together")),
    }
}

fn broken(path: &Path, reason: &'static str) -> ServeError {
    ServeError::DevelopmentCa { path: path.to_owned(), reason }
}

fn present(path: &Path) -> Result<bool, ServeError> {
    path.try_exists().map_err(ServeError::file(path))
}

fn read_key(path: &Path) -> Result<KeyPair, ServeError> {
    let pem = fs::read_to_string(path).map_err(ServeError::file(path))?;
    KeyPair::from_pem(&pem).map_err(|error| ServeError::Pem { path: path.to_owned(), reason: error.to_string() })
}

/// The CA, the same at every start but for its key. It may vouch for this machine only, so that one who has it trusted
/// does not trust the holder of its key with the rest of the internet; that is why it need not end (RFC 5280, 4.1.2.5).
fn authority() -> Result<CertificateParams, ServeError> {
    let mut ca = CertificateParams::new(Vec::new())?;
    ca.distinguished_name.push(DnType::CommonName, "ChatMai development CA");
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    ca.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![
            GeneralSubtree::DnsName("localhost".to_owned()),
            GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(IpAddr::V4(Ipv4Addr::LOCALHOST), 32)),
            GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(IpAddr::V6(Ipv6Addr::LOCALHOST), 128)),
        ],
        excluded_subtrees: Vec::new(),
    });
    // Fixed, so that a clock that was wrong at the first start does not spoil the CA.
    ca.not_before = date_time_ymd(2020, 1, 1);
    ca.not_after = date_time_ymd(9999, 12, 31) + Duration::from_secs(DAY.as_secs() - 1);
    Ok(ca)
}

/// A new server certificate with a new key. The serial number follows from the key, and is thus new as well.
fn issue(ca_key: KeyPair, clock: &dyn Clock) -> Result<String, ServeError> {
    let now = date_time_ymd(1970, 1, 1) + since_epoch(clock);
    let mut server = CertificateParams::new(NAMES.map(str::to_owned))?;
    server.distinguished_name.push(DnType::CommonName, "ChatMai development server");
    server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    server.use_authority_key_identifier_extension = true;
    // A day back, for clients whose clock is behind.
    server.not_before = now - DAY;
    server.not_after = now + LIFE;
    let key = KeyPair::generate()?;
    let certificate = server.signed_by(&key, &Issuer::new(authority()?, ca_key))?;
    Ok(certificate.pem() + &key.serialize_pem())
}

/// The server's identity if clients that trust the CA will accept it for every name, now and until it would be renewed.
/// This asks the verifier that our clients use, rather than reading dates.
fn usable(ca_certificate: &Path, server: &Path, clock: &dyn Clock) -> Result<Option<Identity>, ServeError> {
    if !present(server)? {
        return Ok(None);
    }
    let identity = match load_identity(server, server) {
        Ok(identity) => identity,
        Err(error @ ServeError::File { .. }) => return Err(error),
        Err(error) => {
            tracing::warn!(%error, "the development certificate is replaced");
            return Ok(None);
        }
    };
    let (Some((own, rest)), roots) = (identity.0.cert.split_first(), roots(ca_certificate)?) else { return Ok(None) };
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::new(provider()))
        .build()
        .map_err(|error| ServeError::Pem { path: ca_certificate.to_owned(), reason: error.to_string() })?;
    let now = since_epoch(clock);
    for name in NAMES {
        let Ok(name) = ServerName::try_from(name) else { return Ok(None) };
        for at in [now, now + RENEW] {
            if verifier.verify_server_cert(own, rest, &name, &[], UnixTime::since_unix_epoch(at)).is_err() {
                return Ok(None);
            }
        }
    }
    Ok(Some(identity))
}

fn since_epoch(clock: &dyn Clock) -> Duration {
    // Clamped to what a certificate can say; a clock before 1970 is a clock at 1970.
    Duration::from_millis(u64::try_from(clock.now().clamped().0).unwrap_or(0))
}
