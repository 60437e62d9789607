//! Replays of dead letters: the bytes go through the same parser again, as if they had just come.
use crate::intake::{Accepted, Intake, IntakeError, Signed};
use schemas::{ids::ConnectionId, kind::Platform};

impl Intake {
    /// Reads the bytes of a dead letter again, a body or a single element, and appends what they say now. It counts as
    /// accepted anew (`contract.md`); what still does not read meets its dead letter as a copy.
    ///
    /// An element of Facebook's `standby` is not told from one of `messaging`: its envelope is not in the dead letter.
    ///
    /// # Errors
    /// See [`IntakeError`]; also when the platform has no webhooks or the connection is not known.
    pub async fn replay(
        &self,
        platform: Platform,
        connection: Option<ConnectionId>,
        bytes: &[u8],
    ) -> Result<Accepted, IntakeError> {
        let unknown = || IntakeError::Unavailable(format!("no webhooks of {platform} or no such connection"));
        let connector = self.connector(platform).ok_or_else(unknown)?;
        let connection = match connection {
            None => None,
            Some(id) => Some(self.registry.view().connections.get(&id).cloned().ok_or_else(unknown)?),
        };
        self.take(Signed { connector, connection, bytes, is_dead_letter: true }, &|_| true).await
    }
}
