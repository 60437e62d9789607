//! Secrets, which come from files and from nowhere else.
use super::{ConfigError, SecretFiles};
use std::{fmt, path::Path};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// A secret in memory: it does not print and is wiped when dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Secret(Vec<u8>);

/// The longest secret that is read.
const MAX_BYTES: u64 = 4096;

impl Secret {
    /// The bytes. Do not copy them anywhere that outlives the use.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Reads a secret file; one newline at its end, as editors leave it, is not part of the secret.
    ///
    /// # Errors
    /// When the file cannot be read, is empty, or is too long to be a secret.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let fail = |why: String| ConfigError::new(format!("the secret file {}: {why}", path.display()));
        let length = std::fs::metadata(path).map_err(|error| fail(error.to_string()))?.len();
        if length > MAX_BYTES {
            return Err(fail(format!("it has {length} bytes, a secret has at most {MAX_BYTES}")));
        }
        let mut bytes = Zeroizing::new(std::fs::read(path).map_err(|error| fail(error.to_string()))?);
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
            if bytes.last() == Some(&b'\r') {
                bytes.pop();
            }
        }
        if bytes.is_empty() {
            return Err(fail("it is empty".into()));
        }
        Ok(Self(std::mem::take(&mut *bytes)))
    }

    /// Reads each of the files of a setting.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_all(files: &SecretFiles) -> Result<Vec<Self>, ConfigError> {
        files.0.iter().map(|path| Self::read(path)).collect()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_newline_at_the_end_is_dropped_and_an_empty_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("secret");
        for (written, secret) in
            [("abc", "abc"), ("abc\n", "abc"), ("abc\r\n", "abc"), ("abc\n\n", "abc\n"), (" a ", " a ")]
        {
            std::fs::write(&file, written).unwrap();
            assert_eq!(Secret::read(&file).unwrap().expose(), secret.as_bytes(), "{written:?}");
        }
        for bad in [String::new(), "\n".into(), "x".repeat(5000)] {
            std::fs::write(&file, bad).unwrap();
            assert!(Secret::read(&file).is_err());
        }
        assert!(Secret::read(&dir.path().join("none")).is_err());
        assert_eq!(format!("{:?}", Secret(b"abc".to_vec())), "***");
    }
}
