//! What an operator asks for: the same whether it goes through the socket of a running process or is done here.
use schemas::{
    ids::{ApiKeyId, ConnectionId, EventId},
    kind::Platform,
    partition::PartitionDay,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use warehouse::registry::Scope;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// A command. Workspaces are named by id, by a name that only one has, or as `system`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Make a workspace.
    WorkspaceAdd {
        /// Its name.
        name: String,
        /// IANA time zone.
        time_zone: String,
        /// Days its events are kept.
        retention_days: Option<u16>,
    },
    /// All workspaces.
    WorkspaceList,
    /// Make a connection.
    ConnectionAdd {
        /// Whose.
        workspace: String,
        /// Of which platform.
        platform: Platform,
        /// Its name.
        name: String,
        /// LINE's destination, Facebook's page id.
        external_id: String,
        /// LINE's channel secret.
        secret: Option<SecretBytes>,
    },
    /// All connections, or a workspace's.
    ConnectionList {
        /// Whose.
        workspace: Option<String>,
    },
    /// End a connection.
    ConnectionDisable {
        /// Which.
        connection: ConnectionId,
    },
    /// Give a connection another secret beside the present one.
    ConnectionRotateSecret {
        /// Which.
        connection: ConnectionId,
        /// The new secret.
        secret: SecretBytes,
    },
    /// Make an API key.
    KeyAdd {
        /// Whose.
        workspace: String,
        /// What it may do.
        scopes: Vec<Scope>,
    },
    /// All API keys, or a workspace's.
    KeyList {
        /// Whose.
        workspace: Option<String>,
    },
    /// Revoke an API key.
    KeyRevoke {
        /// Which.
        id: ApiKeyId,
    },
    /// A new version of a workspace's keys; of the root keys without one.
    KeyRotate {
        /// Whose.
        workspace: Option<String>,
    },
    /// The day keys of a workspace.
    KeyExport {
        /// Whose.
        workspace: String,
        /// Of one day.
        day: Option<PartitionDay>,
    },
    /// Append lines; they follow the command, up to the end of the stream.
    Import {
        /// Into which workspace.
        workspace: String,
    },
    /// List dead letters.
    DeadLettersList(Letters),
    /// Dead letters with their bytes.
    DeadLettersShow(Letters),
    /// Read dead letters again.
    DeadLettersReplay(Letters),
}

/// Which dead letters.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Letters {
    /// Whose.
    pub workspace: String,
    /// Of one connection.
    pub connection: Option<ConnectionId>,
    /// Only these; all when empty.
    pub ids: Vec<EventId>,
}

impl Command {
    /// True when log and files take part, so that a process that works by itself has to open them.
    pub fn needs_pipeline(&self) -> bool {
        matches!(
            self,
            Self::Import { .. } | Self::DeadLettersList(_) | Self::DeadLettersShow(_) | Self::DeadLettersReplay(_)
        )
    }

    /// True when it lasts as long as its input does.
    pub fn is_long(&self) -> bool {
        matches!(self, Self::Import { .. })
    }

    /// How it is called in the log.
    pub fn name(&self) -> &'static str {
        match self {
            Self::WorkspaceAdd { .. } => "workspace add",
            Self::WorkspaceList => "workspace list",
            Self::ConnectionAdd { .. } => "connection add",
            Self::ConnectionList { .. } => "connection list",
            Self::ConnectionDisable { .. } => "connection disable",
            Self::ConnectionRotateSecret { .. } => "connection rotate-secret",
            Self::KeyAdd { .. } => "key add",
            Self::KeyList { .. } => "key list",
            Self::KeyRevoke { .. } => "key revoke",
            Self::KeyRotate { .. } => "key rotate",
            Self::KeyExport { .. } => "key export",
            Self::Import { .. } => "import",
            Self::DeadLettersList(_) => "dead-letters list",
            Self::DeadLettersShow(_) => "dead-letters show",
            Self::DeadLettersReplay(_) => "dead-letters replay",
        }
    }
}

/// A secret on its way from a file to the vault: hex on the socket, never shown.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct SecretBytes(Vec<u8>);

impl SecretBytes {
    /// These bytes.
    pub fn new(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    /// The bytes. Do not copy them anywhere that outlives the use.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Serialize for SecretBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = Zeroizing::new(schemas::ids::hex(&self.0));
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for SecretBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        let byte = |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
        let bytes: Option<Vec<u8>> =
            text.as_bytes().chunks(2).map(|pair| byte(pair).filter(|_| pair.len() == 2)).collect();
        bytes.map(Self).ok_or_else(|| serde::de::Error::custom("not hexadecimal"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_round_trip_and_secrets_do_not_show() {
        let command = Command::ConnectionAdd {
            workspace: "w".into(),
            platform: Platform::Line,
            name: "n".into(),
            external_id: "U1".into(),
            secret: Some(SecretBytes::new(b"hunter2\xff")),
        };
        assert!(!format!("{command:?}").contains("hunter2"));
        let text = serde_json::to_string(&command).unwrap();
        assert!(!text.contains("hunter2"));
        match serde_json::from_str(&text).unwrap() {
            Command::ConnectionAdd { secret: Some(secret), .. } => assert_eq!(secret.expose(), b"hunter2\xff"),
            other => panic!("{other:?}"),
        }
        assert!(serde_json::from_str::<SecretBytes>("\"abc\"").is_err());
        assert!(serde_json::from_str::<SecretBytes>("\"zz\"").is_err());
        assert!(serde_json::from_str::<Command>("{\"command\":\"format_disk\"}").is_err());
    }
}
