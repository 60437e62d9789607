//! Files that are there whole or not at all.
use crate::ServeError;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// Who may read a file.
#[derive(Debug, Clone, Copy)]
pub(super) enum Readers {
    /// Its owner: keys.
    Owner,
    /// Everyone: certificates.
    All,
}

/// Replaces a file by way of a new one, so that a crash leaves the old content or the new. The data directory's lock
/// sees to it that one process writes at a time.
pub(super) fn replace(path: &Path, content: &str, readers: Readers) -> Result<(), ServeError> {
    let fresh = path.with_extension("new");
    write(&fresh, content, readers).map_err(ServeError::file(&fresh))?;
    fs::rename(&fresh, path).map_err(ServeError::file(path))?;
    let directory = path.parent().unwrap_or(Path::new("."));
    File::open(directory).and_then(|open| open.sync_all()).map_err(ServeError::file(directory))
}

fn write(path: &Path, content: &str, readers: Readers) -> io::Result<()> {
    // A rest of an earlier crash would keep its mode; a new file has ours from its first byte on.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mode = match readers {
        Readers::Owner => 0o600,
        Readers::All => 0o644,
    };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(content.as_bytes())?;
    file.sync_all()
}
