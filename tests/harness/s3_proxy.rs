//! A proxy in front of an S3 service that can be told to misbehave. Its certificate is by the service's CA, so who
//! trusts the service trusts it, and it hands every request on byte by byte: signatures stay what they are.
use super::{random::Random, raw::address, s3::S3};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    version::TLS13,
};
use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

/// What it does with requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Pass,
    /// Answers 503 itself; nothing reaches the service.
    Refuse,
    /// The same for all that is no reading.
    RefuseWrites,
    /// Answers late, and some of them in two pieces.
    Slow,
    /// The service carries out what it is asked; half of its good answers are lost with their connection.
    LoseAnswers,
}

struct Shared {
    mode: Mutex<Mode>,
    /// Requests that it misbehaved on.
    hurt: AtomicU64,
    random: Mutex<Random>,
    stop: AtomicBool,
    service: String,
    to_service: Arc<ClientConfig>,
    to_clients: Arc<ServerConfig>,
}

/// See the module's documentation.
pub struct S3Proxy {
    address: String,
    shared: Arc<Shared>,
}

impl S3Proxy {
    pub fn start(s3: &S3, seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (chain, key) = certificate(s3);
        let ring = || Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(s3.value("CA")).unwrap()).unwrap();
        let to_service = ClientConfig::builder_with_provider(ring()).with_protocol_versions(&[&TLS13]).unwrap();
        let to_clients = ServerConfig::builder_with_provider(ring()).with_protocol_versions(&[&TLS13]).unwrap();
        let shared = Arc::new(Shared {
            mode: Mutex::new(Mode::Pass),
            hurt: AtomicU64::new(0),
            random: Mutex::new(Random::new(seed)),
            stop: AtomicBool::new(false),
            service: address(s3.value("ENDPOINT")).to_owned(),
            to_service: Arc::new(to_service.with_root_certificates(roots).with_no_client_auth()),
            to_clients: Arc::new(to_clients.with_no_client_auth().with_single_cert(chain, key).unwrap()),
        });
        let (address, of_thread) = (listener.local_addr().unwrap().to_string(), shared.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if of_thread.stop.load(Ordering::SeqCst) {
                    return;
                }
                let (Ok(stream), shared) = (stream, of_thread.clone()) else { continue };
                // A connection that breaks is the client's to make anew.
                std::thread::spawn(move || serve(&shared, stream).ok());
            }
        });
        Self { address, shared }
    }

    pub fn endpoint(&self) -> String {
        format!("https://{}", self.address)
    }

    pub fn set(&self, mode: Mode) {
        *self.shared.mode.lock().unwrap() = mode;
    }

    /// Requests so far that it misbehaved on.
    pub fn hurt(&self) -> u64 {
        self.shared.hurt.load(Ordering::SeqCst)
    }
}

impl Drop for S3Proxy {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(&self.address);
    }
}

/// A certificate by the service's own CA, and its key.
fn certificate(s3: &S3) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let openssl = |arguments: &[&str]| {
        let mut openssl = Command::new("openssl");
        let output = openssl.args(arguments).current_dir(s3.directory()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let ca = ["-x509", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "365", "-subj", "/CN=localhost"];
    let name = ["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"];
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "proxy-key.pem"];
    openssl(&[&["req"], &ca[..], &name, &key, &["-out", "proxy.pem"]].concat());
    let chain = CertificateDer::from_pem_file(s3.directory().join("proxy.pem")).unwrap();
    (vec![chain], PrivateKeyDer::from_pem_file(s3.directory().join("proxy-key.pem")).unwrap())
}

type ToService = BufReader<StreamOwned<ClientConnection, TcpStream>>;

fn connect(shared: &Shared) -> io::Result<ToService> {
    let stream = TcpStream::connect(&shared.service)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let connection = ClientConnection::new(shared.to_service.clone(), name).map_err(io::Error::other)?;
    Ok(BufReader::new(StreamOwned::new(connection, stream)))
}

/// Requests of one client, one after the other, until it leaves.
fn serve(shared: &Shared, stream: TcpStream) -> io::Result<()> {
    let connection = ServerConnection::new(shared.to_clients.clone()).map_err(io::Error::other)?;
    let mut client = BufReader::new(StreamOwned::new(connection, stream));
    let mut service = None;
    loop {
        let request = message(&mut client, true)?;
        let mode = *shared.mode.lock().unwrap();
        let is_read = request.starts_with(b"GET ") || request.starts_with(b"HEAD ");
        if mode == Mode::Refuse || (mode == Mode::RefuseWrites && !is_read) {
            shared.hurt.fetch_add(1, Ordering::SeqCst);
            send(&mut client, b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n")?;
            continue;
        }
        if service.is_none() {
            service = Some(connect(shared)?);
        }
        let service = service.as_mut().unwrap();
        send(service, &request)?;
        let answer = message(service, !request.starts_with(b"HEAD "))?;
        let (chance, number) = {
            let mut random = shared.random.lock().unwrap();
            (random.chance(50), random.number())
        };
        match mode {
            Mode::LoseAnswers if chance && answer.starts_with(b"HTTP/1.1 2") => {
                shared.hurt.fetch_add(1, Ordering::SeqCst);
                return client.get_ref().sock.shutdown(Shutdown::Both);
            }
            Mode::Slow => {
                shared.hurt.fetch_add(1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(number % 2500));
                let (first, rest) = answer.split_at(if chance { answer.len() / 2 } else { 0 });
                send(&mut client, first)?;
                std::thread::sleep(Duration::from_millis(number % 500));
                send(&mut client, rest)?;
            }
            _ => send(&mut client, &answer)?,
        }
    }
}

fn send<S: Read + Write>(to: &mut BufReader<S>, bytes: &[u8]) -> io::Result<()> {
    to.get_mut().write_all(bytes)?;
    to.get_mut().flush()
}

/// A whole HTTP/1.1 message as it came. Some answers have a length and no body.
fn message(from: &mut impl BufRead, has_body: bool) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let (mut length, mut is_chunked) = (0, false);
    loop {
        let line = line(from, &mut bytes)?.to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
        is_chunked |= line.starts_with("transfer-encoding:") && line.contains("chunked");
    }
    while has_body && is_chunked {
        let size = usize::from_str_radix(line(from, &mut bytes)?.trim(), 16).map_err(io::Error::other)?;
        body(from, &mut bytes, size + 2)?;
        is_chunked = size > 0;
    }
    if has_body {
        body(from, &mut bytes, length)?;
    }
    Ok(bytes)
}

fn line(from: &mut impl BufRead, bytes: &mut Vec<u8>) -> io::Result<String> {
    let begin = bytes.len();
    if from.read_until(b'\n', bytes)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(String::from_utf8_lossy(&bytes[begin..]).trim_end().to_owned())
}

fn body(from: &mut impl BufRead, bytes: &mut Vec<u8>, length: usize) -> io::Result<()> {
    let begin = bytes.len();
    bytes.resize(begin + length, 0);
    from.read_exact(&mut bytes[begin..])
}
