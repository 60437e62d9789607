//! A store that counts what it is asked for.
use async_trait::async_trait;
use futures::{StreamExt, stream::BoxStream};
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, Result, path::Path,
};
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// How many requests of each kind. Ranges of one file that lie near each other are one `get`, as they are one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    /// Objects or ranges of them.
    pub get: u64,
    /// What is known of an object.
    pub head: u64,
    /// Objects put whole.
    pub put: u64,
    /// Objects put in parts.
    pub multipart: u64,
    /// Objects removed.
    pub delete: u64,
    /// Listings.
    pub list: u64,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Counting {
    inner: Arc<dyn ObjectStore>,
    get: AtomicU64,
    head: AtomicU64,
    put: AtomicU64,
    multipart: AtomicU64,
    delete: Arc<AtomicU64>,
    list: AtomicU64,
}

impl Counting {
    /// Counts what `inner` is asked for.
    pub fn new(inner: Arc<dyn ObjectStore>) -> Arc<Self> {
        let zero = AtomicU64::default;
        let delete = Arc::default();
        Arc::new(Self { inner, get: zero(), head: zero(), put: zero(), multipart: zero(), delete, list: zero() })
    }

    /// The requests since the last call.
    pub fn take(&self) -> Requests {
        let take = |counter: &AtomicU64| counter.swap(0, Ordering::SeqCst);
        Requests {
            get: take(&self.get),
            head: take(&self.head),
            put: take(&self.put),
            multipart: take(&self.multipart),
            delete: take(&self.delete),
            list: take(&self.list),
        }
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::SeqCst);
}

impl fmt::Display for Counting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Counting({})", self.inner)
    }
}

// `get_ranges` is left to the trait, which joins near ranges and calls `get_opts` for each request, as buckets do.
#[async_trait]
impl ObjectStore for Counting {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        count(&self.put);
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        count(&self.multipart);
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        count(if options.head { &self.head } else { &self.get });
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let counter = self.delete.clone();
        self.inner.delete_stream(locations.inspect(move |_| count(&counter)).boxed())
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        count(&self.list);
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        count(&self.list);
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        count(&self.put);
        self.inner.copy_opts(from, to, options).await
    }
}
