//! Sets the scene by the operator's own commands: workspaces, connections, keys.
use super::traffic::{Cast, cast::Shop};
use crate::{
    commands,
    control::{Collected, Command, CommandError, SecretBytes},
    node::Desk,
};
use schemas::{ids::ConnectionId, kind::Platform};
use serde_json::Value;
use std::collections::HashMap;
use warehouse::registry::Scope;

/// What was made for one shop.
#[derive(Clone, Debug)]
pub struct Place {
    /// Its workspace.
    pub workspace: String,
    /// Where LINE posts to.
    pub line_path: String,
    /// An API key.
    pub key: String,
}

/// What was made.
pub struct Stage {
    /// For each shop.
    pub places: Vec<Place>,
    /// Which account a connection is of: the shop's number, and whether it is LINE's.
    pub accounts: HashMap<ConnectionId, (usize, bool)>,
}

/// Carries out a command, with its items where it has some.
///
/// # Errors
/// See [`CommandError`].
pub async fn command(desk: &Desk, command: Command) -> Result<(Value, Vec<Value>), CommandError> {
    let mut collected = Collected::default();
    let outcome = commands::execute(desk, command, &mut tokio::io::empty(), &mut collected).await?;
    Ok((outcome.value, collected.items))
}

fn text(value: &Value, name: &str) -> Result<String, CommandError> {
    let missing = || CommandError::failed(format!("an answer without {name}"));
    value[name].as_str().map(str::to_owned).ok_or_else(missing)
}

impl Stage {
    /// Makes everything.
    ///
    /// # Errors
    /// See [`CommandError`]; as when the directory already has these pages.
    pub async fn set(desk: &Desk, cast: &Cast) -> Result<Self, CommandError> {
        // Asked before anything is made: a scene that is refused leaves nothing behind.
        desk.registry.refresh().await?;
        let view = desk.registry.view();
        let taken = |shop: &&Shop| {
            view.connections.values().any(|c| c.active && c.external_id.as_deref() == Some(shop.page.as_str()))
        };
        if let Some(shop) = cast.shops.iter().find(taken) {
            let why = format!("page {} is connected here already", shop.page);
            return Err(CommandError::failed(format!("{why}; play another --seed, or in another --data-dir")));
        }
        drop(view);
        let mut stage = Self { places: Vec::new(), accounts: HashMap::new() };
        for (number, shop) in cast.shops.iter().enumerate() {
            let add = Command::WorkspaceAdd {
                name: shop.name.clone(),
                time_zone: shop.time_zone.into(),
                retention_days: None,
            };
            let workspace = text(&command(desk, add).await?.0, "workspace")?;
            let line = Command::ConnectionAdd {
                workspace: workspace.clone(),
                platform: Platform::Line,
                name: format!("{} on LINE", shop.name),
                external_id: shop.destination.clone(),
                secret: Some(SecretBytes::new(shop.channel_secret.as_bytes())),
            };
            let line = command(desk, line).await?.0;
            let facebook = Command::ConnectionAdd {
                workspace: workspace.clone(),
                platform: Platform::Facebook,
                name: format!("{} on Facebook", shop.name),
                external_id: shop.page.clone(),
                secret: None,
            };
            let facebook = command(desk, facebook).await?.0;
            for (answer, is_line) in [(&line, true), (&facebook, false)] {
                let id = text(answer, "connection")?.parse().map_err(CommandError::failed)?;
                stage.accounts.insert(id, (number, is_line));
            }
            let key = Command::KeyAdd { workspace: workspace.clone(), scopes: vec![Scope::Read] };
            let key = text(&command(desk, key).await?.0, "key")?;
            stage.places.push(Place { workspace, line_path: text(&line, "webhook_path")?, key });
        }
        Ok(stage)
    }
}
