//! Key ids as they are written in records, files and the key store (`security.md` §1).
use schemas::{
    ids::WorkspaceId,
    partition::{PartitionDay, RetentionClass},
};
use std::str::FromStr;

/// The kinds of keys that a root key wraps.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum MasterKind {
    /// WMK: wraps day keys and data keys.
    Workspace,
    /// HMK: makes pseudonymous ids.
    Pseudonym,
    /// TMK: seals platform tokens.
    Token,
}

impl MasterKind {
    /// Its letter in ids and in the key store.
    pub(crate) fn letter(self) -> &'static str {
        match self {
            Self::Workspace => "w",
            Self::Pseudonym => "h",
            Self::Token => "t",
        }
    }

    /// `w/<ws>/v<n>` and its like.
    pub(crate) fn id(self, ws: WorkspaceId, version: u32) -> String {
        format!("{}/{ws}/v{version}", self.letter())
    }
}

/// `w/<ws>`: all keys of a workspace together, in errors.
pub(crate) fn workspace_id(ws: WorkspaceId) -> String {
    format!("w/{ws}")
}

/// The version in `w/<ws>/v<n>`; `None` when the text is not exactly what we write for this workspace.
pub(crate) fn workspace_key_version(ws: WorkspaceId, id: &str) -> Option<u32> {
    let version = id.strip_prefix("w/")?.strip_prefix(ws.to_string().as_str())?.strip_prefix("/v")?.parse().ok()?;
    (MasterKind::Workspace.id(ws, version) == id).then_some(version)
}

/// The id of a day key, `w/<ws>/<yyyy-mm-dd>/r<days>`: the `masterKeyID` of its Parquet files (`security.md` §2).
pub fn master_key_id(ws: WorkspaceId, day: PartitionDay, class: RetentionClass) -> String {
    format!("w/{ws}/{day}/{class}")
}

/// The inverse of [`master_key_id`]; `None` for anything that it does not write.
pub fn parse_master_key_id(id: &str) -> Option<(WorkspaceId, PartitionDay, RetentionClass)> {
    let mut parts = id.strip_prefix("w/")?.split('/');
    let ws = WorkspaceId::from_str(parts.next()?).ok()?;
    let day = PartitionDay::from_str(parts.next()?).ok()?;
    let class = RetentionClass::from_str(parts.next()?).ok()?;
    parts.next().is_none().then_some((ws, day, class))
}
