//! A day key: wraps the keys of the data files of one workspace, partition day and retention class.
use crate::{
    aead::Cipher, db::day_rows::DayId, error::KeyError, key_id::master_key_id, key_material, secret::Secret32,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use schemas::clock::Entropy;
use std::sync::atomic::{AtomicBool, Ordering};
use zeroize::Zeroizing;

/// A day key in the clear (`security.md` §1). Ask the keyring for it each time a file is written or opened and do not
/// keep it: once the keyring learns of its destruction, held copies refuse too, but the keyring only looks when asked.
pub struct DayKey {
    id: String,
    secret: Secret32,
    cipher: Cipher,
    destroyed: AtomicBool,
}

impl DayKey {
    pub(crate) fn new((ws, day, class): DayId, secret: Secret32) -> Self {
        let cipher = Cipher::new(&secret);
        Self { id: master_key_id(ws, day, class), secret, cipher, destroyed: AtomicBool::new(false) }
    }

    /// `w/<ws>/<yyyy-mm-dd>/r<days>`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// A fresh key for one data file, and the PKMT1 JSON for its footer key metadata (`security.md` §2), about 330
    /// bytes. The key is used for one file only.
    ///
    /// # Errors
    /// [`KeyError::Destroyed`] when this day key was destroyed meanwhile, [`KeyError::Entropy`].
    pub fn new_file_key(&self, entropy: &dyn Entropy) -> Result<(Secret32, String), KeyError> {
        self.check()?;
        key_material::make(&self.id, &self.cipher, entropy)
    }

    /// The file key in a footer's key metadata. The KMS instance and URL in it are ignored (`security.md` §2).
    ///
    /// # Errors
    /// [`KeyError::Integrity`] when it does not verify, or names another key than this one; [`KeyError::Destroyed`].
    pub fn open_file_key(&self, key_material: &[u8]) -> Result<Secret32, KeyError> {
        self.check()?;
        key_material::open(&self.id, &self.cipher, key_material)
    }

    /// The key in base64, for a workspace's own export.
    pub(crate) fn export(&self) -> Result<Zeroizing<String>, KeyError> {
        self.check()?;
        Ok(Zeroizing::new(STANDARD.encode(self.secret.expose())))
    }

    pub(crate) fn mark_destroyed(&self) {
        self.destroyed.store(true, Ordering::SeqCst);
    }

    fn check(&self) -> Result<(), KeyError> {
        if self.destroyed.load(Ordering::SeqCst) { Err(KeyError::Destroyed(self.id.clone())) } else { Ok(()) }
    }
}
