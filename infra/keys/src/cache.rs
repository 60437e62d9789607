//! Plaintext keys in memory: bounded in age (by the injected clock) and in number, purged on destruction.
use parking_lot::RwLock;
use schemas::{clock::SharedClock, time::Millis};
use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Weak},
    time::Duration,
};

/// Plaintext keys live at most this long in a cache (`security.md` §1).
pub(crate) const PLAINTEXT_TTL: Duration = Duration::from_secs(600);

struct Entry<V> {
    value: Arc<V>,
    since: Millis,
}

struct Inner<K, V> {
    entries: HashMap<K, Entry<V>>,
    /// What has left the cache while a caller still holds it, so that destruction reaches it there too.
    loose: HashMap<K, Vec<Weak<V>>>,
    /// Moves with each purge.
    epoch: u64,
}

/// A cache of shared values.
///
/// Whoever fills it notes [`Self::epoch`] before it reads the store: a value that was read before a purge is then not
/// put in after it.
pub(crate) struct Cache<K, V> {
    inner: RwLock<Inner<K, V>>,
    clock: SharedClock,
    ttl: Duration,
    capacity: usize,
}

impl<K: Hash + Eq + Clone, V> Cache<K, V> {
    pub(crate) fn new(clock: SharedClock, ttl: Duration, capacity: usize) -> Self {
        let inner = Inner { entries: HashMap::new(), loose: HashMap::new(), epoch: 0 };
        Self { inner: RwLock::new(inner), clock, ttl, capacity }
    }

    /// The value, unless it is missing or too old.
    pub(crate) fn get(&self, key: &K) -> Option<Arc<V>> {
        let now = self.clock.now();
        let inner = self.inner.read();
        let entry = inner.entries.get(key)?;
        young(entry.since, now, self.ttl).then(|| entry.value.clone())
    }

    /// To be taken before the store is read for [`Self::insert`].
    pub(crate) fn epoch(&self) -> u64 {
        self.inner.read().epoch
    }

    /// Puts a value in; false, and nothing done, when there was a purge since `epoch`.
    #[must_use]
    pub(crate) fn insert(&self, epoch: u64, key: K, value: Arc<V>) -> bool {
        let now = self.clock.now();
        let mut inner = self.inner.write();
        if inner.epoch != epoch {
            return false;
        }
        if inner.entries.len() >= self.capacity && !inner.entries.contains_key(&key) {
            inner.shed(|entry| young(entry.since, now, self.ttl));
            if inner.entries.len() >= self.capacity {
                // Still full of young ones: an arbitrary eighth goes.
                let mut left = self.capacity / 8 + 1;
                inner.shed(|_| {
                    left = left.saturating_sub(1);
                    left == 0
                });
            }
        }
        if let Some(old) = inner.entries.insert(key.clone(), Entry { value, since: now }) {
            inner.loosen(key, old);
        }
        true
    }

    /// Drops what is too old, so that an idle process does not keep it.
    pub(crate) fn sweep(&self) {
        let now = self.clock.now();
        self.inner.write().shed(|entry| young(entry.since, now, self.ttl));
    }

    /// Removes all entries with a matching key and returns every value of them that anyone still holds.
    pub(crate) fn purge(&self, matches: impl Fn(&K) -> bool) -> Vec<Arc<V>> {
        let mut inner = self.inner.write();
        inner.epoch += 1;
        let mut out: Vec<_> = inner.entries.extract_if(|k, _| matches(k)).map(|(_, entry)| entry.value).collect();
        for (_, held) in inner.loose.extract_if(|k, _| matches(k)) {
            out.extend(held.iter().filter_map(Weak::upgrade));
        }
        out
    }
}

impl<K: Hash + Eq + Clone, V> Inner<K, V> {
    fn shed(&mut self, mut keep: impl FnMut(&Entry<V>) -> bool) {
        let gone: Vec<_> = self.entries.extract_if(|_, entry| !keep(entry)).collect();
        self.loose.retain(|_, held| {
            held.retain(|value| value.strong_count() > 0);
            !held.is_empty()
        });
        for (key, entry) in gone {
            self.loosen(key, entry);
        }
    }

    fn loosen(&mut self, key: K, entry: Entry<V>) {
        if Arc::strong_count(&entry.value) > 1 {
            self.loose.entry(key).or_default().push(Arc::downgrade(&entry.value));
        }
    }
}

/// A clock that was set back makes an entry old, not immortal.
fn young(since: Millis, now: Millis, ttl: Duration) -> bool {
    now.since(since).max(since.since(now)) < ttl
}
