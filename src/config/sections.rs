//! Every setting, with its meaning, unit, default and an example. `chatmai config` prints these comments.
use super::{
    section::section,
    units::{Size, Span},
    values::{AppId, LogFormat, SecretFiles},
};
use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

const fn local(port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

const fn seconds(seconds: u64) -> Span {
    Span(Duration::from_secs(seconds))
}

section! {
    /// Where the process listens. Port 0 takes any free one; `endpoints.json` in the data directory tells which.
    Listen in "listen" {
        /// Address and port of the webhook listener (TLS 1.3; see `webhooks.tls12_exception`).
        ingest: SocketAddr = local(8443), e.g. "\"0.0.0.0:8443\"";
        /// Address and port of the query API (TLS 1.3).
        api: SocketAddr = local(8444), e.g. "\"0.0.0.0:8444\"";
        /// Address and port of `/healthz`, `/readyz` and `/metrics`. Not encrypted, so on loopback only.
        operations: SocketAddr = local(8445), e.g. "\"127.0.0.1:9100\"";
    }
}

section! {
    /// Certificates of the webhook listener and the API. Without them a CA and a certificate for `localhost` are made
    /// under `tls/` in the data directory.
    Tls in "tls" {
        /// Path of the certificate chain, PEM, the server's own first. Needs `tls.key`.
        certificate: Option<PathBuf> = None, e.g. "\"/etc/chatmai/tls/fullchain.pem\"";
        /// Path of its private key, PEM. Needs `tls.certificate`.
        key: Option<PathBuf> = None, e.g. "\"/etc/chatmai/tls/key.pem\"";
        /// Path of the CA certificate that clients should trust, named in `endpoints.json`. Default: the chain itself.
        ca: Option<PathBuf> = None, e.g. "\"/etc/chatmai/tls/ca.pem\"";
    }
}

section! {
    /// The webhook listener alone.
    Webhooks in "webhooks" {
        /// The written reason for which this listener takes TLS 1.2 as well, with ECDHE and AEAD suites; it is warned of at
        /// start and shown in readiness. Left out, it speaks TLS 1.3 only, as the API always does.
        tls12_exception: Option<String> = None,
            e.g. "\"platform P speaks no TLS 1.3 (ticket 123, to be asked again in May)\"";
    }
}

section! {
    /// The event log.
    Log in "log" {
        /// Number of slots that workspaces are spread over. Fixed when the data directory is made.
        slots: u32 = 1, e.g. "4";
        /// Size at which a log file is closed and the next one begun.
        segment_bytes: Size = Size(64 << 20), e.g. "\"64MiB\"";
        /// Size of all log files together at which webhooks are answered with 503.
        max_bytes: Size = Size(8 << 30), e.g. "\"20GiB\"";
    }
}

/// A section that says where one of the databases is.
macro_rules! database_section {
    ($(#[doc = $doc:literal])+ $name:ident in $path:literal, e.g. $url:literal) => {
        section! {
            $(#[doc = $doc])+
            $name in $path {
                /// URL of a PostgreSQL database, `postgres://role@host:5432/database`, without a password. The role owns
                /// the database. Connections are TLS 1.3 and the server's certificate is verified, whatever is set
                /// here. Default: an SQLite file in the data directory.
                url: Option<String> = None, e.g. $url;
                /// Path of a file with the role's password. Read at start.
                password_file: Option<PathBuf> = None, e.g. "\"/run/secrets/postgres-password\"";
                /// Path of the CA certificate, PEM, that the server's certificate comes from. Public CAs are trusted too.
                ca_certificate: Option<PathBuf> = None, e.g. "\"/etc/chatmai/postgres-ca.pem\"";
                /// Path of a certificate chain, PEM, for servers that ask clients for one. Needs `client_key`.
                client_certificate: Option<PathBuf> = None, e.g. "\"/etc/chatmai/postgres-client.pem\"";
                /// Path of its private key, PEM. Needs `client_certificate`.
                client_key: Option<PathBuf> = None, e.g. "\"/etc/chatmai/postgres-client.key\"";
            }
        }

        impl $name {
            /// The settings, whichever section they are of.
            pub fn server(&self) -> super::databases::Server<'_> {
                super::databases::Server {
                    section: $path,
                    url: self.url.as_deref(),
                    password_file: self.password_file.as_deref(),
                    ca_certificate: self.ca_certificate.as_deref(),
                    client_certificate: self.client_certificate.as_deref(),
                    client_key: self.client_key.as_deref(),
                }
            }
        }
    };
}

database_section! {
    /// The database of the catalog and of who exists. It, the key store and the vault have a database and a role each.
    Catalog in "catalog", e.g. "\"postgres://chatmai_catalog@db.internal:5432/chatmai_catalog\""
}

database_section! {
    /// The key store's own database. Its backups live at most 7 days.
    Keys in "keys", e.g. "\"postgres://chatmai_keys@db.internal:5432/chatmai_keys\""
}

database_section! {
    /// The token vault's own database.
    Vault in "vault", e.g. "\"postgres://chatmai_vault@db.internal:5432/chatmai_vault\""
}

section! {
    /// The root keys, under which all other keys lie.
    Kms in "kms" {
        /// Path of the directory with the root keys. Default: `keys` in the data directory. Processes that share a key store
        /// share it too.
        directory: Option<PathBuf> = None, e.g. "\"/etc/chatmai/root-keys\"";
    }
}

section! {
    /// Apache Kafka as the event log, in place of the embedded one. Always TLS 1.3 and with the brokers' certificates and
    /// names checked; nothing turns that off.
    Kafka in "kafka" {
        /// Addresses of brokers, `host:port`; any one leads to all. Set, Kafka is the event log, and `log.slots` is the
        /// number of partitions of its topics.
        brokers: Vec<String> = Vec::new(), e.g. "[\"kafka-1.internal:9093\", \"kafka-2.internal:9093\"]";
        /// Text in front of the names of the topics `events` and `outbound`, where several installations share brokers.
        topic_prefix: String = String::new(), e.g. "\"shop-\"";
        /// Path of the CA certificates that sign the brokers', PEM. Needed.
        ca_certificate: Option<PathBuf> = None, e.g. "\"/etc/chatmai/kafka/ca.pem\"";
        /// Path of the client's certificate chain, PEM. Needs `kafka.key`.
        certificate: Option<PathBuf> = None, e.g. "\"/etc/chatmai/kafka/chatmai.pem\"";
        /// Path of its private key, PEM. Needs `kafka.certificate`.
        key: Option<PathBuf> = None, e.g. "\"/etc/chatmai/kafka/chatmai-key.pem\"";
        /// How a name and a password are given, beside the certificate or in place of it: `SCRAM-SHA-512`,
        /// `SCRAM-SHA-256` or `PLAIN`.
        sasl_mechanism: Option<String> = None, e.g. "\"SCRAM-SHA-512\"";
        /// The name. Needs `kafka.sasl_mechanism`.
        sasl_user: Option<String> = None, e.g. "\"chatmai\"";
        /// Path of a file with the password. Read at start.
        sasl_password_file: Option<PathBuf> = None, e.g. "\"/run/secrets/kafka-password\"";
        /// Size of what may wait to be sent; beyond it webhooks wait, and after 5 s are answered with 503.
        send_bytes: Size = Size(64 << 20), e.g. "\"128MiB\"";
        /// Size of what each reader of a slot fetches ahead; a slot has up to three.
        fetch_bytes: Size = Size(8 << 20), e.g. "\"16MiB\"";
    }
}

section! {
    /// When events go from the log to encrypted files. Readers see them before that, whatever is set here.
    Land in "land" {
        /// Age of the oldest waiting event at which a commit is due. A commit makes a file for each workspace and day.
        max_age: Span = seconds(5), e.g. "\"5m\"";
        /// Size of the events, sealed, of one commit at most; where more wait, several follow each other.
        max_bytes: Size = Size(64 << 20), e.g. "\"128MiB\"";
        /// Number of waiting events at which a commit is due.
        max_rows: u64 = 200_000, e.g. "500000";
    }
}

section! {
    /// Jobs that keep the files in order.
    Jobs in "jobs" {
        /// Time between two looks for conversations whose table is behind.
        derive_interval: Span = seconds(10), e.g. "\"1m\"";
        /// Time between two looks for files to merge.
        compact_interval: Span = seconds(60), e.g. "\"5m\"";
        /// Time between two looks for days that are past their retention.
        expire_interval: Span = seconds(3600), e.g. "\"1h\"";
        /// Time between two comparisons of the store with the catalog.
        scrub_interval: Span = seconds(86_400), e.g. "\"1d\"";
        /// Days in which each data file is read whole once and compared with its SHA-256; a store that charges for reading asks
        /// for more than one.
        verify_days: u16 = 1, e.g. "28";
        /// Age at which an edit or unsend is folded into its message's row, so that the old content leaves the files. At
        /// most 6d.
        fold_after: Span = seconds(86_400), e.g. "\"6h\"";
    }
}

section! {
    /// The query API.
    Query in "query" {
        /// Size of all inbox indexes in memory; those not used for longest are dropped first.
        index_bytes: Size = Size(256 << 20), e.g. "\"1GiB\"";
        /// Size of the sealed events in memory that no file holds yet; what is beyond is read from the log on demand.
        tail_bytes: Size = Size(128 << 20), e.g. "\"256MiB\"";
    }
}

section! {
    /// The Facebook app whose webhooks come in. Each page is a connection.
    Facebook in "platforms.facebook" {
        /// App id: an echo with it is a message that was sent by this product.
        app_id: Option<AppId> = None, e.g. "\"987654321098765\"";
        /// App ids of Facebook's own Page inbox: an echo with one was written by a person.
        page_inbox_app_ids: Vec<AppId> = vec![AppId("263902037430900".into()), AppId("26390203743090".into())],
            e.g. "[\"263902037430900\"]";
        /// App ids of other apps in which people write; an echo of any other app counts as a bot's.
        human_app_ids: Vec<AppId> = Vec::new(), e.g. "[\"112233445566778\"]";
        /// Path of a file with the app secret, which signs webhooks; a list of two during its rotation.
        /// Read at start.
        app_secret_file: SecretFiles = SecretFiles::default(), e.g. "\"/run/secrets/facebook-app-secret\"";
        /// Path of a file with the verify token of the webhook set-up; a list of two during its rotation.
        /// Read at start.
        verify_token_file: SecretFiles = SecretFiles::default(), e.g. "\"/run/secrets/facebook-verify-token\"";
    }
}

section! {
    /// What one client may ask for.
    Limits in "limits" {
        /// Size of a webhook's body; beyond it the answer is 413. At most 1MiB.
        body_bytes: Size = Size(1 << 20), e.g. "\"512KiB\"";
        /// Size of a request's line and headers; beyond it the answer is 431. At least 8KiB.
        header_bytes: Size = Size(16 << 10), e.g. "\"32KiB\"";
        /// Time in which a request's headers, and then its body, must have come.
        read_timeout: Span = seconds(10), e.g. "\"5s\"";
        /// Number of open connections of each listener; beyond it clients wait.
        connections: usize = 1024, e.g. "4096";
        /// Number of open connections of each listener from one client address; beyond it they are closed at once. Set it
        /// as high as `connections` behind a proxy, whose address all clients have.
        connections_per_address: usize = 512, e.g. "4096";
        /// Number of requests that one HTTP/2 connection may have running.
        streams: u32 = 256, e.g. "100";
        /// Webhook posts a second for one connection of a workspace; beyond it the answer is 429. 0 is no limit.
        posts_per_connection: u32 = 20_000, e.g. "500";
        /// Webhook posts a second from one client address; beyond it the answer is 429. 0 is no limit.
        posts_per_address: u32 = 20_000, e.g. "2000";
        /// API requests a second with one key; beyond it the answer is 429. At least 1.
        requests_per_key: u32 = 2000, e.g. "50";
    }
}

section! {
    /// How long events are kept.
    Retention in "retention" {
        /// Days, for new workspaces that are not given their own. From 1 to 356.
        days: u16 = 356, e.g. "90";
    }
}

section! {
    /// The process's own log, on stderr. It never holds content.
    Logging in "logging" {
        /// `text` for people or `json`, one object a line.
        format: LogFormat = LogFormat::Text, e.g. "\"json\"";
        /// Least severity that is written: `error`, `warn`, `info`, `debug`, `trace`; also by module.
        level: String = "info".into(), e.g. "\"warn,ingest=debug\"";
    }
}

section! {
    /// For crash tests, and by the environment only.
    Testing in "testing" {
        /// Place in the code at which the process kills itself; stops itself with `stop:` in front.
        fault: Option<String> = None, e.g. "\"land/before-commit\"";
    }
}
