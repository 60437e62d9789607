//! Database files: made with mode 0600 before the database first opens them; SQLite gives its side files the same.
use crate::error::KeyError;
use std::{
    fs::{self, DirBuilder, OpenOptions, Permissions},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

/// Makes the file (and its directory, mode 0700) if missing, sets it to 0600, and returns the address to connect to.
pub(crate) fn sqlite_address(path: &Path) -> Result<String, KeyError> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
    OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    let full = fs::canonicalize(path)?;
    Ok(format!("sqlite://{}?mode=rw", database::percent_encoded(full.as_os_str().as_encoded_bytes())))
}
