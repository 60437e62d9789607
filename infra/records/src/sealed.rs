//! The last look at a record before it leaves the process: is it sealed indeed?
use crate::RecordError;
use prometheus_client::{metrics::counter::Counter, registry::Registry};

/// So many bytes of a plaintext are not met in its ciphertext by chance. One that is shorter only counts something.
const SEEN: usize = 16;

/// What was looked at (`security.md` §3).
#[derive(Clone, Default)]
pub(crate) struct Counts {
    encrypted: Counter,
    plain: Counter,
}

impl Counts {
    pub fn register(&self, metrics: &mut Registry) {
        metrics.register(
            "chatmai_records_encrypted",
            "Records that were sealed before they were given to the log",
            self.encrypted.clone(),
        );
        metrics.register(
            "chatmai_records_plain",
            "Records that showed their plaintext after sealing and were kept from the log; anything above 0 is an alarm",
            self.plain.clone(),
        );
    }

    /// Counts a record.
    ///
    /// # Errors
    /// [`RecordError::Integrity`] when its value shows its plaintext: it must not be appended.
    pub fn check(&self, value: &[u8], plaintext: &[u8]) -> Result<(), RecordError> {
        if shows(value, plaintext) {
            self.plain.inc();
            return Err(RecordError::Integrity("a record was not sealed and is kept from the log".into()));
        }
        self.encrypted.inc();
        Ok(())
    }
}

/// True when the beginning of the plaintext, or what stands in its middle, stands anywhere in the value. The beginning of an
/// event is its ids; its middle is what people wrote, or near it.
fn shows(value: &[u8], plaintext: &[u8]) -> bool {
    let Some(last) = plaintext.len().checked_sub(SEEN) else { return false };
    let parts = [0, last / 2].map(|at| &plaintext[at..at + SEEN]);
    value.windows(SEEN).any(|window| parts.contains(&window))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_shows_its_plaintext_is_refused_wherever_it_stands() {
        let counts = Counts::default();
        let plaintext = b"where is my order 42?";
        let sealed = plaintext.map(|byte| byte ^ 0xa5);
        for before in [0, 12, 20] {
            let value: Vec<u8> =
                std::iter::repeat_n(7, before).chain(plaintext.iter().copied()).chain([9; 16]).collect();
            let refused = counts.check(&value, plaintext);
            assert!(matches!(refused, Err(RecordError::Integrity(_))), "{before}");
            let value: Vec<u8> = std::iter::repeat_n(7, before).chain(sealed).chain([9; 16]).collect();
            assert!(counts.check(&value, plaintext).is_ok(), "{before}");
        }
        assert_eq!((counts.encrypted.get(), counts.plain.get()), (3, 3));
    }

    #[test]
    fn what_shows_only_its_middle_is_refused() {
        let plaintext: Vec<u8> = (0..100).collect();
        let mut value: Vec<u8> = plaintext.iter().map(|byte| byte ^ 0xa5).collect();
        assert!(!shows(&value, &plaintext));
        value[42..58].copy_from_slice(&plaintext[42..58]);
        assert!(shows(&value, &plaintext));
    }

    #[test]
    fn a_plaintext_too_short_to_be_told_from_chance_counts_as_encrypted() {
        let counts = Counts::default();
        assert!(counts.check(&[1, 2, 3, 4], &[2, 3]).is_ok());
        assert!(counts.check(&[], &[]).is_ok());
        assert_eq!((counts.encrypted.get(), counts.plain.get()), (2, 0));
    }
}
