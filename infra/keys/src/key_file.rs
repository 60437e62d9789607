//! Root key files: one immutable file per version, mode 0600, written whole or not at all.
use crate::{error::KeyError, secret::Secret32};
use base64::{Engine, engine::general_purpose::STANDARD};
use schemas::{clock::Entropy, clock::random, ids::hex};
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};
use zeroize::Zeroizing;

/// Longest key file that is read, in bytes.
const MAX: u64 = 256;

/// Makes the directory with mode 0700 if it is missing.
pub(crate) fn make_directory(dir: &Path) -> Result<(), KeyError> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    Ok(())
}

/// Takes the directory's lock; it is free again when the file is dropped.
pub(crate) fn lock(dir: &Path) -> Result<File, KeyError> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(dir.join("lock"))?;
    rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive).map_err(std::io::Error::from)?;
    Ok(file)
}

/// Reads one key file.
///
/// # Errors
/// [`KeyError::Unavailable`] when group or others may read it (`security.md` §1: mode 0600), [`KeyError::Integrity`]
/// when it does not hold a key.
pub(crate) fn read(path: &Path) -> Result<Secret32, KeyError> {
    let file = File::open(path)?;
    let mode = file.metadata()?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let name = path.display();
        return Err(KeyError::Unavailable(format!(
            "the root key file {name} has mode {mode:04o}, so that group or others can use it: chmod 600 it"
        )));
    }
    let mut text = Zeroizing::new(String::with_capacity(MAX as usize));
    let unreadable = || KeyError::Integrity(format!("the root key file {}", path.display()));
    file.take(MAX).read_to_string(&mut text).map_err(|_| unreadable())?;
    let bytes = Zeroizing::new(STANDARD.decode(text.trim_end()).map_err(|_| unreadable())?);
    Secret32::from_slice(&bytes).ok_or_else(unreadable)
}

/// Writes a key file so that after a crash it is there whole or not at all. An existing file is never replaced.
pub(crate) fn write(path: &Path, key: &Secret32, entropy: &dyn Entropy) -> Result<(), KeyError> {
    let dir = path.parent().ok_or_else(|| KeyError::Unavailable("a key file needs a directory".into()))?;
    let temporary = dir.join(format!("new-{}", hex(&random::<8>(entropy)?)));
    let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&temporary)?;
    let mut text = Zeroizing::new(STANDARD.encode(key.expose()));
    text.push('\n');
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    let linked = written.and_then(|()| fs::hard_link(&temporary, path));
    fs::remove_file(&temporary)?;
    linked?;
    File::open(dir)?.sync_all()?;
    Ok(())
}
