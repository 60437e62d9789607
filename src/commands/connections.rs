//! `chatmai connection`.
use super::{customer, workspace};
use crate::{
    control::{CommandError, Outcome, Replies, Reply, SecretBytes},
    node::Desk,
};
use ::ingest::platforms::{Entrance, entrance};
use schemas::{ids::ConnectionId, kind::Platform};
use serde_json::json;
use warehouse::registry::RegistryError;

/// Where a platform posts to.
fn webhook_path(platform: Platform, connection: ConnectionId) -> Option<String> {
    entrance(platform).map(|entrance| entrance.path(platform, connection))
}

/// The vault's word for the secret that a connection of this platform has of its own, if it has one.
fn own_secret(platform: Platform) -> Option<&'static str> {
    match entrance(platform) {
        Some(Entrance::Connection { secret }) => Some(secret),
        Some(Entrance::App { .. }) | None => None,
    }
}

pub(super) async fn add(
    desk: &Desk,
    of: &str,
    platform: Platform,
    name: &str,
    external_id: &str,
    secret: Option<SecretBytes>,
    replies: &mut impl Replies,
) -> Result<Outcome, CommandError> {
    let workspace = customer(desk, of).await?;
    let secret = match (own_secret(platform), secret) {
        (Some(kind), Some(secret)) => Some((kind, secret)),
        (Some(_), None) => {
            return Err(CommandError::usage(format!("a connection of {platform} needs its secret (--secret-file)")));
        }
        (None, Some(_)) => {
            return Err(CommandError::usage(format!("a connection of {platform} has no secret of its own")));
        }
        (None, None) => None,
    };
    // Before there is a connection that nobody could give its secret.
    let secret = match secret {
        Some((kind, secret)) => Some((desk.vault()?, kind, secret)),
        None => None,
    };
    let connection = desk.registry.add_connection(workspace, platform, name, Some(external_id)).await?;
    if let Some((vault, kind, secret)) = secret {
        let put = vault.put(connection.id, workspace, platform.as_str(), kind, secret.expose()).await;
        if let Err(error) = put {
            // Without its secret it could accept nothing, and would only hold the account.
            desk.registry.disable_connection(connection.id).await?;
            return Err(error.into());
        }
    }
    if platform == Platform::Facebook && !desk.has_facebook_app {
        let text = "platforms.facebook.app_secret_file is not set: no post can be accepted yet".into();
        replies.take(Reply::Note { text }).await?;
    }
    desk.registry.refresh().await?;
    let path = webhook_path(platform, connection.id);
    Ok(json!({ "connection": connection.id, "webhook_path": path }).into())
}

pub(super) async fn list(desk: &Desk, of: Option<&str>) -> Result<Outcome, CommandError> {
    desk.registry.refresh().await?;
    let only = match of {
        Some(of) => Some(workspace(desk, of).await?),
        None => None,
    };
    let view = desk.registry.view();
    let wanted = view.connections.values().filter(|connection| only.is_none_or(|only| connection.workspace == only));
    let mut connections: Vec<_> = wanted.collect();
    connections.sort_by_key(|connection| (connection.created_at, connection.id));
    let items: Vec<_> = connections
        .into_iter()
        .map(|connection| {
            let path = if connection.import { None } else { webhook_path(connection.platform, connection.id) };
            json!({
                "connection": connection.id,
                "workspace": connection.workspace,
                "platform": connection.platform,
                "name": connection.name,
                "kind": if connection.import { "import" } else { "webhook" },
                "webhook_path": path,
                "active": connection.active,
                "created_at": connection.created_at,
            })
        })
        .collect();
    Ok(json!({ "connections": items }).into())
}

pub(super) async fn disable(desk: &Desk, connection: ConnectionId) -> Result<Outcome, CommandError> {
    let vault = desk.vault()?;
    desk.registry.disable_connection(connection).await?;
    desk.registry.refresh().await?;
    // Revoked and not destroyed: whoever tells the platform needs it once more. A second time there is nothing left.
    match vault.revoke(connection).await {
        Ok(()) | Err(::keys::KeyError::Unknown(_)) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(json!({ "connection": connection, "active": false }).into())
}

pub(super) async fn rotate_secret(
    desk: &Desk,
    connection: ConnectionId,
    secret: &SecretBytes,
) -> Result<Outcome, CommandError> {
    desk.registry.refresh().await?;
    let found = desk.registry.view().connections.get(&connection).cloned();
    let found = found.filter(|found| found.active).ok_or(RegistryError::NotFound("connection"))?;
    let kind = own_secret(found.platform).ok_or_else(|| {
        CommandError::usage("this connection has no secret of its own; that of its platform's app is a file setting")
    })?;
    desk.vault()?.rotate(connection, kind, secret.expose(), true).await?;
    Ok(json!({ "connection": connection }).into())
}
