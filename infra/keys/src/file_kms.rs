//! Root keys in files, for development and the small shop (`security.md` §1).
use crate::{
    aead::{Cipher, wrapping_aad},
    error::KeyError,
    key_file,
    kms::{Kms, RootKey, Wrapped},
    secret::Secret32,
};
use async_trait::async_trait;
use parking_lot::RwLock;
use schemas::clock::SharedEntropy;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

const ROOTS: [RootKey; 2] = [RootKey::Data, RootKey::Token];

/// A KMS whose root keys lie in files `root-data.r<n>` and `root-token.r<n>` of one directory, each mode 0600, 32 bytes
/// in base64. Numbers run through both roots, so that `r/<n>` names one key.
///
/// A wrapping's AAD is the root key's id ‖ 0x00 ‖ the caller's; with an empty one it is the root key's id alone.
pub struct FileKms {
    dir: PathBuf,
    entropy: SharedEntropy,
    /// The root keys that it opens; the files of the other it leaves alone.
    opened: &'static [RootKey],
    roots: RwLock<BTreeMap<u32, (RootKey, Cipher)>>,
}

impl FileKms {
    /// Opens the directory, and makes it and the two root keys if they are missing.
    ///
    /// # Errors
    /// [`KeyError::Unavailable`] when the directory cannot be used, or a key file is readable by group or others.
    pub fn open(dir: &Path, entropy: SharedEntropy) -> Result<Arc<Self>, KeyError> {
        Self::open_roots(dir, entropy, &ROOTS)
    }

    /// The same for a process that has nothing to do with tokens: the token root's files are neither read nor made.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_without_tokens(dir: &Path, entropy: SharedEntropy) -> Result<Arc<Self>, KeyError> {
        Self::open_roots(dir, entropy, &[RootKey::Data])
    }

    fn open_roots(dir: &Path, entropy: SharedEntropy, opened: &'static [RootKey]) -> Result<Arc<Self>, KeyError> {
        key_file::make_directory(dir)?;
        let kms = Self { dir: dir.to_path_buf(), entropy, opened, roots: RwLock::default() };
        let lock = key_file::lock(dir)?;
        kms.load()?;
        for root in opened {
            if kms.newest(*root).is_none() {
                kms.make(*root)?;
            }
        }
        drop(lock);
        Ok(Arc::new(kms))
    }

    /// Reads the key files that are not known yet.
    fn load(&self) -> Result<(), KeyError> {
        for entry in std::fs::read_dir(&self.dir)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some((root, number)) = name.to_str().and_then(parse_name) else { continue };
            if !self.opened.contains(&root) || self.roots.read().contains_key(&number) {
                continue;
            }
            let key = key_file::read(&entry.path())?;
            self.roots.write().insert(number, (root, Cipher::new(&key)));
        }
        Ok(())
    }

    /// Makes the next version of a root that is opened. The caller holds the directory's lock and has loaded.
    fn make(&self, root: RootKey) -> Result<u32, KeyError> {
        if !self.opened.contains(&root) {
            return Err(KeyError::Unknown(root.name().into()));
        }
        let mut number = 1;
        for entry in std::fs::read_dir(&self.dir)? {
            let name = entry?.file_name();
            number = name.to_str().and_then(parse_name).map_or(number, |(_, n)| number.max(n + 1));
        }
        let key = Secret32::random(&*self.entropy)?;
        key_file::write(&self.dir.join(file_name(root, number)), &key, &*self.entropy)?;
        self.roots.write().insert(number, (root, Cipher::new(&key)));
        Ok(number)
    }

    fn newest(&self, root: RootKey) -> Option<u32> {
        self.roots.read().iter().rev().find(|(_, (r, _))| *r == root).map(|(n, _)| *n)
    }
}

fn file_name(root: RootKey, number: u32) -> String {
    format!("{}.r{number}", root.name())
}

fn parse_name(name: &str) -> Option<(RootKey, u32)> {
    let (root, number) = name.split_once(".r")?;
    let root = ROOTS.into_iter().find(|r| r.name() == root)?;
    let number = number.parse().ok()?;
    (file_name(root, number) == name).then_some((root, number))
}

fn full_aad(id: &str, aad: &[u8]) -> Vec<u8> {
    if aad.is_empty() { id.as_bytes().to_vec() } else { wrapping_aad(id, aad) }
}

#[async_trait]
impl Kms for FileKms {
    fn provider(&self) -> &'static str {
        "file"
    }

    async fn wrap(&self, root: RootKey, key: &Secret32, aad: &[u8]) -> Result<Wrapped, KeyError> {
        self.load()?;
        let number = self.newest(root).ok_or_else(|| KeyError::Unknown(root.name().into()))?;
        let roots = self.roots.read();
        let root_key_id = format!("r/{number}");
        let (_, cipher) = roots.get(&number).ok_or_else(|| KeyError::Unknown(root_key_id.clone()))?;
        let text = cipher.wrap_text(&*self.entropy, &full_aad(&root_key_id, aad), key)?;
        Ok(Wrapped { root_key_id, text })
    }

    async fn unwrap(&self, root_key_id: &str, text: &str, aad: &[u8]) -> Result<Secret32, KeyError> {
        let unknown = || KeyError::Unknown(root_key_id.into());
        let number: u32 = root_key_id.strip_prefix("r/").and_then(|n| n.parse().ok()).ok_or_else(unknown)?;
        if !self.roots.read().contains_key(&number) {
            self.load()?;
        }
        let roots = self.roots.read();
        let (_, cipher) = roots.get(&number).ok_or_else(unknown)?;
        let opened = cipher.unwrap_text(text, &full_aad(root_key_id, aad));
        opened.ok_or_else(|| KeyError::Integrity(format!("a wrapping under {root_key_id}")))
    }

    async fn rotate(&self, root: RootKey) -> Result<String, KeyError> {
        let lock = key_file::lock(&self.dir)?;
        self.load()?;
        let number = self.make(root)?;
        drop(lock);
        Ok(format!("r/{number}"))
    }
}
