//! Small catalog fields, such as names, sealed under the workspace key.
use super::Keyring;
use crate::{aead::prefixed, error::KeyError, key_id::MasterKind};
use schemas::ids::WorkspaceId;

/// Format of a sealed field.
const VERSION: u8 = 1;
/// Version byte and key version.
const HEADER: usize = 1 + 4;

fn aad(ws: WorkspaceId, purpose: &str) -> Vec<u8> {
    prefixed(&[b"cm-f1", &ws.0, purpose.as_bytes()])
}

impl Keyring {
    /// Seals a small field: 0x01 ‖ workspace key version (u32 big-endian) ‖ nonce 12 ‖ ciphertext ‖ tag 16, 33 bytes
    /// more than the plaintext. `purpose` says which field of which row, such as `workspace.name` or
    /// `connection.name|<id>`, and must be given again; AAD = ("cm-f1", workspace, purpose), each prefixed by its length.
    ///
    /// # Errors
    /// [`KeyError::Unknown`], [`KeyError::Destroyed`], [`KeyError::Unavailable`].
    pub async fn seal_field(&self, ws: WorkspaceId, purpose: &str, plaintext: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.inner.ensure_fresh().await?;
        let master = self.inner.masters.get(ws, MasterKind::Workspace, None).await?;
        let sealed = master.fields.seal_random(&*self.inner.entropy, &aad(ws, purpose), plaintext)?;
        let mut out = Vec::with_capacity(HEADER + sealed.len());
        out.push(VERSION);
        out.extend_from_slice(&master.version.to_be_bytes());
        out.extend_from_slice(&sealed);
        Ok(out)
    }

    /// Opens what [`Self::seal_field`] sealed for the same workspace and purpose.
    ///
    /// # Errors
    /// [`KeyError::Integrity`] when it does not verify, [`KeyError::Destroyed`], [`KeyError::Unavailable`].
    pub async fn open_field(&self, ws: WorkspaceId, purpose: &str, sealed: &[u8]) -> Result<Vec<u8>, KeyError> {
        let damaged = || KeyError::Integrity(format!("a sealed field of workspace {ws}"));
        self.inner.ensure_fresh().await?;
        let (&format, rest) = sealed.split_first().ok_or_else(damaged)?;
        let (version, rest) = rest.split_first_chunk::<4>().ok_or_else(damaged)?;
        if format != VERSION {
            return Err(damaged());
        }
        let version = u32::from_be_bytes(*version);
        let master = match self.inner.masters.get(ws, MasterKind::Workspace, Some(version)).await {
            Err(KeyError::Unknown(_)) => return Err(damaged()),
            other => other?,
        };
        master.fields.open(rest, &aad(ws, purpose)).ok_or_else(damaged)
    }
}
