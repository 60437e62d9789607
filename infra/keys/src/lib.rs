//! The key hierarchy (`security.md` §1-5): a root key in a KMS wraps workspace keys, a workspace key wraps day keys
//! and the data keys of log records, a day key wraps the data keys of Parquet files. Destroying a key is how data
//! expires. Platform tokens have a root key and a database of their own, the [`Vault`].
//!
//! Everything fails closed: a key that is missing, destroyed or out of reach is an error, never plaintext and never
//! an empty answer. No secret type prints, serialises or clones.
mod aead;
mod cache;
mod day_key;
mod db;
mod error;
mod file_kms;
mod key_file;
mod key_id;
mod key_material;
mod keyring;
mod kms;
mod masters;
mod opener;
mod pseudonyms;
mod sealer;
mod secret;
mod vault;

pub use day_key::DayKey;
pub use error::{KeyError, KeyErrorClass};
pub use file_kms::FileKms;
pub use key_id::{master_key_id, parse_master_key_id};
pub use key_material::master_key_of;
pub use keyring::{Keyring, KeyringOptions, RecordOpener};
pub use kms::{Kms, RootKey, Wrapped};
pub use pseudonyms::Pseudonyms;
pub use sealer::{EVENTS_TOPIC, RecordSealer};
pub use secret::Secret32;
pub use vault::{Expiring, Vault, VaultOptions};
