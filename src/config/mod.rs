//! One typed configuration: `chatmai.toml`, the environment on top, `--data-dir` on top of that.
mod check;
mod databases;
mod environment;
mod known;
mod load;
mod secret;
mod section;
mod sections;
mod show;
mod store;
mod units;
mod values;

pub use load::{Sources, load};
pub use secret::Secret;
pub use sections::{
    Catalog, Facebook, Jobs, Kafka, Keys, Kms, Land, Limits, Listen, Log, Logging, Query, Retention, Testing, Tls,
    Vault, Webhooks,
};
pub use show::to_toml;
pub use store::{Store, StoreUrl};
pub use units::Size;
pub use values::{AppId, LogFormat, SecretFiles};

use section::{Field, Section};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The configuration is wrong; the text is for the operator and holds no secret.
#[derive(Debug, thiserror::Error)]
#[error("configuration: {0}")]
pub struct ConfigError(String);

impl ConfigError {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// Everything that can be set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// See [`TOP`].
    pub data_dir: PathBuf,
    /// See [`Listen`].
    pub listen: Listen,
    /// See [`Tls`].
    pub tls: Tls,
    /// See [`Webhooks`].
    pub webhooks: Webhooks,
    /// See [`Log`].
    pub log: Log,
    /// See [`Store`].
    pub store: Store,
    /// See [`Catalog`].
    pub catalog: Catalog,
    /// See [`Keys`].
    pub keys: Keys,
    /// See [`Vault`].
    pub vault: Vault,
    /// See [`Kms`].
    pub kms: Kms,
    /// See [`Kafka`].
    pub kafka: Kafka,
    /// See [`Land`].
    pub land: Land,
    /// See [`Jobs`].
    pub jobs: Jobs,
    /// See [`Query`].
    pub query: Query,
    /// See [`Platforms`].
    pub platforms: Platforms,
    /// See [`Limits`].
    pub limits: Limits,
    /// See [`Retention`].
    pub retention: Retention,
    /// See [`Logging`].
    pub logging: Logging,
    /// See [`Testing`].
    pub testing: Testing,
}

/// One section for each platform that has settings of its own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Platforms {
    /// See [`Facebook`].
    pub facebook: Facebook,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("./chatmai-data"),
            listen: Listen::default(),
            tls: Tls::default(),
            webhooks: Webhooks::default(),
            log: Log::default(),
            store: Store::default(),
            catalog: Catalog::default(),
            keys: Keys::default(),
            vault: Vault::default(),
            kms: Kms::default(),
            kafka: Kafka::default(),
            land: Land::default(),
            jobs: Jobs::default(),
            query: Query::default(),
            platforms: Platforms::default(),
            limits: Limits::default(),
            retention: Retention::default(),
            logging: Logging::default(),
            testing: Testing::default(),
        }
    }
}

/// The settings that stand above all sections.
const TOP: Section = Section {
    name: "",
    explanation: &[" ChatMai. Environment variables `CHATMAI__SECTION__FIELD` go on top of this file."],
    fields: &[Field {
        name: "data_dir",
        explanation: &[
            " Path of the directory with keys, log, catalog and data files; also `--data-dir`. Made when it is missing.",
            " Relative paths, here and below, start at the working directory.",
        ],
        example: "\"/var/lib/chatmai\"",
    }],
};

/// Every section, in the order in which they are printed.
pub(crate) const SECTIONS: &[Section] = &[
    TOP,
    Listen::SECTION,
    Tls::SECTION,
    Webhooks::SECTION,
    Log::SECTION,
    Store::SECTION,
    Catalog::SECTION,
    Keys::SECTION,
    Vault::SECTION,
    Kms::SECTION,
    Kafka::SECTION,
    Land::SECTION,
    Jobs::SECTION,
    Query::SECTION,
    Facebook::SECTION,
    Limits::SECTION,
    Retention::SECTION,
    Logging::SECTION,
    Testing::SECTION,
];
