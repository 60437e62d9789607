//! AES-256-GCM, HMAC-SHA256 and the few shapes built from them (`security.md` §1). The only file that touches the
//! primitives.
use crate::{error::KeyError, secret::Secret32};
use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit, Nonce, Tag};
use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use schemas::clock::{Entropy, random};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

/// Bytes of a nonce.
pub(crate) const NONCE: usize = 12;
/// Bytes of an authentication tag.
pub(crate) const TAG: usize = 16;
/// Bytes of a wrapped key: nonce ‖ ciphertext ‖ tag.
pub(crate) const WRAPPED: usize = NONCE + 32 + TAG;

/// An expanded AES-256-GCM key, wiped on drop.
pub(crate) struct Cipher(Box<Aes256Gcm>);

impl Cipher {
    pub(crate) fn new(key: &Secret32) -> Self {
        Self(Box::new(Aes256Gcm::new(key.expose().into())))
    }

    /// nonce ‖ ciphertext ‖ tag of the joined `parts`. The caller vouches that the nonce is new under this key.
    pub(crate) fn seal(&self, nonce: &[u8; NONCE], aad: &[u8], parts: &[&[u8]]) -> Result<Vec<u8>, KeyError> {
        let length: usize = parts.iter().map(|p| p.len()).sum();
        let mut out = Vec::with_capacity(NONCE + length + TAG);
        out.extend_from_slice(nonce);
        for part in parts {
            out.extend_from_slice(part);
        }
        let tag = match self.0.encrypt_inout_detached(&Nonce::from(*nonce), aad, (&mut out[NONCE..]).into()) {
            Ok(tag) => tag,
            Err(_) => {
                out.zeroize();
                return Err(KeyError::Limit("a message longer than AES-GCM seals".into()));
            }
        };
        out.extend_from_slice(&tag);
        Ok(out)
    }

    /// [`Self::seal`] under a fresh random nonce.
    pub(crate) fn seal_random(&self, entropy: &dyn Entropy, aad: &[u8], plain: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.seal(&random(entropy)?, aad, &[plain])
    }

    /// The plaintext of nonce ‖ ciphertext ‖ tag; `None` when it does not verify.
    pub(crate) fn open(&self, sealed: &[u8], aad: &[u8]) -> Option<Vec<u8>> {
        let mut plain = Vec::new();
        self.open_into(sealed, aad, &mut plain).map(|()| plain)
    }

    /// [`Self::open`] into a buffer that is used again; empty when it does not verify.
    pub(crate) fn open_into(&self, sealed: &[u8], aad: &[u8], plain: &mut Vec<u8>) -> Option<()> {
        plain.clear();
        let (nonce, rest) = sealed.split_first_chunk::<NONCE>()?;
        let (body, tag) = rest.split_last_chunk::<TAG>()?;
        plain.extend_from_slice(body);
        let opened =
            self.0.decrypt_inout_detached(&Nonce::from(*nonce), aad, plain.as_mut_slice().into(), &Tag::from(*tag));
        if opened.is_err() {
            plain.clear();
        }
        opened.ok()
    }

    /// A key wrapped by this one: raw nonce ‖ ciphertext ‖ tag.
    pub(crate) fn wrap(&self, entropy: &dyn Entropy, aad: &[u8], key: &Secret32) -> Result<[u8; WRAPPED], KeyError> {
        let sealed = self.seal_random(entropy, aad, key.expose())?;
        sealed.try_into().map_err(|_| KeyError::Limit("a wrapped key is 60 bytes".into()))
    }

    /// The inverse of [`Self::wrap`]; `None` when it does not verify.
    pub(crate) fn unwrap(&self, wrapped: &[u8], aad: &[u8]) -> Option<Secret32> {
        Secret32::from_slice(&Zeroizing::new(self.open(wrapped, aad)?))
    }

    /// [`Self::wrap`] in the text form of `security.md` §1, base64.
    pub(crate) fn wrap_text(&self, entropy: &dyn Entropy, aad: &[u8], key: &Secret32) -> Result<String, KeyError> {
        Ok(STANDARD.encode(self.wrap(entropy, aad, key)?))
    }

    /// The inverse of [`Self::wrap_text`].
    pub(crate) fn unwrap_text(&self, text: &str, aad: &[u8]) -> Option<Secret32> {
        self.unwrap(&STANDARD.decode(text).ok()?, aad)
    }
}

/// Each part prefixed by its length, u32 big-endian: the AAD of everything that is not a wrapping.
pub(crate) fn prefixed(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    prefix_into(&mut out, parts);
    out
}

