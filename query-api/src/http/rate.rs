//! How often a key may ask: a token bucket each, which holds what one second brings.
use parking_lot::Mutex;
use schemas::{ids::ApiKeyId, time::Millis};
use std::collections::HashMap;

/// One request costs this much, so that a millisecond brings a whole number.
const COST: u64 = 1_000;
/// Beyond this many buckets those that are full again are forgotten; a full one says nothing.
const BUCKETS: usize = 10_000;

pub(super) struct RateLimit {
    /// What a millisecond brings.
    per_millisecond: u64,
    buckets: Mutex<HashMap<ApiKeyId, Bucket>>,
}

struct Bucket {
    level: u64,
    at: Millis,
}

impl RateLimit {
    pub(super) fn new(requests_per_second: u32) -> Self {
        Self { per_millisecond: u64::from(requests_per_second.max(1)), buckets: Mutex::default() }
    }

    fn capacity(&self) -> u64 {
        self.per_millisecond * COST
    }

    fn filled(&self, bucket: &Bucket, now: Millis) -> u64 {
        let passed = u64::try_from(now.since(bucket.at).as_millis()).unwrap_or(u64::MAX);
        bucket.level.saturating_add(passed.saturating_mul(self.per_millisecond)).min(self.capacity())
    }

    /// Takes a token, or says in how many seconds there will be one.
    pub(super) fn take(&self, key: ApiKeyId, now: Millis) -> Result<(), u64> {
        let mut buckets = self.buckets.lock();
        if buckets.len() >= BUCKETS && !buckets.contains_key(&key) {
            buckets.retain(|_, bucket| self.filled(bucket, now) < self.capacity());
        }
        let bucket = buckets.entry(key).or_insert(Bucket { level: self.capacity(), at: now });
        // A clock that was set back starts counting where it is now.
        *bucket = Bucket { level: self.filled(bucket, now), at: now };
        match bucket.level.checked_sub(COST) {
            Some(rest) => {
                bucket.level = rest;
                Ok(())
            }
            None => Err((COST - bucket.level).div_ceil(self.per_millisecond).div_ceil(1_000)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_brings_as_many_as_the_setting_says_and_no_more() {
        let limit = RateLimit::new(3);
        let (a, b) = (ApiKeyId([1; 16]), ApiKeyId([2; 16]));
        let now = Millis(1_000_000);
        assert_eq!((0..5).map(|_| limit.take(a, now).is_ok()).filter(|ok| *ok).count(), 3);
        assert_eq!(limit.take(a, now), Err(1));
        assert_eq!(limit.take(b, now), Ok(()), "another key has its own");
        assert_eq!(limit.take(a, Millis(now.0 + 333)), Err(1));
        assert_eq!(limit.take(a, Millis(now.0 + 334)), Ok(()));
        let later = Millis(now.0 + 3_600_000);
        assert_eq!((0..9).map(|_| limit.take(a, later).is_ok()).filter(|ok| *ok).count(), 3);
        assert_eq!(limit.take(a, now), Err(1), "a clock set back gives nothing");
        assert_eq!(limit.take(a, Millis(now.0 + 400)), Ok(()), "and counts on from there");
    }
}
