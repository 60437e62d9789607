//! Opens a bucket. Nothing is asked of it yet, so a store that is away does not keep a process from starting.
use super::{Location, Provider, client::Connector};
use object_store::{
    BackoffConfig, ObjectStore, RetryConfig,
    aws::{AmazonS3Builder, AmazonS3ConfigKey},
    azure::{AzureConfigKey, MicrosoftAzureBuilder},
    gcp::{GoogleCloudStorageBuilder, GoogleConfigKey},
    prefix::PrefixStore,
};
use std::{path::PathBuf, str::FromStr, sync::Arc, time::Duration};

/// Who we are to the store.
#[derive(Clone)]
pub enum Credentials {
    /// What the environment gives: keys, a role's token file, or the machine's own role. The pairs are its variables;
    /// only those that name credentials or a region are looked at.
    Environment(Vec<(String, String)>),
    /// An access key (S3), or an account and its key (Azure).
    Key {
        /// Access key id, or the account's name.
        id: String,
        /// Secret access key, or the account's key.
        secret: String,
    },
    /// A service account's JSON file (Google).
    File(PathBuf),
}

/// How a bucket is reached.
pub struct BucketOptions {
    /// Where it is.
    pub location: Location,
    /// Another service than the provider's own; an `https` URL.
    pub endpoint: Option<String>,
    /// Its region (S3).
    pub region: Option<String>,
    /// Who we are.
    pub credentials: Credentials,
    /// Trust, versions and suites of every connection.
    pub tls: Arc<rustls::ClientConfig>,
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// How long an answer may take to begin, and then to go on.
    pub timeout: Duration,
    /// How often one request is tried again, with growing pauses.
    pub retries: usize,
    /// How long one request is tried again.
    pub retry_time: Duration,
}

/// The settings of a store do not fit together. The text holds no secret.
#[derive(Debug, thiserror::Error)]
#[error("the store cannot be set up: {0}")]
pub struct StoreError(String);

/// Opens a bucket.
///
/// # Errors
/// [`StoreError`] when its settings do not fit together; never because it does not answer.
pub fn open(options: BucketOptions) -> Result<Arc<dyn ObjectStore>, StoreError> {
    if options.endpoint.as_ref().is_some_and(|endpoint| !endpoint.starts_with("https://")) {
        return Err(StoreError("its endpoint is no https URL".into()));
    }
    let prefix = options.location.prefix.clone();
    let store: Arc<dyn ObjectStore> = match options.location.provider {
        Provider::S3 => s3(options)?,
        Provider::Gcs => gcs(options)?,
        Provider::Azure => azure(options)?,
    };
    Ok(if prefix.as_ref().is_empty() { store } else { Arc::new(PrefixStore::new(store, prefix)) })
}

fn s3(options: BucketOptions) -> Result<Arc<dyn ObjectStore>, StoreError> {
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&options.location.bucket)
        .with_http_connector(options.connector())
        .with_retry(options.retry());
    match options.credentials {
        Credentials::Key { id, secret } => {
            builder = builder.with_access_key_id(id).with_secret_access_key(secret);
        }
        Credentials::Environment(variables) => {
            for (key, value) in named::<AmazonS3ConfigKey>(&variables, AWS) {
                builder = builder.with_config(key, value);
            }
        }
        Credentials::File(_) => return Err(StoreError("S3 takes an access key, not a file of credentials".into())),
    }
    if let Some(endpoint) = options.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    if let Some(region) = options.region {
        builder = builder.with_region(region);
    }
    builder.build().map(|store| Arc::new(store) as Arc<dyn ObjectStore>).map_err(refused)
}

fn gcs(options: BucketOptions) -> Result<Arc<dyn ObjectStore>, StoreError> {
    let mut builder = GoogleCloudStorageBuilder::new()
        .with_bucket_name(&options.location.bucket)
        .with_http_connector(options.connector())
        .with_retry(options.retry());
    match options.credentials {
        Credentials::File(path) => {
            let path = path.to_str().ok_or_else(|| StoreError("the path of its credentials is not UTF-8".into()))?;
            builder = builder.with_service_account_path(path);
        }
        Credentials::Environment(variables) => {
            for (key, value) in named::<GoogleConfigKey>(&variables, GOOGLE) {
                builder = builder.with_config(key, value);
            }
        }
        Credentials::Key { .. } => return Err(StoreError("gs takes a file of credentials, not an access key".into())),
    }
    if let Some(endpoint) = options.endpoint {
        builder = builder.with_base_url(&endpoint);
    }
    builder.build().map(|store| Arc::new(store) as Arc<dyn ObjectStore>).map_err(refused)
}

fn azure(options: BucketOptions) -> Result<Arc<dyn ObjectStore>, StoreError> {
    let mut builder = MicrosoftAzureBuilder::new()
        .with_container_name(&options.location.bucket)
        .with_http_connector(options.connector())
        .with_retry(options.retry());
    match options.credentials {
        Credentials::Key { id, secret } => builder = builder.with_account(id).with_access_key(secret),
        Credentials::Environment(variables) => {
            for (key, value) in named::<AzureConfigKey>(&variables, AZURE) {
                builder = builder.with_config(key, value);
            }
        }
        Credentials::File(_) => return Err(StoreError("az takes an account's key, not a file of credentials".into())),
    }
    if let Some(endpoint) = options.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    builder.build().map(|store| Arc::new(store) as Arc<dyn ObjectStore>).map_err(refused)
}