/// [`prefixed`] into a buffer that is used again.
pub(crate) fn prefix_into(out: &mut Vec<u8>, parts: &[&[u8]]) {
    out.clear();
    out.reserve(parts.iter().map(|p| p.len() + 4).sum());
    for part in parts {
        out.extend_from_slice(&length_prefix(part));
        out.extend_from_slice(part);
    }
}

fn length_prefix(part: &[u8]) -> [u8; 4] {
    u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes()
}

/// AAD of a wrapping inside the hierarchy: the wrapping key's id ‖ 0x00 ‖ the wrapped key's own id, as `security.md` §3
/// has it for records. With its own id bound, a wrapped key that is moved to another row does not open.
pub(crate) fn wrapping_aad(wrapping: &str, own: &[u8]) -> Vec<u8> {
    let mut aad = Vec::with_capacity(wrapping.len() + 1 + own.len());
    aad.extend_from_slice(wrapping.as_bytes());
    aad.push(0);
    aad.extend_from_slice(own);
    aad
}

/// HMAC-SHA256 state under a key; wiped on drop.
pub(crate) fn keyed(key: &Secret32) -> Hmac<Sha256> {
    // A key shorter than the digest's block is padded with zeros to it (RFC 2104).
    let mut block = Zeroizing::new([0; 64]);
    block[..32].copy_from_slice(key.expose());
    <Hmac<Sha256> as KeyInit>::new((&*block).into())
}

/// HMAC-SHA256 of the joined `parts`.
pub(crate) fn hmac(key: &Secret32, parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = keyed(key);
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// The commitment of `security.md` §1: HMAC-SHA256(key, "cm-commit-1" ‖ key id), its first 16 bytes.
pub(crate) fn commitment(key: &Secret32, key_id: &[u8]) -> [u8; 16] {
    let mac = hmac(key, &[b"cm-commit-1", key_id]);
    let mut out = [0; 16];
    out.copy_from_slice(&mac[..16]);
    out
}

/// Equality in constant time.
pub(crate) fn same(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use schemas::{clock::SeededEntropy, ids::hex};

    fn unhex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).expect("hex")).collect()
    }

    /// Test case 16 of the GCM specification, and test case 2 of RFC 4231 with its key padded to 32 bytes by zeros,
    /// which HMAC does anyway.
    #[test]
    fn the_primitives_are_the_standard_ones() {
        let key = unhex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
        let cipher = Cipher::new(&Secret32::from_slice(&key).expect("32 bytes"));
        let nonce: [u8; 12] = unhex("cafebabefacedbaddecaf888").try_into().expect("12 bytes");
        let aad = unhex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
        let plain = unhex(
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
        );
        let sealed = cipher.seal(&nonce, &aad, &[&plain[..7], &plain[7..]]).expect("sealed");
        assert_eq!(
            hex(&sealed[12..]),
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b"
        );
        assert_eq!(cipher.open(&sealed, &aad), Some(plain));
        let mut key = b"Jefe".to_vec();
        key.resize(32, 0);
        let mac = hmac(&Secret32::from_slice(&key).expect("32 bytes"), &[b"what do ya want ", b"for nothing?"]);
        assert_eq!(hex(&mac), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }

    proptest! {
        #[test]
        fn wrappings_open_under_their_key_and_aad_only(seed: u64, aad: Vec<u8>, other: Vec<u8>, flip in 0usize..60) {
            let entropy = SeededEntropy::new(seed);
            let keys: Vec<_> = (0..3).map(|_| Secret32::random(&entropy).expect("a key")).collect();
            let (cipher, foreign) = (Cipher::new(&keys[0]), Cipher::new(&keys[1]));
            let wrapped = cipher.wrap(&entropy, &aad, &keys[2]).expect("wrapped");
            let opens = |cipher: &Cipher, wrapped: &[u8], aad: &[u8]| {
                cipher.unwrap(wrapped, aad).is_some_and(|key| key.expose() == keys[2].expose())
            };
            prop_assert!(opens(&cipher, &wrapped, &aad));
            prop_assert!(!opens(&foreign, &wrapped, &aad));
            prop_assert_eq!(opens(&cipher, &wrapped, &other), other == aad);
            let mut flipped = wrapped;
            flipped[flip] ^= 1;
            prop_assert!(!opens(&cipher, &flipped, &aad));
            prop_assert!((0..60).all(|end| !opens(&cipher, &wrapped[..end], &aad)));
        }

        #[test]
        fn prefixed_parts_cannot_be_cut_differently(a: Vec<Vec<u8>>, b: Vec<Vec<u8>>) {
            let join = |parts: &[Vec<u8>]| prefixed(&parts.iter().map(Vec::as_slice).collect::<Vec<_>>());
            prop_assert_eq!(join(&a) == join(&b), a == b);
        }
    }
}
