//! Reads everything back from outside.
use super::{
    check::Digest,
    client::{Client, Server, query},
    stage::{Place, Stage, command},
};
use crate::{
    control::{Command, Letters},
    node::Desk,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use futures::{StreamExt, TryStreamExt, stream};
use schemas::{ids::ConnectionId, kind::Kind, time::Millis};
use serde_json::Value;
use std::collections::HashSet;

/// Connections at once.
const CONNECTIONS: usize = 4;

/// What was read.
#[derive(Default)]
pub struct ReadBack {
    /// `GET /v1/events` of all workspaces.
    pub events: Vec<Digest>,
    /// The message pages of all conversations.
    pub messages: Vec<Digest>,
    /// Conversations.
    pub conversations: u64,
    /// From a conversation's first customer message to the first answer by a person, in milliseconds.
    pub first_responses: Vec<f64>,
}

type Read<T> = Result<T, String>;

/// Reads all workspaces.
///
/// # Errors
/// When an answer is not as the contract says.
pub async fn read(api: &Server, stage: &Stage) -> Read<ReadBack> {
    let parts = stream::iter(&stage.places)
        .map(|place| read_place(api, stage, place))
        .buffer_unordered(CONNECTIONS)
        .try_collect::<Vec<_>>()
        .await?;
    let mut all = ReadBack::default();
    for mut part in parts {
        all.events.append(&mut part.events);
        all.messages.append(&mut part.messages);
        all.first_responses.append(&mut part.first_responses);
        all.conversations += part.conversations;
    }
    Ok(all)
}

async fn read_place(api: &Server, stage: &Stage, place: &Place) -> Read<ReadBack> {
    let mut client = api.client();
    let mut read = ReadBack::default();
    let mut after = String::new();
    loop {
        let page = get(&mut client, place, &format!("/v1/events?limit=1000{after}")).await?;
        let items = items(&page)?;
        if items.is_empty() {
            break;
        }
        for item in items {
            read.events.push(found(stage, item, &item["connection"])?);
        }
        after = format!("&after={}", query(text(&page, "next_cursor")?));
    }
    let mut cursor = Some(String::new());
    while let Some(at) = cursor {
        let page = get(&mut client, place, &format!("/v1/conversations?limit=200{at}")).await?;
        for conversation in items(&page)? {
            read.conversations += 1;
            read_conversation(&mut client, stage, place, conversation, &mut read).await?;
        }
        cursor = next(&page);
    }
    Ok(read)
}

async fn read_conversation(
    client: &mut Client,
    stage: &Stage,
    place: &Place,
    conversation: &Value,
    read: &mut ReadBack,
) -> Read<()> {
    let (id, connection) = (text(conversation, "id")?, &conversation["connection"]);
    let (mut asked, mut answered) = (None, None);
    let mut cursor = Some(String::new());
    while let Some(at) = cursor {
        let path = format!("/v1/conversations/{id}/messages?order=oldest&limit=200{at}");
        let page = get(client, place, &path).await?;
        for message in items(&page)? {
            read.messages.push(message_of(stage, message, connection)?);
            let at = instant(message)?;
            match message["author"]["kind"].as_str() {
                Some("customer") if asked.is_none() => asked = Some(at),
                Some("agent" | "agent_external") if asked.is_some() && answered.is_none() => answered = Some(at),
                _ => {}
            }
        }
        cursor = next(&page);
    }
    if let (Some(asked), Some(answered)) = (asked, answered) {
        read.first_responses.push((answered - asked) as f64);
    }
    Ok(())
}

/// The first page of a workspace's inbox.
///
/// # Errors
/// When it cannot be read.
pub async fn first_page(api: &Server, place: &Place) -> Read<Vec<Value>> {
    let page = get(&mut api.client(), place, "/v1/conversations?limit=15").await?;
    Ok(items(&page)?.clone())
}

/// All dead letters, those of `system` too; but those in `known`, which were there before.
///
/// # Errors
/// When they cannot be read.
pub async fn dead_letters(desk: &Desk, stage: &Stage, known: &HashSet<String>) -> Read<Vec<Digest>> {
    let mut found = Vec::new();
    let places = stage.places.iter().map(|place| place.workspace.as_str());
    for workspace in places.chain(["system"]) {
        for letter in letters(desk, workspace).await? {
            if known.contains(text(&letter, "id")?) {
                continue;
            }
            let account = match letter["connection"].as_str() {
                None => None,
                Some(_) => match account(stage, &letter["connection"]) {
                    Some(account) => Some(account),
                    None => {
                        found.push(Digest::foreign(&letter["connection"].to_string()));
                        continue;
                    }
                },
            };
            let bytes = STANDARD.decode(text(&letter, "content")?).map_err(|error| error.to_string())?;
            found.push(Digest::dead(account, &bytes));
        }
    }
    Ok(found)
}

/// The ids of the dead letters of `system`.
///
/// # Errors
/// When they cannot be read.
pub async fn system_letters(desk: &Desk) -> Read<HashSet<String>> {
    letters(desk, "system").await?.iter().map(|letter| text(letter, "id").map(str::to_owned)).collect()
}

async fn letters(desk: &Desk, workspace: &str) -> Read<Vec<Value>> {
    let which = Letters { workspace: workspace.to_owned(), connection: None, ids: Vec::new() };
    let shown = command(desk, Command::DeadLettersShow(which)).await;
    shown.map(|(_, items)| items).map_err(|error| error.to_string())
}

fn found(stage: &Stage, item: &Value, connection: &Value) -> Read<Digest> {
    let kind: Kind = text(item, "kind")?.parse().map_err(|_| "an event of unknown kind".to_owned())?;
    if kind == Kind::Message {
        return message_of(stage, &item["body"], connection);
    }
    let at = instant(item)?;
    Ok(match account(stage, connection) {
        Some(account) => Digest::event(account, kind, at),
        None => Digest::foreign(&connection.to_string()),
    })
}

fn message_of(stage: &Stage, message: &Value, connection: &Value) -> Read<Digest> {
    let id = text(message, "platform_message_id")?;
    Ok(match account(stage, connection) {
        Some(account) => Digest::message(account, id, message["text"].as_str()),
        None => Digest::foreign(&connection.to_string()),
    })
}

fn account(stage: &Stage, connection: &Value) -> Option<(usize, bool)> {
    let id: ConnectionId = connection.as_str()?.parse().ok()?;
    stage.accounts.get(&id).copied()
}

async fn get(client: &mut Client, place: &Place, path: &str) -> Read<Value> {
    client.get_json(path, &place.key).await.map_err(|error| error.to_string())
}

fn items(page: &Value) -> Read<&Vec<Value>> {
    page["items"].as_array().ok_or_else(|| "a list without items".to_owned())
}

fn next(page: &Value) -> Option<String> {
    page["next_cursor"].as_str().map(|cursor| format!("&cursor={}", query(cursor)))
}

fn text<'a>(value: &'a Value, name: &str) -> Read<&'a str> {
    value[name].as_str().ok_or_else(|| format!("an answer without {name}"))
}

fn instant(value: &Value) -> Read<i64> {
    let at: Millis = text(value, "event_at")?.parse().map_err(|_| "an answer with a strange time".to_owned())?;
    Ok(at.0)
}
