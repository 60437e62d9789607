//! Why a process does not start, or does not go on.
use crate::{config::ConfigError, control::CommandError};
use std::{io, path::PathBuf};

/// Why a process does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another process has the directory.
    #[error("the data directory {} is in use by process {holder}", .directory.display())]
    InUse {
        /// The directory.
        directory: PathBuf,
        /// The other process's id, or `?`.
        holder: String,
    },
    /// A newer version wrote the directory.
    #[error(
        "the data directory {} has format {found}, which is newer than this version reads ({known}); run the version that wrote it",
        .directory.display()
    )]
    Newer {
        /// The directory.
        directory: PathBuf,
        /// Its format.
        found: u64,
        /// The newest format of this version.
        known: u64,
    },
    /// The directory holds something else.
    #[error("{} holds other things and is no data directory", .0.display())]
    Foreign(PathBuf),
    /// The configuration does not fit.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A stage was asked for alone, on parts that no other process reaches.
    #[error(
        "`chatmai {role}` runs beside other processes and needs what all of them reach; set {missing}, or run `chatmai up`, \
         which has all roles"
    )]
    Roles {
        /// The role.
        role: &'static str,
        /// The settings.
        missing: String,
    },
    /// What was asked for does not fit what there is.
    #[error("{0}")]
    Usage(String),
    /// A file or a directory could not be used.
    #[error("{}: {source}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// One of the parts does not open.
    #[error("{0}")]
    Part(String),
}

impl StartError {
    /// A file or a directory could not be used.
    pub fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }

    /// One of the parts does not open.
    pub fn part(error: impl ToString) -> Self {
        Self::Part(error.to_string())
    }

    /// One of two parts whose errors read alike does not open.
    pub fn part_of<E: ToString>(name: &'static str) -> impl FnOnce(E) -> Self {
        move |error| Self::Part(format!("{name}: {}", error.to_string()))
    }

    /// True when the operator has to change what was asked for: exit code 2.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Config(_) | Self::Foreign(_) | Self::Roles { .. } | Self::Usage(_))
    }
}

impl From<StartError> for CommandError {
    fn from(error: StartError) -> Self {
        if error.is_usage() { Self::usage(error) } else { Self::failed(error) }
    }
}
