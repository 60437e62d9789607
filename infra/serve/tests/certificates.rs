//! The development CA over restarts, and certificates from files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a helper that fails fails its test")]
mod support;
use axum::Router;
use rcgen::{CertificateParams, DnType, Issuer, KeyPair};
use schemas::{clock::ManualClock, time::Millis};
use serve::{Limits, ListenerMetrics, ServeError, TlsListener, tls};
use std::{collections::BTreeMap, fs, future::pending, os::unix::fs::PermissionsExt, path::Path, time::Duration};
use support::connect_with;

const DAY: Duration = Duration::from_secs(86_400);
const START: Millis = Millis(1_795_335_330_000);

fn files(directory: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(directory).unwrap().map(Result::unwrap);
    entries.map(|e| (e.file_name().into_string().unwrap(), fs::read_to_string(e.path()).unwrap())).collect()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_restart_reuses_what_is_there() {
    let data = tempfile::tempdir().unwrap();
    let tls_dir = data.path().join("tls");
    let clock = ManualClock::at(START);
    let made = tls::development_identity(&tls_dir, &*clock).unwrap();
    assert_eq!(made.ca_certificate, tls_dir.join("ca.pem"));
    let first = files(&tls_dir);
    assert_eq!(first.keys().collect::<Vec<_>>(), ["ca-key.pem", "ca.pem", "server.pem"]);
    assert_eq!((mode(&tls_dir.join("ca-key.pem")), mode(&tls_dir.join("server.pem"))), (0o600, 0o600));
    clock.advance(DAY * 200);
    tls::development_identity(&tls_dir, &*clock).unwrap();
    assert_eq!(files(&tls_dir), first);
    assert!(!format!("{made:?}").to_lowercase().contains("key"), "{made:?}");
}

#[test]
fn near_its_end_a_certificate_is_renewed_under_the_same_ca() {
    let tls_dir = tempfile::tempdir().unwrap();
    let clock = ManualClock::at(START);
    tls::development_identity(tls_dir.path(), &*clock).unwrap();
    let first = files(tls_dir.path());
    let mut seen = vec![first["server.pem"].clone()];
    // Close to the end, after it, and with a clock that was set back before the beginning.
    for days in [280, 2_000, 100, 20_000] {
        clock.set(START + DAY * days);
        tls::development_identity(tls_dir.path(), &*clock).unwrap();
        let now = files(tls_dir.path());
        assert!(!seen.contains(&now["server.pem"]), "renewed on day {days}");
        seen.push(now["server.pem"].clone());
        assert_eq!((&now["ca.pem"], &now["ca-key.pem"]), (&first["ca.pem"], &first["ca-key.pem"]));
    }
}

#[test]
fn a_crash_at_any_step_leaves_something_to_go_on_with() {
    let tls_dir = tempfile::tempdir().unwrap();
    let clock = ManualClock::at(START);
    tls::development_identity(tls_dir.path(), &*clock).unwrap();
    let whole = files(tls_dir.path());
    // Before the server's certificate; before the CA's certificate too; in the middle of writing one.
    fs::remove_file(tls_dir.path().join("server.pem")).unwrap();
    fs::write(tls_dir.path().join("server.new"), "-----BEGIN").unwrap();
    tls::development_identity(tls_dir.path(), &*clock).unwrap();
    assert_eq!(files(tls_dir.path())["ca.pem"], whole["ca.pem"]);
    fs::remove_file(tls_dir.path().join("ca.pem")).unwrap();
    fs::remove_file(tls_dir.path().join("server.pem")).unwrap();
    tls::development_identity(tls_dir.path(), &*clock).unwrap();
    assert_eq!(files(tls_dir.path())["ca-key.pem"], whole["ca-key.pem"]);
    fs::write(tls_dir.path().join("server.pem"), "torn").unwrap();
    tls::development_identity(tls_dir.path(), &*clock).unwrap();
    assert_eq!(files(tls_dir.path()).len(), 3);
}

#[test]
fn a_ca_that_lost_its_key_serves_until_renewal_and_then_says_so() {
    let tls_dir = tempfile::tempdir().unwrap();
    let clock = ManualClock::at(START);
    tls::development_identity(tls_dir.path(), &*clock).unwrap();
    let key = tls_dir.path().join("ca-key.pem");
    fs::remove_file(&key).unwrap();
    tls::development_identity(tls_dir.path(), &*clock).unwrap();
    clock.advance(DAY * 300);
    let missing = tls::development_identity(tls_dir.path(), &*clock).unwrap_err();
    assert!(matches!(missing, ServeError::DevelopmentCa { .. }), "{missing}");
    fs::write(&key, KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let foreign = tls::development_identity(tls_dir.path(), &*clock).unwrap_err();
    assert!(foreign.to_string().contains("do not belong together"), "{foreign}");
}

#[test]
fn files_that_do_not_fit_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let clock = ManualClock::at(START);
    tls::development_identity(dir.path(), &*clock).unwrap();
    let (server, ca, ca_key) =
        (dir.path().join("server.pem"), dir.path().join("ca.pem"), dir.path().join("ca-key.pem"));
    tls::load_identity(&server, &server).unwrap();
    assert!(matches!(tls::load_identity(&server, &ca_key), Err(ServeError::Identity { path, .. }) if path == server));
    assert!(matches!(tls::load_identity(&server, &ca), Err(ServeError::Pem { path, .. }) if path == ca));
    assert!(matches!(tls::load_identity(&ca_key, &ca_key), Err(ServeError::Pem { path, .. }) if path == ca_key));
    let none = dir.path().join("none.pem");
    assert!(matches!(tls::load_identity(&none, &server), Err(ServeError::File { path, .. }) if path == none));
    assert!(matches!(tls::client_config(&ca_key), Err(ServeError::Pem { .. })));
}

#[tokio::test]
async fn the_ca_can_vouch_for_this_machine_only() {
    let dir = tempfile::tempdir().unwrap();
    let made = tls::development_identity(dir.path(), &schemas::clock::SystemClock).unwrap();
    let ca_key = KeyPair::from_pem(&fs::read_to_string(dir.path().join("ca-key.pem")).unwrap()).unwrap();
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.distinguished_name.push(DnType::CommonName, "ChatMai development CA");
    let issuer = Issuer::new(ca, ca_key);
    for (name, accepted) in [("localhost", true), ("example.com", false), ("10.0.0.1", false)] {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
        let path = dir.path().join("other.pem");
        fs::write(&path, certificate.pem() + &key.serialize_pem()).unwrap();
        let config = tls::server_config(&tls::load_identity(&path, &path).unwrap()).unwrap();
        let metrics = ListenerMetrics::new("api", &mut Default::default());
        let any = "127.0.0.1:0".parse().unwrap();
        let listener = TlsListener::bind(any, config, Limits::default(), metrics).await.unwrap();
        let address = listener.local_addr();
        let served = tokio::spawn(listener.serve(Router::new(), pending(), Duration::ZERO));
        let client = (*tls::client_config(&made.ca_certificate).unwrap()).clone();
        let outcome = connect_with(address, client, name).await;
        assert_eq!(outcome.is_ok(), accepted, "{name}: {:?}", outcome.err());
        served.abort();
    }
}
