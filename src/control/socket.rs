//! The socket's place. A socket's path has at most 107 bytes, a data directory's may have more: it is reached through
//! an open handle of the directory, whose path is short.
use rustix::fs::{Mode, OFlags};
use std::{
    fs, io,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::fs::PermissionsExt,
    },
    path::{Path, PathBuf},
};
use tokio::net::{UnixListener, UnixStream};

const NAME: &str = "control.sock";

fn open(directory: &Path) -> io::Result<(OwnedFd, PathBuf)> {
    let handle = rustix::fs::open(directory, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let path = PathBuf::from(format!("/proc/self/fd/{}/{NAME}", handle.as_raw_fd()));
    Ok((handle, path))
}

/// Listens. The caller holds the directory's lock, so that a socket that is there is a dead process's.
///
/// # Errors
/// When the directory does not let it.
pub fn listen(directory: &Path) -> io::Result<UnixListener> {
    remove(directory)?;
    let (_handle, path) = open(directory)?;
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(directory.join(NAME), fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Connects; `None` when nobody listens.
///
/// # Errors
/// When the directory or the socket cannot be reached, as for lack of permission.
pub async fn connect(directory: &Path) -> io::Result<Option<UnixStream>> {
    let connected = match open(directory) {
        Ok((_handle, path)) => UnixStream::connect(path).await,
        Err(error) => Err(error),
    };
    match connected {
        Ok(stream) => Ok(Some(stream)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removes the socket's file.
///
/// # Errors
/// When it is there and stays.
pub fn remove(directory: &Path) -> io::Result<()> {
    match fs::remove_file(directory.join(NAME)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn it_works_in_a_directory_whose_path_is_longer_than_a_sockets_may_be() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("d".repeat(120)).join("e".repeat(120));
        fs::create_dir_all(&directory).unwrap();
        assert!(connect(&directory).await.unwrap().is_none());
        let listener = listen(&directory).unwrap();
        assert_eq!(fs::metadata(directory.join(NAME)).unwrap().permissions().mode() & 0o777, 0o600);
        let (client, server) = tokio::join!(connect(&directory), listener.accept());
        client.unwrap().unwrap().write_all(b"hello").await.unwrap();
        let mut text = String::new();
        server.unwrap().0.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "hello");
        // A dead process leaves its socket behind.
        drop(listener);
        assert!(connect(&directory).await.unwrap().is_none());
        drop(listen(&directory).unwrap());
        remove(&directory).unwrap();
        remove(&directory).unwrap();
        assert!(connect(&root.path().join("none")).await.unwrap().is_none());
    }
}
