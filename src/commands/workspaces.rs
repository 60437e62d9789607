//! `chatmai workspace`.
use crate::{
    control::{CommandError, Outcome},
    node::Desk,
};
use serde_json::json;

pub(super) async fn add(
    desk: &Desk,
    name: &str,
    time_zone: &str,
    retention_days: Option<u16>,
) -> Result<Outcome, CommandError> {
    if name == "system" {
        return Err(CommandError::usage("`system` is the operator's own workspace; choose another name"));
    }
    if jiff::tz::TimeZone::get(time_zone).is_err() {
        return Err(CommandError::usage("no such time zone; give an IANA name such as Asia/Bangkok"));
    }
    let days = retention_days.unwrap_or(desk.retention_days);
    let workspace = desk.registry.add_workspace(name, time_zone, Some(days)).await?;
    desk.registry.refresh().await?;
    Ok(json!({ "workspace": workspace.id }).into())
}

pub(super) async fn list(desk: &Desk) -> Result<Outcome, CommandError> {
    desk.registry.refresh().await?;
    let view = desk.registry.view();
    let mut workspaces: Vec<_> = view.workspaces.values().collect();
    workspaces.sort_by_key(|workspace| (workspace.created_at, workspace.id));
    let items: Vec<_> = workspaces
        .into_iter()
        .map(|workspace| {
            json!({
                "workspace": workspace.id,
                "name": workspace.name,
                "time_zone": workspace.time_zone,
                "retention_days": workspace.retention_days,
                "active": workspace.active,
                "created_at": workspace.created_at,
            })
        })
        .collect();
    Ok(json!({ "workspaces": items }).into())
}
