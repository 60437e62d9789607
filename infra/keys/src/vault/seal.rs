//! How a token is bound to its place: connection, workspace, platform, kind and generation.
use crate::{
    aead::{commitment, prefixed, same},
    db::token_rows::TokenRow,
    error::KeyError,
    masters::MasterKey,
};
use schemas::ids::{ConnectionId, WorkspaceId};
use zeroize::Zeroizing;

/// What a token belongs to.
pub(super) struct Place<'a> {
    pub(super) connection: ConnectionId,
    pub(super) workspace: WorkspaceId,
    pub(super) platform: &'a str,
    pub(super) kind: &'a str,
    pub(super) generation: u64,
}

impl Place<'_> {
    /// ("cm-t1", workspace, connection, platform, kind, generation u64 big-endian), each prefixed by its length.
    pub(super) fn aad(&self) -> Vec<u8> {
        let generation = self.generation.to_be_bytes();
        let (platform, kind) = (self.platform.as_bytes(), self.kind.as_bytes());
        prefixed(&[b"cm-t1", &self.workspace.0, &self.connection.0, platform, kind, &generation])
    }
}

/// How a secret is called in errors.
pub(super) fn name(connection: ConnectionId, kind: &str) -> String {
    format!("t/{connection}/{kind}")
}

/// Opens a token: first the commitment, then the ciphertext.
pub(super) fn open(
    connection: ConnectionId,
    kind: &str,
    row: &TokenRow,
    key: &MasterKey,
) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let damaged = || KeyError::Integrity(format!("the token {}", name(connection, kind)));
    if !same(&commitment(&key.secret, key.id.as_bytes()), &row.commitment) {
        return Err(damaged());
    }
    let place =
        Place { connection, workspace: row.workspace, platform: &row.platform, kind, generation: row.generation };
    let sealed = row.sealed.as_deref().ok_or_else(damaged)?;
    key.wrapping.open(sealed, &place.aad()).map(Zeroizing::new).ok_or_else(damaged)
}
