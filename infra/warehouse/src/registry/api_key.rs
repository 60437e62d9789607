//! The text of an API key (`security.md` §8): `cm_<env>_`, 30 random base62 characters, and 6 base62 characters of the
//! CRC-32 of all that precedes, so that a mistyped key is refused without a look-up, and a leaked one is found by
//! scanners. It is shown once; only its SHA-256 is kept.
use schemas::clock::{Entropy, NoEntropy, random};
use sha2::{Digest, Sha256};

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const RANDOM: usize = 30;
const CHECKSUM: usize = 6;
/// The only environment so far.
const PREFIX: &str = "cm_live_";

/// A new key.
pub(super) fn generate(entropy: &dyn Entropy) -> Result<String, NoEntropy> {
    let mut key = String::with_capacity(PREFIX.len() + RANDOM + CHECKSUM);
    key.push_str(PREFIX);
    while key.len() < PREFIX.len() + RANDOM {
        for byte in random::<64>(entropy)? {
            // 248 is the greatest multiple of 62 in a byte: taking the others too would favour some digits.
            if byte < 248 && key.len() < PREFIX.len() + RANDOM {
                key.push(char::from(DIGITS[usize::from(byte % 62)]));
            }
        }
    }
    let checksum = checksum(&key);
    key.push_str(&checksum);
    Ok(key)
}

/// True when the text has a key's form and its checksum fits. Says nothing about whether the key exists.
pub(super) fn looks_valid(key: &str) -> bool {
    let Some(rest) = key.strip_prefix("cm_") else { return false };
    let Some((environment, secret)) = rest.split_once('_') else { return false };
    (1..=16).contains(&environment.len())
        && environment.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        && secret.len() == RANDOM + CHECKSUM
        && secret.bytes().all(|b| b.is_ascii_alphanumeric())
        && key.split_at_checked(key.len() - CHECKSUM).is_some_and(|(body, sum)| checksum(body) == sum)
}

/// What is kept of a key.
pub(super) fn hash(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

fn checksum(body: &str) -> String {
    let mut rest = crc32(body.as_bytes()) as usize;
    let mut digits = [b'0'; CHECKSUM];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[rest % 62];
        rest /= 62;
    }
    digits.iter().map(|b| char::from(*b)).collect()
}

/// CRC-32 as in gzip and PNG. Guards against typing errors, not against anybody; 40 bytes need no table.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use schemas::clock::SeededEntropy;

    #[test]
    fn crc32_is_the_common_one() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn a_key_has_the_promised_form() {
        let key = generate(&SeededEntropy::new(1)).expect("random bytes");
        assert_eq!(key.len(), 8 + 30 + 6);
        assert!(key.starts_with("cm_live_"));
        assert!(key[8..].bytes().all(|b| DIGITS.contains(&b)));
        assert!(looks_valid(&key));
    }

    #[test]
    fn other_texts_do_not_look_valid() {
        let key = generate(&SeededEntropy::new(2)).expect("random bytes");
        for bad in [
            "",
            "cm_",
            "cm__",
            "cm_live_",
            "é",
            &key[1..],
            &key[..key.len() - 1],
            &format!("{key}0"),
            &format!(" {key}"),
        ] {
            assert!(!looks_valid(bad), "{bad:?}");
        }
        assert!(!looks_valid(&format!("cm_live_{}", "é".repeat(18))));
    }

    proptest! {
        #[test]
        fn one_wrong_character_is_noticed(seed: u64, at in 0usize..36, other in 0usize..62) {
            let key = generate(&SeededEntropy::new(seed)).expect("random bytes");
            let mut bytes = key.clone().into_bytes();
            bytes[8 + at] = DIGITS[other];
            let changed = String::from_utf8(bytes).expect("ascii");
            prop_assert_eq!(looks_valid(&changed), changed == key);
        }

        #[test]
        fn any_text_is_judged_without_panic(text in ".{0,60}") {
            prop_assert!(!looks_valid(&text) || text.starts_with("cm_"));
        }
    }
}
