//! The data directory: one process at a time, one format.
use super::StartError;
use rustix::fs::{FlockOperation, flock};
use schemas::clock::{Entropy, random};
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Seek, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// The format that this version writes, and the newest that it reads.
const FORMAT: u64 = 1;
const LOCK_FILE: &str = "lock";
const FORMAT_FILE: &str = "format";
const ID_FILE: &str = "id";

/// A data directory whose lock is held. The lock goes with the process, however it ends.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Makes the directory if it is missing, takes its lock, and checks its format.
    ///
    /// # Errors
    /// [`StartError::InUse`], [`StartError::Newer`], [`StartError::Foreign`], [`StartError::File`]; nothing was changed
    /// then, but for the directory itself.
    pub fn lock(path: &Path) -> Result<Self, StartError> {
        create(path)?;
        // Other parts, and outsiders by `endpoints.json`, get a path that holds from any working directory.
        let path = path.canonicalize().map_err(StartError::file(path))?;
        if is_foreign(&path)? {
            return Err(StartError::Foreign(path));
        }
        close(&path)?;
        let file = path.join(LOCK_FILE);
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&file);
        let mut lock = opened.map_err(StartError::file(&file))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(StartError::InUse { directory: path, holder: holder(&mut lock) });
            }
            Err(error) => return Err(StartError::file(&file)(error.into())),
        }
        check_format(&path)?;
        write_holder(&mut lock).map_err(StartError::file(&file))?;
        Ok(Self { path, _lock: lock })
    }

    /// Its path, absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The directory's own name among all that share a catalog: random, made at first use.
    ///
    /// # Errors
    /// [`StartError::File`].
    pub fn id(&self, entropy: &dyn Entropy) -> Result<String, StartError> {
        let file = self.path.join(ID_FILE);
        match fs::read_to_string(&file) {
            Ok(id) => Ok(id.trim().to_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let id = schemas::ids::WorkspaceId(random(entropy).map_err(StartError::part)?).to_string();
                replace(&self.path, ID_FILE, format!("{id}\n").as_bytes()).map_err(StartError::file(&file))?;
                Ok(id)
            }
            Err(error) => Err(StartError::file(&file)(error)),
        }
    }

    /// A directory in it, which only its owner may enter; made if it is missing.
    ///
    /// # Errors
    /// [`StartError::File`].
    pub fn directory(&self, name: &str) -> Result<PathBuf, StartError> {
        let path = self.path.join(name);
        create(&path)?;
        close(&path)?;
        Ok(path)
    }
}

fn create(path: &Path) -> Result<(), StartError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(StartError::file(path))
}

/// Lets nobody but the owner in, also where somebody made it before.
fn close(path: &Path) -> Result<(), StartError> {
    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(StartError::file(path))
}

/// True when the directory has no format but holds things that are not of a first start that was cut off.
fn is_foreign(path: &Path) -> Result<bool, StartError> {
    if path.join(FORMAT_FILE).exists() {
        return Ok(false);
    }
    for entry in fs::read_dir(path).map_err(StartError::file(path))? {
        let name = entry.map_err(StartError::file(path))?.file_name();
        if name != LOCK_FILE && name != "format.new" {
            return Ok(true);
        }
    }
    Ok(false)
}

fn check_format(path: &Path) -> Result<(), StartError> {
    let file = path.join(FORMAT_FILE);
    match fs::read_to_string(&file) {
        Ok(text) => match text.trim().parse::<u64>() {
            Ok(found) if found > FORMAT => Err(StartError::Newer { directory: path.into(), found, known: FORMAT }),
            Ok(_) => Ok(()),
            Err(_) => Err(StartError::Part(format!("{} does not say a format", file.display()))),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            replace(path, FORMAT_FILE, format!("{FORMAT}\n").as_bytes()).map_err(StartError::file(&file))
        }
        Err(error) => Err(StartError::file(&file)(error)),
    }
}

/// Writes a file so that it is there whole or not at all.
///
/// # Errors
/// When the directory does not let it.
pub fn replace(directory: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let new = directory.join(format!("{name}.new"));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(new, directory.join(name))?;
    File::open(directory)?.sync_all()
}

fn holder(lock: &mut File) -> String {
    let mut text = String::new();
    match lock.read_to_string(&mut text) {
        Ok(_) if !text.trim().is_empty() => text.trim().to_owned(),
        _ => "?".to_owned(),
    }
}

fn write_holder(lock: &mut File) -> io::Result<()> {
    lock.set_len(0)?;
    lock.rewind()?;
    writeln!(lock, "{}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_at_a_time_and_its_process_is_named() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a/b");
        let held = DataDir::lock(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        let error = DataDir::lock(&path).unwrap_err();
        assert!(
            matches!(&error, StartError::InUse { holder, .. } if *holder == std::process::id().to_string()),
            "{error}"
        );
        drop(held);
        let again = DataDir::lock(&path).unwrap();
        assert!(again.directory("keys").unwrap().is_dir());
    }

    #[test]
    fn newer_formats_and_other_peoples_directories_are_refused_untouched() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("thesis.tex"), "x").unwrap();
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
        assert!(matches!(DataDir::lock(root.path()), Err(StartError::Foreign(_))));
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
        assert_eq!(fs::metadata(root.path()).unwrap().permissions().mode() & 0o777, 0o755);
        let path = root.path().join("data");
        drop(DataDir::lock(&path).unwrap());
        fs::write(path.join("format"), "2\n").unwrap();
        assert!(matches!(DataDir::lock(&path), Err(StartError::Newer { found: 2, known: 1, .. })));
        fs::write(path.join("format"), "x").unwrap();
        assert!(matches!(DataDir::lock(&path), Err(StartError::Part(_))));
    }
}
