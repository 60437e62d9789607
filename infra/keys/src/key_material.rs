//! The key material that PyArrow reads in a Parquet file's footer key metadata (`security.md` §2).
use crate::{aead::Cipher, error::KeyError, key_id::parse_master_key_id, secret::Secret32};
use schemas::{
    clock::Entropy,
    ids::WorkspaceId,
    partition::{PartitionDay, RetentionClass},
};
use serde::{Deserialize, Serialize};

/// Longest key material that is parsed, in bytes. Ours has about 330.
const MAX: usize = 4096;

/// The PKMT1 JSON, with exactly the fields of the table in `security.md` §2.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    key_material_type: &'a str,
    internal_storage: bool,
    is_footer_key: bool,
    #[serde(rename = "kmsInstanceID")]
    kms_instance_id: &'a str,
    #[serde(rename = "kmsInstanceURL")]
    kms_instance_url: &'a str,
    #[serde(rename = "masterKeyID")]
    master_key_id: &'a str,
    #[serde(rename = "wrappedDEK")]
    wrapped_dek: &'a str,
    double_wrapping: bool,
}

/// What we read of it. The KMS instance and URL are not even parsed: a file cannot make us call anyone.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Read {
    key_material_type: String,
    internal_storage: bool,
    is_footer_key: bool,
    #[serde(rename = "masterKeyID")]
    master_key_id: String,
    #[serde(rename = "wrappedDEK")]
    wrapped_dek: String,
    double_wrapping: bool,
}

fn read(material: &[u8]) -> Result<Read, KeyError> {
    let unreadable = || KeyError::Integrity("a file's key material".into());
    if material.len() > MAX {
        return Err(unreadable());
    }
    let read: Read = serde_json::from_slice(material).map_err(|_| unreadable())?;
    let ours = read.key_material_type == "PKMT1" && read.internal_storage && read.is_footer_key;
    if ours && !read.double_wrapping { Ok(read) } else { Err(unreadable()) }
}

/// A fresh file key, and the material that carries it wrapped under the day key `id`.
pub(crate) fn make(id: &str, day: &Cipher, entropy: &dyn Entropy) -> Result<(Secret32, String), KeyError> {
    let dek = Secret32::random(entropy)?;
    let wrapped_dek = day.wrap_text(entropy, id.as_bytes(), &dek)?;
    let material = Written {
        key_material_type: "PKMT1",
        internal_storage: true,
        is_footer_key: true,
        kms_instance_id: "DEFAULT",
        kms_instance_url: "DEFAULT",
        master_key_id: id,
        wrapped_dek: &wrapped_dek,
        double_wrapping: false,
    };
    let text = serde_json::to_string(&material).map_err(|_| KeyError::Integrity("key material to write".into()))?;
    Ok((dek, text))
}

/// The file key in the material, which must name the day key `id`.
pub(crate) fn open(id: &str, day: &Cipher, material: &[u8]) -> Result<Secret32, KeyError> {
    let read = read(material)?;
    if read.master_key_id != id {
        return Err(KeyError::Integrity(format!("a file's key material: not under {id}")));
    }
    let dek = day.unwrap_text(&read.wrapped_dek, id.as_bytes());
    dek.ok_or_else(|| KeyError::Integrity(format!("a file key under {id}")))
}

/// Which day key a file's key material names. For a file whose catalog row is at hand, compare: the row decides.
///
/// # Errors
/// [`KeyError::Integrity`] when the bytes are not key material that we write.
pub fn master_key_of(material: &[u8]) -> Result<(WorkspaceId, PartitionDay, RetentionClass), KeyError> {
    let id = read(material)?.master_key_id;
    parse_master_key_id(&id).ok_or_else(|| KeyError::Integrity("a file's key material: its key id".into()))
}
