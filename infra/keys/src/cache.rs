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

#[cfg(test)]
mod tests {
    use super::*;
    use schemas::clock::ManualClock;

    fn cache(capacity: usize) -> (Arc<ManualClock>, Cache<u32, u32>) {
        let clock = ManualClock::at(Millis(1_000_000_000));
        (clock.clone(), Cache::new(clock, PLAINTEXT_TTL, capacity))
    }

    #[test]
    fn entries_go_after_ten_minutes_also_when_the_clock_is_set_back() {
        let (clock, cache) = cache(10);
        assert!(cache.insert(cache.epoch(), 1, Arc::new(1)));
        clock.advance(PLAINTEXT_TTL - Duration::from_millis(1));
        assert!(cache.get(&1).is_some());
        clock.advance(Duration::from_millis(1));
        assert!(cache.get(&1).is_none());
        let held = Arc::new(2);
        assert!(cache.insert(cache.epoch(), 2, held.clone()));
        assert_eq!(Arc::strong_count(&held), 2);
        clock.set(Millis(0));
        assert!(cache.get(&2).is_none());
        cache.sweep();
        assert_eq!(Arc::strong_count(&held), 1, "the value is still in memory");
    }

    #[test]
    fn the_number_of_entries_is_bounded() {
        let (_, cache) = cache(16);
        for i in 0..1_000 {
            assert!(cache.insert(cache.epoch(), i, Arc::new(i)));
            assert!(cache.inner.read().entries.len() <= 16);
            assert!(cache.get(&i).is_some());
        }
        assert!(cache.inner.read().loose.is_empty(), "nobody holds them");
    }

    #[test]
    fn a_purge_reaches_what_is_held_outside_and_refuses_what_was_read_before_it() {
        let (clock, cache) = cache(10);
        let (old, new) = (Arc::new(1), Arc::new(2));
        assert!(cache.insert(cache.epoch(), 7, old.clone()));
        clock.advance(PLAINTEXT_TTL);
        cache.sweep();
        let epoch = cache.epoch();
        assert!(cache.insert(epoch, 7, new.clone()));
        let mut reached: Vec<u32> = cache.purge(|key| *key == 7).iter().map(|v| **v).collect();
        reached.sort_unstable();
        assert_eq!(reached, [1, 2]);
        assert!(cache.get(&7).is_none());
        assert!(!cache.insert(epoch, 7, new), "a value from before the purge came in");
        assert!(cache.purge(|_| true).is_empty());
    }
}
