//! Where a database is.
use sqlx::any::AnyConnectOptions;
use std::{fmt, path::PathBuf, str::FromStr};
use zeroize::Zeroizing;

/// A database.
#[derive(Clone, Debug)]
pub enum Address {
    /// SQLite's file. Its directory exists; the file is made with mode 0600 if it is missing.
    Sqlite(PathBuf),
    /// A database of a PostgreSQL server. It exists, and its owner is the role that is used.
    Postgres(Postgres),
}

impl From<PathBuf> for Address {
    fn from(path: PathBuf) -> Self {
        Self::Sqlite(path)
    }
}

/// A certificate that the client shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsClient {
    /// The chain, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
}

/// A database of a PostgreSQL server. Does not print its password.
#[derive(Clone)]
pub struct Postgres {
    host: String,
    port: u16,
    user: String,
    database: String,
    password: Option<Zeroizing<String>>,
    ca_certificate: Option<PathBuf>,
    client: Option<TlsClient>,
}

/// What is wrong with a URL. Nothing of the URL is in the text: it could hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not of the right form.
    #[error("it is written like postgres://role@host:5432/database")]
    Form,
    /// It holds a password.
    #[error("it holds a password; a password comes from a file")]
    Password,
    /// It sets something after `?`.
    #[error("nothing follows `?`; TLS 1.3 with a verified certificate is always used, and cannot be turned off")]
    Parameters,
}

/// PostgreSQL's own.
const PORT: u16 = 5432;

impl Postgres {
    /// Reads `postgres://role@host:port/database`. The port may be left out; nothing else may be there.
    ///
    /// # Errors
    /// [`AddressError`].
    pub fn parse(url: &str) -> Result<Self, AddressError> {
        // The parser of the library that connects, so that both read the same.
        let url = AnyConnectOptions::from_str(url).map_err(|_| AddressError::Form)?.database_url;
        if url.password().is_some() {
            return Err(AddressError::Password);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(AddressError::Parameters);
        }
        // Names that would have to be encoded are refused, so that they are the same here and in the URL.
        let plain = |text: &str| {
            let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
            (!text.is_empty() && text.bytes().all(allowed)).then(|| text.to_owned())
        };
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err(AddressError::Form);
        }
        Ok(Self {
            host: url.host_str().and_then(plain).ok_or(AddressError::Form)?.to_ascii_lowercase(),
            port: url.port().unwrap_or(PORT),
            user: plain(url.username()).ok_or(AddressError::Form)?,
            database: url.path().strip_prefix('/').and_then(plain).ok_or(AddressError::Form)?,
            password: None,
            ca_certificate: None,
            client: None,
        })
    }

    /// With the role's password.
    #[must_use]
    pub fn with_password(mut self, password: Zeroizing<String>) -> Self {
        self.password = Some(password);
        self
    }

    /// With a CA, PEM, that is trusted beside the public ones.
    #[must_use]
    pub fn with_ca_certificate(mut self, path: PathBuf) -> Self {
        self.ca_certificate = Some(path);
        self
    }

    /// With a certificate of its own, for servers that ask for one.
    #[must_use]
    pub fn with_client(mut self, client: TlsClient) -> Self {
        self.client = Some(client);
        self
    }

    /// True when both are the same database, or the same role of the same server.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.host == other.host
            && self.port == other.port
            && (self.database == other.database || self.user == other.user)
    }

    /// What the library connects to. It holds the password and prints it: do not keep it.
    pub(crate) fn options(&self) -> Result<AnyConnectOptions, sqlx::Error> {
        let base = format!("postgres://{}@{}:{}/{}", self.user, self.host, self.port, self.database);
        let mut options = AnyConnectOptions::from_str(&base)?;
        let url = &mut options.database_url;
        if let Some(password) = &self.password {
            let unfit = || sqlx::Error::Configuration("the password does not fit a URL".into());
            url.set_password(Some(&crate::percent_encoded(password.as_bytes()))).map_err(|()| unfit())?;
        }
        let mut pairs = url.query_pairs_mut();
        pairs.append_pair("sslmode", "verify-full").append_pair("application_name", "chatmai");
        let mut path = |name: &str, path: &PathBuf| {
            let unfit = || sqlx::Error::Configuration(format!("{}: the path is not UTF-8", path.display()).into());
            pairs.append_pair(name, path.to_str().ok_or_else(unfit)?);
            Ok::<_, sqlx::Error>(())
        };
        if let Some(ca) = &self.ca_certificate {
            path("sslrootcert", ca)?;
        }
        if let Some(client) = &self.client {
            path("sslcert", &client.certificate)?;
            path("sslkey", &client.key)?;
        }
        drop(pairs);
        Ok(options)
    }
}

impl fmt::Display for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "postgres://{}@{}:{}/{}", self.user, self.host, self.port, self.database)
    }
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_role_host_and_database_and_nothing_else() {
        let parsed = Postgres::parse("postgres://chatmai_keys@db.example:6432/keys").expect("a URL");
        assert_eq!(parsed.to_string(), "postgres://chatmai_keys@db.example:6432/keys");
        let default = Postgres::parse("postgresql://r@DB.example/d").expect("a URL");
        assert_eq!(default.to_string(), "postgres://r@db.example:5432/d");
        for (url, error) in [
            ("", AddressError::Form),
            ("catalog.db", AddressError::Form),
            ("mysql://r@h/d", AddressError::Form),
            ("postgres://h/d", AddressError::Form),
            ("postgres://r@h", AddressError::Form),
            ("postgres://r@h/", AddressError::Form),
            ("postgres://r@/d", AddressError::Form),
            ("postgres://r@h/d/e", AddressError::Form),
            ("postgres://r@%2Fvar%2Frun/d", AddressError::Form),
            ("postgres://r:hunter2@h/d", AddressError::Password),
            ("postgres://r@h/d?sslmode=disable", AddressError::Parameters),
            ("postgres://r@h/d?host=/var/run", AddressError::Parameters),
            ("postgres://r@h/d#x", AddressError::Parameters),
        ] {
            assert_eq!(Postgres::parse(url).map(|_| ()), Err(error), "{url}");
        }
    }

    #[test]
    fn passwords_of_any_characters_reach_the_library_and_are_not_printed() {
        for password in ["hunter2", "a:b@c/d?e#f%20&=", "ü✓ "] {
            let address = Postgres::parse("postgres://r@h/d").expect("a URL");
            let address =
                address.with_password(Zeroizing::new(password.to_owned())).with_ca_certificate("/a b/ca".into());
            let url = address.options().expect("options").database_url;
            let written = url.password().expect("a password").to_owned();
            // Once: what is written reads back as the password. The library writes slashes encoded as well.
            assert_eq!(written, crate::percent_encoded(password.as_bytes()).replace('/', "%2F"));
            assert_eq!(url.query(), Some("sslmode=verify-full&application_name=chatmai&sslrootcert=%2Fa+b%2Fca"));
            assert!(!format!("{address} {address:?} {:?}", Address::Postgres(address.clone())).contains(password));
        }
    }

    #[test]
    fn databases_and_roles_of_one_server_overlap() {
        let parse = |url| Postgres::parse(url).expect("a URL");
        let one = parse("postgres://a@h/x");
        assert!(one.overlaps(&parse("postgres://b@h/x")) && one.overlaps(&parse("postgres://a@H:5432/y")));
        assert!(!one.overlaps(&parse("postgres://b@h/y")) && !one.overlaps(&parse("postgres://a@i/x")));
    }
}
