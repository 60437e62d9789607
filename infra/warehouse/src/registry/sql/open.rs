//! Sealed fields: which purpose seals which, and what a field that does not open means.
use crate::registry::RegistryError;
use keys::{KeyError, KeyErrorClass, Keyring};
use schemas::ids::{ConnectionId, WorkspaceId};

/// Which field. Its text is part of what seals it, so that no sealed field passes for another.
#[derive(Clone, Copy)]
pub(super) enum Field {
    WorkspaceName,
    ConnectionName(ConnectionId),
    ConnectionExternal(ConnectionId),
}

impl Field {
    fn purpose(self) -> String {
        match self {
            Self::WorkspaceName => "workspace.name".to_owned(),
            Self::ConnectionName(id) => format!("connection.name|{id}"),
            Self::ConnectionExternal(id) => format!("connection.external|{id}"),
        }
    }

    pub(super) async fn seal(self, keyring: &Keyring, of: WorkspaceId, text: &str) -> Result<Vec<u8>, KeyError> {
        keyring.seal_field(of, &self.purpose(), text.as_bytes()).await
    }

    /// The text; `None` when it can never be opened again.
    pub(super) async fn open(
        self,
        keyring: &Keyring,
        of: WorkspaceId,
        sealed: &[u8],
    ) -> Result<Option<String>, RegistryError> {
        let opened = keyring.open_field(of, &self.purpose(), sealed).await;
        let damage = match opened.map(String::from_utf8) {
            Ok(Ok(text)) => return Ok(Some(text)),
            Ok(Err(_)) => KeyError::Integrity("a sealed field is not UTF-8".into()),
            Err(error) => error,
        };
        match damage.class() {
            KeyErrorClass::Retry => Err(damage.into()),
            KeyErrorClass::Destroyed => Ok(None),
            // One workspace's damage must not take the others down; it is for the operator to see.
            KeyErrorClass::Integrity => {
                tracing::error!(workspace = %of, error = %damage, "a field of the registry does not open");
                Ok(None)
            }
        }
    }
}
