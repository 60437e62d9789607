//! Values with a looser written form than their type.
use serde::{Deserialize, Deserializer, Serialize};
use std::{fmt, path::PathBuf};

/// An app id of a platform: digits, written as a text or as a number.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(transparent)]
pub struct AppId(pub String);

impl fmt::Display for AppId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for AppId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(u64),
            Text(String),
        }
        let text = match Written::deserialize(deserializer) {
            Ok(Written::Number(number)) => number.to_string(),
            Ok(Written::Text(text)) => text,
            Err(_) => String::new(),
        };
        if text.is_empty() || text.len() > 32 || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(serde::de::Error::custom("an app id consists of digits"));
        }
        Ok(Self(text))
    }
}

/// Files that hold one secret each: one path, or a list of two while one secret replaces the other. Only paths are ever
/// part of the configuration; what the files hold is read by [`super::secret`].
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(transparent)]
pub struct SecretFiles(pub Vec<PathBuf>);

impl<'de> Deserialize<'de> for SecretFiles {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            One(PathBuf),
            Many(Vec<PathBuf>),
        }
        let files = match Written::deserialize(deserializer) {
            Ok(Written::One(file)) if file.as_os_str().is_empty() => Vec::new(),
            Ok(Written::One(file)) => vec![file],
            Ok(Written::Many(files)) => files,
            Err(_) => return Err(serde::de::Error::custom("a path, or a list of two, is expected")),
        };
        if files.len() > 2 || files.iter().any(|file| file.as_os_str().is_empty()) {
            return Err(serde::de::Error::custom("one path is expected, or two during a rotation"));
        }
        Ok(Self(files))
    }
}

/// How log lines are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}
