//! Token buckets by the injected clock (`security.md` §9.7).
use parking_lot::Mutex;
use schemas::{clock::SharedClock, time::Millis};
use std::{collections::HashMap, hash::Hash};

/// Most buckets that are kept; then those go that are full again, as a new one is no different.
const BUCKETS_MAX: usize = 16_384;

struct Bucket {
    /// Thousandths of a post.
    left: u64,
    at: Millis,
}

/// A bucket for each key.
pub(super) struct Limiter<K> {
    per_second: u64,
    clock: SharedClock,
    buckets: Mutex<HashMap<K, Bucket>>,
}

impl<K: Eq + Hash + Copy> Limiter<K> {
    /// So many posts a second and at once; 0 is no limit.
    pub fn new(per_second: u32, clock: SharedClock) -> Self {
        Self { per_second: per_second.into(), clock, buckets: Mutex::default() }
    }

    /// Takes a post out of the bucket; false when it is empty.
    pub fn admit(&self, key: K) -> bool {
        if self.per_second == 0 {
            return true;
        }
        let (now, full) = (self.clock.now(), self.per_second * 1000);
        let mut buckets = self.buckets.lock();
        if buckets.len() >= BUCKETS_MAX && !buckets.contains_key(&key) {
            buckets.retain(|_, bucket| self.filled(bucket, now) < full);
            if buckets.len() >= BUCKETS_MAX {
                return false;
            }
        }
        let bucket = buckets.entry(key).or_insert(Bucket { left: full, at: now });
        bucket.left = self.filled(bucket, now);
        bucket.at = now;
        let admitted = bucket.left >= 1000;
        if admitted {
            bucket.left -= 1000;
        }
        admitted
    }

    fn filled(&self, bucket: &Bucket, now: Millis) -> u64 {
        let passed = u64::try_from(now.since(bucket.at).as_millis()).unwrap_or(u64::MAX);
        bucket.left.saturating_add(passed.saturating_mul(self.per_second)).min(self.per_second * 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemas::clock::ManualClock;
    use std::time::Duration;

    #[test]
    fn a_bucket_fills_with_time_and_never_over() {
        let clock = ManualClock::at(Millis(0));
        let limiter = Limiter::new(2, clock.clone());
        assert_eq!([(); 3].map(|()| limiter.admit(1)), [true, true, false]);
        assert!(limiter.admit(2), "each key has its own");
        clock.advance(Duration::from_millis(500));
        assert_eq!([(); 2].map(|()| limiter.admit(1)), [true, false]);
        clock.advance(Duration::from_secs(3600));
        assert_eq!([(); 3].map(|()| limiter.admit(1)), [true, true, false]);
        clock.set(Millis(0));
        assert!(!limiter.admit(1), "a clock that goes back fills nothing");
    }

    #[test]
    fn buckets_do_not_grow_without_limit() {
        let clock = ManualClock::at(Millis(0));
        let limiter = Limiter::new(1, clock.clone());
        assert!((0..BUCKETS_MAX).all(|key| limiter.admit(key)));
        assert!(!limiter.admit(BUCKETS_MAX));
        clock.advance(Duration::from_secs(1));
        assert!(limiter.admit(BUCKETS_MAX));
    }
}
