//! Where a test's data files lie.
use object_store::{ObjectStore, local::LocalFileSystem, memory::InMemory};
use schemas::clock::{Entropy, SystemEntropy};
use std::{
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use warehouse::{
    file::Durability,
    store::{BucketOptions, Credentials, open},
};

/// A store that is empty at first, and how it makes objects durable.
#[derive(Clone)]
pub struct Place {
    /// The objects.
    pub store: Arc<dyn ObjectStore>,
    /// How a put is made durable.
    pub durability: Durability,
}

/// The S3 service of `infra/local/s3`, as `CHATMAI_TEST_S3_…` name it.
#[derive(Clone, Debug)]
pub struct S3 {
    /// Its URL.
    pub endpoint: String,
    /// A bucket that is there.
    pub bucket: String,
    /// Access key id.
    pub access_key: String,
    /// Secret access key.
    pub secret_key: String,
    /// Path of the CA to trust.
    pub ca: PathBuf,
}

/// Objects above this go in parts: the least that S3 takes.
const PART_BYTES: usize = 5 << 20;

impl Place {
    /// A directory.
    pub fn local(root: &Path) -> Self {
        std::fs::create_dir_all(root).expect("a directory");
        let store = LocalFileSystem::new_with_prefix(root).expect("a local store");
        Self { store: Arc::new(store), durability: Durability::Local(root.to_owned()) }
    }

    /// Memory, taken for a bucket.
    pub fn memory() -> Self {
        Self::bucket(Arc::new(InMemory::new()))
    }

    /// Any store, taken for a bucket.
    pub fn bucket(store: Arc<dyn ObjectStore>) -> Self {
        Self { store, durability: Durability::Store { part_bytes: PART_BYTES } }
    }

    /// A folder of its own on S3; `None`, said aloud, when no service is named.
    pub fn s3(test: &str) -> Option<Self> {
        let s3 = S3::given();
        if s3.is_none() {
            say(&format!("SKIPPED {test} on S3: CHATMAI_TEST_S3_ENDPOINT is not set (infra/local/s3 start DIR)"));
        }
        s3.map(|s3| Self::bucket(s3.folder(&S3::free_folder())))
    }

    /// What `CHATMAI_TEST_STORE` says: `s3`, or by default the directory.
    pub fn chosen(root: &Path) -> Self {
        match std::env::var("CHATMAI_TEST_STORE").as_deref() {
            Ok("s3") => {
                let s3 = S3::given().expect("CHATMAI_TEST_STORE=s3 needs CHATMAI_TEST_S3_ENDPOINT");
                Self::bucket(s3.folder(&S3::free_folder()))
            }
            Ok("local") | Err(_) => Self::local(root),
            Ok(other) => panic!("CHATMAI_TEST_STORE is local or s3, not {other}"),
        }
    }

    /// True for a store that is no directory of this machine.
    pub fn is_bucket(&self) -> bool {
        matches!(self.durability, Durability::Store { .. })
    }
}

impl S3 {
    /// The service that the environment names, if it names one.
    pub fn given() -> Option<Self> {
        let variable = |name: &str| std::env::var(format!("CHATMAI_TEST_S3_{name}"));
        let endpoint = variable("ENDPOINT").ok()?;
        let text = |name: &str| variable(name).unwrap_or_else(|_| panic!("CHATMAI_TEST_S3_{name} is not set"));
        Some(Self {
            endpoint,
            bucket: text("BUCKET"),
            access_key: text("ACCESS_KEY"),
            secret_key: text("SECRET_KEY"),
            ca: text("CA").into(),
        })
    }

    /// A folder's name that no other test has.
    pub fn free_folder() -> String {
        let mut bytes = [0; 8];
        SystemEntropy.fill(&mut bytes).expect("entropy");
        format!("t{:016x}", u64::from_be_bytes(bytes))
    }

    /// How a folder of it is reached.
    pub fn options(&self, folder: &str) -> BucketOptions {
        BucketOptions {
            location: format!("s3://{}/{folder}", self.bucket).parse().expect("a location"),
            endpoint: Some(self.endpoint.clone()),
            region: None,
            credentials: Credentials::Key { id: self.access_key.clone(), secret: self.secret_key.clone() },
            tls: serve::tls::client_config(&self.ca).expect("a CA"),
            connect_timeout: Duration::from_secs(30),
            timeout: Duration::from_secs(60),
            retries: 5,
            retry_time: Duration::from_secs(120),
        }
    }

    /// The folder as a store.
    pub fn folder(&self, folder: &str) -> Arc<dyn ObjectStore> {
        open(self.options(folder)).expect("a bucket")
    }
}

/// Says something that the test harness does not hold back.
pub fn say(text: &str) {
    // If stderr is closed, nobody listens.
    let _ = writeln!(std::io::stderr(), "{text}");
}
