//! Channel secrets, held open for at most a second.
use crate::platforms::signature::{Signature, verify};
use keys::{KeyError, Vault};
use parking_lot::Mutex;
use schemas::{clock::SharedClock, ids::ConnectionId, time::Millis};
use std::{collections::HashMap, sync::Arc, time::Duration};
use zeroize::Zeroizing;

/// The vault's word for LINE's channel secret.
pub const CHANNEL_SECRET: &str = "channel_secret";

/// How long an opened secret is used. The vault is a database: asking it at each of some thousand posts a second would
/// cost more than all else. A disconnect or a rotation has to act within a second (`security.md` §4), and does.
const KEPT: Duration = Duration::from_secs(1);

struct Opened {
    at: Millis,
    secrets: Vec<Zeroizing<Vec<u8>>>,
}

/// See the module's documentation.
pub(super) struct Secrets {
    vault: Vault,
    clock: SharedClock,
    opened: Mutex<HashMap<ConnectionId, Arc<Opened>>>,
}

impl Secrets {
    pub fn new(vault: Vault, clock: SharedClock) -> Self {
        Self { vault, clock, opened: Mutex::default() }
    }

    /// True when one of the connection's active secrets made the signature.
    pub async fn verify(&self, connection: ConnectionId, signature: &Signature, body: &[u8]) -> Result<bool, KeyError> {
        let opened = self.open(connection).await?;
        let secrets: Vec<&[u8]> = opened.secrets.iter().map(|secret| secret.as_slice()).collect();
        Ok(verify(&secrets, signature, body))
    }

    /// Lets go of a connection's secrets.
    pub fn forget(&self, connection: ConnectionId) {
        self.opened.lock().remove(&connection);
    }

    async fn open(&self, connection: ConnectionId) -> Result<Arc<Opened>, KeyError> {
        let now = self.clock.now();
        let is_fresh = |opened: &Opened| opened.at <= now && now.since(opened.at) < KEPT;
        if let Some(opened) = self.opened.lock().get(&connection).filter(|opened| is_fresh(opened)) {
            return Ok(opened.clone());
        }
        // On an error the old secret must not stay in use.
        self.forget(connection);
        let secrets = self
            .vault
            .use_active(connection, CHANNEL_SECRET, |secrets| {
                secrets.iter().map(|secret| Zeroizing::new(secret.to_vec())).collect()
            })
            .await?;
        let opened = Arc::new(Opened { at: now, secrets });
        let mut held = self.opened.lock();
        held.retain(|_, opened| is_fresh(opened));
        held.insert(connection, opened.clone());
        Ok(opened)
    }
}
