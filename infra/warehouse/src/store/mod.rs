//! Object stores of other machines: S3 and what speaks like it, Google Cloud Storage, Azure Blob Storage. The local disk
//! needs none of this.
//!
//! Whatever the store, [`crate::file`] sees one [`object_store::ObjectStore`]; here is only how it is reached: where it
//! is, with which credentials, over which connections, and how patiently.
mod bucket;
mod client;
mod location;

pub use bucket::{BucketOptions, Credentials, StoreError, open};
pub use location::{InvalidLocation, Location, Provider};
