//! A store that fails on purpose: late, refused, torn, and done with a lost answer.
use async_trait::async_trait;
use futures::{StreamExt, future::ready, stream, stream::BoxStream};
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart, path::Path,
};
use parking_lot::Mutex;
use schemas::clock::{Entropy, SeededEntropy};
use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// How a request ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// As it should.
    Well,
    /// As it should, after others had their turn.
    Late,
    /// Refused before anything happened, as by a 503.
    Refused,
    /// Done, and the answer is lost.
    Lost,
    /// Broken off in the middle. Of a put, half of the object lies there, which is worse than any good store does.
    Torn,
}

/// See the module's documentation.
#[derive(Clone, Debug)]
pub struct Faulty {
    inner: Arc<dyn ObjectStore>,
    dice: Arc<Dice>,
}

struct Dice {
    random: SeededEntropy,
    /// Of 1000 requests so many end badly, and as many are late.
    rate: AtomicU64,
    /// Comes before chance.
    script: Mutex<VecDeque<Fate>>,
    met: AtomicU64,
}

impl fmt::Debug for Dice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dice")
    }
}

impl Dice {
    fn next(&self) -> Fate {
        let fate = self.script.lock().pop_front().unwrap_or_else(|| self.chance());
        if !matches!(fate, Fate::Well | Fate::Late) {
            self.met.fetch_add(1, Ordering::SeqCst);
        }
        fate
    }

    fn chance(&self) -> Fate {
        let rate = self.rate.load(Ordering::SeqCst);
        let mut bytes = [0; 8];
        self.random.fill(&mut bytes).expect("random bytes");
        let drawn = u64::from_be_bytes(bytes);
        match drawn % 1000 {
            n if n < rate => {
                [Fate::Refused, Fate::Lost, Fate::Torn][usize::try_from((drawn >> 32) % 3).expect("small")]
            }
            n if n < 2 * rate => Fate::Late,
            _ => Fate::Well,
        }
    }
}

async fn pause() {
    for _ in 0..16 {
        tokio::task::yield_now().await;
    }
}

fn failed(why: &'static str) -> Error {
    Error::Generic { store: "Faulty", source: why.into() }
}

impl Faulty {
    /// Nothing fails until it is told to.
    pub fn new(inner: Arc<dyn ObjectStore>, seed: u64) -> Self {
        let dice = Dice {
            random: SeededEntropy::new(seed),
            rate: AtomicU64::new(0),
            script: Mutex::default(),
            met: AtomicU64::new(0),
        };
        Self { inner, dice: Arc::new(dice) }
    }

    /// From now on so many of 1000 requests end badly, and as many are late.
    pub fn fail(&self, of_1000: u64) {
        self.dice.rate.store(of_1000, Ordering::SeqCst);
    }

    /// How the next requests end, one after the other.
    pub fn script(&self, fates: impl IntoIterator<Item = Fate>) {
        self.dice.script.lock().extend(fates);
    }

    /// How many requests have ended badly.
    pub fn met(&self) -> u64 {
        self.dice.met.load(Ordering::SeqCst)
    }

    /// Acts as drawn, where there is no middle in which it could break off.
    async fn decide<T>(&self, act: impl Future<Output = Result<T>>) -> Result<T> {
        decide(self.dice.next(), act).await
    }
}

async fn decide<T>(fate: Fate, act: impl Future<Output = Result<T>>) -> Result<T> {
    match fate {
        Fate::Well => act.await,
        Fate::Late => {
            pause().await;
            act.await
        }
        Fate::Refused | Fate::Torn => Err(failed("503, slow down")),
        Fate::Lost => {
            act.await?;
            Err(failed("the answer is lost"))
        }
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Faulty({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let fate = self.dice.next();
        if fate == Fate::Torn && options.mode == PutMode::Create {
            let whole: Vec<u8> = payload.iter().flat_map(|part| part.to_vec()).collect();
            let half = PutPayload::from(whole[..whole.len() / 2].to_vec());
            // Where something lies already, not even half is put.
            let _ = self.inner.put_opts(location, half, options).await;
            return Err(failed("torn"));
        }
        decide(fate, self.inner.put_opts(location, payload, options)).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let upload = self.decide(self.inner.put_multipart_opts(location, options)).await?;
        Ok(Box::new(FaultyUpload { inner: upload, dice: self.dice.clone() }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let fate = self.dice.next();
        if fate != Fate::Torn || options.head {
            return decide(fate, self.inner.get_opts(location, options)).await;
        }
        let result = self.inner.get_opts(location, options).await?;
        let (meta, range, attributes) = (result.meta.clone(), result.range.clone(), result.attributes.clone());
        let bytes = result.bytes().await?;
        let half = bytes.slice(..bytes.len() / 2);
        let payload = GetResultPayload::Stream(stream::iter([Ok(half), Err(failed("torn"))]).boxed());
        Ok(GetResult { payload, meta, range, attributes })
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let this = self.clone();
        let one = move |location: Result<Path>| {
            let this = this.clone();
            async move {
                let location = location?;
                this.decide(this.inner.delete(&location)).await?;
                Ok(location)
            }
        };
        locations.then(one).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let listed = self.inner.list(prefix);
        match self.dice.next() {
            Fate::Well | Fate::Late => listed,
            Fate::Refused => stream::once(ready(Err(failed("503, slow down")))).boxed(),
            Fate::Lost | Fate::Torn => listed.take(3).chain(stream::once(ready(Err(failed("torn"))))).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.decide(self.inner.list_with_delimiter(prefix)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.decide(self.inner.copy_opts(from, to, options)).await
    }
}

#[derive(Debug)]
struct FaultyUpload {
    inner: Box<dyn MultipartUpload>,
    dice: Arc<Dice>,
}

#[async_trait]
impl MultipartUpload for FaultyUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let (fate, part) = (self.dice.next(), self.inner.put_part(data));
        Box::pin(decide(fate, part))
    }

    async fn complete(&mut self) -> Result<PutResult> {
        decide(self.dice.next(), self.inner.complete()).await
    }

    async fn abort(&mut self) -> Result<()> {
        decide(self.dice.next(), self.inner.abort()).await
    }
}
