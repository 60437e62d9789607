//! The connections' secrets, held open while the vault says that nothing in it has changed.
use crate::platforms::signature::{Signature, verify};
use keys::{KeyError, Vault};
use parking_lot::Mutex;
use schemas::{clock::SharedClock, ids::ConnectionId, time::Millis};
use std::{collections::HashMap, sync::Arc, time::Duration};
use zeroize::Zeroizing;

/// How often the vault is asked whether anything in it has changed. It is a database: asking it at each of some thousand
/// posts a second would cost more than all else. A disconnect or a rotation has to act within a second (`security.md`
/// §4), and does.
const ASKED: Duration = Duration::from_millis(500);
/// How long an opened secret is used at most, so that those of silent connections do not stay in memory.
const KEPT: Duration = Duration::from_secs(600);
/// How often secrets that are no longer used are looked for.
const SWEPT: Duration = Duration::from_secs(1);

/// What the vault said last.
#[derive(Clone, Copy)]
struct Seen {
    at: Millis,
    generation: u64,
}

struct Opened {
    at: Millis,
    /// The vault's generation before they were opened: they are of this one or of a later one.
    generation: u64,
    secrets: Vec<Zeroizing<Vec<u8>>>,
}

#[derive(Default)]
struct Held {
    by_connection: HashMap<ConnectionId, Arc<Opened>>,
    swept: Millis,
}

/// See the module's documentation.
pub(super) struct Secrets {
    vault: Vault,
    clock: SharedClock,
    /// Held while the vault is asked: posts that come meanwhile wait for the same answer.
    seen: tokio::sync::Mutex<Option<Seen>>,
    held: Mutex<Held>,
}

/// True until `duration` after `at`; a clock that went back makes nothing fresh.
fn is_fresh(at: Millis, now: Millis, duration: Duration) -> bool {
    at <= now && now.since(at) < duration
}

impl Secrets {
    pub fn new(vault: Vault, clock: SharedClock) -> Self {
        Self { vault, clock, seen: tokio::sync::Mutex::default(), held: Mutex::default() }
    }

    /// True when one of the connection's active secrets of a kind made the signature. A connection has secrets of one
    /// kind.
    pub async fn verify(
        &self,
        connection: ConnectionId,
        kind: &str,
        signature: &Signature,
        body: &[u8],
    ) -> Result<bool, KeyError> {
        let opened = self.open(connection, kind).await?;
        let secrets: Vec<&[u8]> = opened.secrets.iter().map(|secret| secret.as_slice()).collect();
        Ok(verify(&secrets, signature, body))
    }

    /// Lets go of a connection's secrets.
    pub fn forget(&self, connection: ConnectionId) {
        self.held.lock().by_connection.remove(&connection);
    }

    async fn open(&self, connection: ConnectionId, kind: &str) -> Result<Arc<Opened>, KeyError> {
        let generation = self.generation().await?;
        let now = self.clock.now();
        let is_good = |opened: &Opened| opened.generation == generation && is_fresh(opened.at, now, KEPT);
        if let Some(opened) = self.held.lock().by_connection.get(&connection).filter(|opened| is_good(opened)) {
            return Ok(opened.clone());
        }
        // On an error the old secret must not stay in use.
        self.forget(connection);
        let secrets = self
            .vault
            .use_active(connection, kind, |secrets| {
                secrets.iter().map(|secret| Zeroizing::new(secret.to_vec())).collect()
            })
            .await?;
        let opened = Arc::new(Opened { at: now, generation, secrets });
        let mut held = self.held.lock();
        if !is_fresh(held.swept, now, SWEPT) {
            held.swept = now;
            held.by_connection.retain(|_, opened| is_good(opened));
        }
        held.by_connection.insert(connection, opened.clone());
        Ok(opened)
    }

    /// The vault's generation, not older than [`ASKED`].
    async fn generation(&self) -> Result<u64, KeyError> {
        let mut seen = self.seen.lock().await;
        let now = self.clock.now();
        if let Some(seen) = seen.filter(|seen| is_fresh(seen.at, now, ASKED)) {
            return Ok(seen.generation);
        }
        let generation = self.vault.generation().await?;
        *seen = Some(Seen { at: now, generation });
        Ok(generation)
    }
}