impl BucketOptions {
    fn connector(&self) -> Connector {
        Connector { tls: self.tls.clone(), connect_timeout: self.connect_timeout, timeout: self.timeout }
    }

    fn retry(&self) -> RetryConfig {
        let backoff =
            BackoffConfig { init_backoff: Duration::from_millis(100), max_backoff: Duration::from_secs(5), base: 2. };
        RetryConfig { backoff, max_retries: self.retries, retry_timeout: self.retry_time }
    }
}

/// What may be taken from the environment. The rest of what object_store knows there could turn off checks or
/// redirect requests.
const AWS: &[&str] = &[
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
];
const GOOGLE: &[&str] = &["GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_SERVICE_ACCOUNT"];
const AZURE: &[&str] = &[
    "AZURE_STORAGE_ACCOUNT_NAME",
    "AZURE_STORAGE_ACCOUNT_KEY",
    "AZURE_CLIENT_ID",
    "AZURE_CLIENT_SECRET",
    "AZURE_TENANT_ID",
    "AZURE_FEDERATED_TOKEN_FILE",
];

fn named<'a, K: FromStr>(
    variables: &'a [(String, String)],
    allowed: &'a [&str],
) -> impl Iterator<Item = (K, &'a String)> {
    let allowed = variables.iter().filter(|(name, _)| allowed.contains(&name.as_str()));
    allowed.filter_map(|(name, value)| Some((name.to_ascii_lowercase().parse().ok()?, value)))
}

fn refused(error: object_store::Error) -> StoreError {
    StoreError(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(url: &str, endpoint: Option<&str>, credentials: Credentials) -> BucketOptions {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        BucketOptions {
            location: url.parse().unwrap(),
            endpoint: endpoint.map(str::to_owned),
            region: None,
            credentials,
            tls: Arc::new(tls),
            connect_timeout: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            retries: 0,
            retry_time: Duration::from_secs(1),
        }
    }

    fn key() -> Credentials {
        Credentials::Key { id: "account".into(), secret: "c2VjcmV0".into() }
    }

    #[test]
    fn each_provider_opens_by_configuration_alone() {
        let environment = |pairs: &[(&str, &str)]| {
            Credentials::Environment(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
        };
        let dir = tempfile::tempdir().unwrap();
        let account = dir.path().join("account.json");
        std::fs::write(
            &account,
            r#"{"private_key": "x", "private_key_id": "x", "client_email": "a@b", "disable_oauth": true}"#,
        )
        .unwrap();
        for (url, endpoint, credentials, shown) in [
            ("s3://b/p", None, key(), "PrefixObjectStore(p)"),
            ("s3://b", Some("https://localhost:1"), environment(&[]), "AmazonS3(b)"),
            ("s3://b", None, environment(&[("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "y")]), "AmazonS3(b)"),
            ("az://c", None, key(), "MicrosoftAzure"),
            ("az://c", None, environment(&[("AZURE_STORAGE_ACCOUNT_NAME", "account")]), "MicrosoftAzure"),
            ("gs://b", None, Credentials::File(account), "GoogleCloudStorage(b)"),
        ] {
            let store = open(options(url, endpoint, credentials)).unwrap();
            assert!(store.to_string().starts_with(shown), "{store}");
        }
    }

    #[test]
    fn settings_that_do_not_fit_are_refused() {
        for (url, endpoint, credentials) in [
            ("s3://b", Some("http://localhost:1"), key()),
            ("s3://b", None, Credentials::File("/x".into())),
            ("gs://b", None, key()),
            ("az://b", None, Credentials::File("/x".into())),
        ] {
            let error = open(options(url, endpoint, credentials)).err().map(|e| e.to_string()).unwrap_or_default();
            assert!(error.starts_with("the store cannot be set up"), "{url}: {error}");
        }
    }

    #[test]
    fn the_environment_gives_credentials_and_nothing_else() {
        let variables: Vec<(String, String)> = [
            ("AWS_ACCESS_KEY_ID", "a"),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_ENDPOINT_URL", "http://elsewhere"),
            ("AWS_ALLOW_INVALID_CERTIFICATES", "true"),
            ("PATH", "/bin"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let taken: Vec<_> = named::<AmazonS3ConfigKey>(&variables, AWS).collect();
        assert_eq!(taken, [(AmazonS3ConfigKey::AccessKeyId, &variables[0].1)]);
        for (names, parses) in [
            (AWS, (|name| name.parse::<AmazonS3ConfigKey>().is_ok()) as fn(&str) -> bool),
            (GOOGLE, |name| name.parse::<GoogleConfigKey>().is_ok()),
            (AZURE, |name| name.parse::<AzureConfigKey>().is_ok()),
        ] {
            assert!(names.iter().all(|name| parses(&name.to_ascii_lowercase())));
        }
    }
}
