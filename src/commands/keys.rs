//! `chatmai key`.
use super::{customer, workspace};
use crate::{
    control::{CommandError, Outcome},
    node::Desk,
};
use ::keys::KeyError;
use schemas::{ids::ApiKeyId, partition::PartitionDay};
use serde_json::{Map, Value, json};
use warehouse::registry::Scope;

pub(super) async fn add(desk: &Desk, of: &str, scopes: &[Scope]) -> Result<Outcome, CommandError> {
    let workspace = customer(desk, of).await?;
    let (id, key) = desk.registry.add_key(workspace, scopes).await?;
    desk.registry.refresh().await?;
    Ok(json!({ "key": key, "id": id }).into())
}

pub(super) async fn list(desk: &Desk, of: Option<&str>) -> Result<Outcome, CommandError> {
    desk.registry.refresh().await?;
    let only = match of {
        Some(of) => Some(workspace(desk, of).await?),
        None => None,
    };
    let view = desk.registry.view();
    let mut keys: Vec<_> = view.api_keys.values().filter(|key| only.is_none_or(|only| key.workspace == only)).collect();
    keys.sort_by_key(|key| (key.created_at, key.id));
    let items: Vec<_> = keys
        .into_iter()
        .map(|key| {
            json!({ "id": key.id, "workspace": key.workspace, "scopes": key.scopes, "created_at": key.created_at })
        })
        .collect();
    Ok(json!({ "keys": items }).into())
}

pub(super) async fn revoke(desk: &Desk, id: ApiKeyId) -> Result<Outcome, CommandError> {
    desk.registry.revoke_key(id).await?;
    desk.registry.refresh().await?;
    Ok(json!({ "id": id, "active": false }).into())
}

pub(super) async fn rotate(desk: &Desk, of: Option<&str>) -> Result<Outcome, CommandError> {
    let Some(of) = of else {
        let vault = desk.vault()?;
        let (data, token) = (desk.keyring.rotate_root().await?, vault.rotate_root().await?);
        return Ok(json!({ "root_data": data, "root_token": token }).into());
    };
    let vault = desk.vault()?;
    let workspace = workspace(desk, of).await?;
    let version = desk.keyring.rotate_workspace(workspace).await?;
    let token_version = match vault.rotate_workspace(workspace).await {
        Ok(version) => Some(version),
        // A workspace without a secret has no token key yet.
        Err(KeyError::Unknown(_)) => None,
        Err(error) => return Err(error.into()),
    };
    Ok(json!({ "workspace": workspace, "version": version, "token_version": token_version }).into())
}

/// The owner's act, so it is in the log: whose, which days, how many; never a key.
pub(super) async fn export(desk: &Desk, of: &str, day: Option<PartitionDay>) -> Result<Outcome, CommandError> {
    let workspace = workspace(desk, of).await?;
    let keys = desk.keyring.export_day_keys(workspace, day).await?;
    let which = day.map_or_else(|| "all".to_owned(), |day| day.to_string());
    tracing::warn!(%workspace, day = %which, keys = keys.len(), "day keys are exported; they outlive expiry");
    let object: Map<String, Value> = keys.into_iter().map(|(id, key)| (id, Value::String(key.to_string()))).collect();
    Ok(Value::Object(object).into())
}
