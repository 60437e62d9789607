//! What can go wrong with a key, and what the caller does then.
use schemas::clock::NoEntropy;

/// A key could not be used. No variant ever holds secret bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The key store or the KMS is unreachable: answer 503 or pause, and try again (`security.md` §1).
    #[error("the keys are out of reach: {0}")]
    Unavailable(String),
    /// The key with this id was destroyed: 410 for a workspace, skip and count for records.
    #[error("the key {0} was destroyed")]
    Destroyed(String),
    /// There is no key with this id.
    #[error("there is no key {0}")]
    Unknown(String),
    /// A wrapping, commitment or ciphertext does not verify: stop and alert.
    #[error("does not verify: {0}")]
    Integrity(String),
    /// The operating system gave no random bytes.
    #[error("no random bytes to make a key from")]
    Entropy,
    /// A key has done all it may (`security.md` §1), or an argument is larger than allowed. For a record sealer: ask
    /// for a new one.
    #[error("limit reached: {0}")]
    Limit(String),
}

/// What a caller does about a [`KeyError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyErrorClass {
    /// Answer 503 or pause, then try again.
    Retry,
    /// Answer 410, or skip and count.
    Destroyed,
    /// Stop and alert; trying again does not help.
    Integrity,
}

impl KeyError {
    /// What to do about it. An unknown key is `Integrity`: data that names a key which never was has been changed, or
    /// belongs to another key store.
    pub fn class(&self) -> KeyErrorClass {
        match self {
            Self::Unavailable(_) | Self::Entropy | Self::Limit(_) => KeyErrorClass::Retry,
            Self::Destroyed(_) => KeyErrorClass::Destroyed,
            Self::Unknown(_) | Self::Integrity(_) => KeyErrorClass::Integrity,
        }
    }
}

impl From<NoEntropy> for KeyError {
    fn from(_: NoEntropy) -> Self {
        Self::Entropy
    }
}

impl From<sqlx::Error> for KeyError {
    /// A row that does not decode is damage; its text could show stored bytes, so it is left out. Whatever the database
    /// itself refuses, a missing right or table among it, is no word about a key: others would give up records and
    /// states for it that open once the database is right again. So the keys are out of reach until then.
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::ColumnDecode { index, .. } => Self::Integrity(format!("column {index} of a key store row")),
            sqlx::Error::Decode(_) => Self::Integrity("a key store row".into()),
            other => Self::Unavailable(other.to_string()),
        }
    }
}

impl From<std::io::Error> for KeyError {
    fn from(error: std::io::Error) -> Self {
        Self::Unavailable(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_says_what_to_do() {
        for (error, class) in [
            (KeyError::Unavailable("x".into()), KeyErrorClass::Retry),
            (KeyError::Entropy, KeyErrorClass::Retry),
            (KeyError::Limit("x".into()), KeyErrorClass::Retry),
            (KeyError::Destroyed("x".into()), KeyErrorClass::Destroyed),
            (KeyError::Unknown("x".into()), KeyErrorClass::Integrity),
            (KeyError::Integrity("x".into()), KeyErrorClass::Integrity),
        ] {
            assert_eq!(error.class(), class, "{error}");
        }
    }
}
