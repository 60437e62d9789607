//! Reads everything back through the API and compares it with the ledger, as multisets.
use super::{
    api::Api,
    ledger::{Entry, Fact, Key, Ledger, Unsent},
    metrics::Totals,
    millis,
    node::Endpoints,
    remains::remains,
    world::{Workspace, World},
};
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};

/// What is wrong. All lists have to be empty.
#[derive(Debug, Default)]
pub struct Difference {
    /// Acknowledged, and not there.
    pub lost: Vec<String>,
    /// There more than once.
    pub doubled: Vec<String>,
    /// Whatever else does not fit.
    pub wrong: Vec<String>,
}

impl Difference {
    pub fn is_none(&self) -> bool {
        self.lost.is_empty() && self.doubled.is_empty() && self.wrong.is_empty()
    }

    /// Fails with the first few of each.
    pub fn check(&self, when: &str) {
        let first = |list: &[String]| list.iter().take(5).cloned().collect::<Vec<_>>();
        assert!(
            self.is_none(),
            "{when}: lost {} {:#?}, doubled {} {:#?}, wrong {} {:#?}",
            self.lost.len(),
            first(&self.lost),
            self.doubled.len(),
            first(&self.doubled),
            self.wrong.len(),
            first(&self.wrong)
        );
    }
}

/// Compares the events that one process shows.
pub fn compare_events(endpoints: &Endpoints, workspaces: &[Workspace], ledger: &Ledger) -> Difference {
    let mut difference = Difference::default();
    for (n, workspace) in workspaces.iter().enumerate() {
        let events = Api::new(endpoints, &workspace.key).patient().events();
        check_events(n, &events, ledger, &mut difference);
    }
    difference
}

/// Compares everything that can be read. `workspaces` are those that the ledger's numbers mean.
pub fn compare(world: &World, workspaces: &[Workspace], ledger: &Ledger) -> Difference {
    let mut difference = Difference::default();
    let forbidden: HashSet<String> = ledger.forbidden().into_iter().collect();
    let mut stored = 0;
    for (n, workspace) in workspaces.iter().enumerate() {
        let api = world.api(workspace).patient();
        let events = api.events();
        stored += events.len();
        check_events(n, &events, ledger, &mut difference);
        check_messages(&api, &events, ledger, &mut difference);
        difference.wrong.extend(remains(world, &api, events, &forbidden));
    }
    let dead = check_dead_letters(world, workspaces, ledger, &mut difference);
    check_totals(world, stored, dead, ledger, &mut difference);
    difference
}

fn key_of(event: &Value) -> Key {
    let connection = event["connection"].as_str().unwrap().to_owned();
    match event["kind"].as_str().unwrap() {
        "message" => Key::Message { connection, id: event["body"]["platform_message_id"].as_str().unwrap().to_owned() },
        kind => Key::Event { connection, kind: kind.to_owned(), at: millis(event["event_at"].as_str().unwrap()) },
    }
}

fn check_events(workspace: usize, events: &[Value], ledger: &Ledger, difference: &mut Difference) {
    let mut found: BTreeMap<Key, usize> = BTreeMap::new();
    let mut ids = HashSet::new();
    for event in events {
        if !ids.insert(event["id"].clone()) {
            difference.doubled.push(format!("event id {}", event["id"]));
        }
        // What members do is no webhook's.
        if event["kind"] != "member_read" {
            *found.entry(key_of(event)).or_default() += 1;
        }
    }
    for (key, count) in &found {
        if *count > 1 {
            difference.doubled.push(format!("{count} × {key:?}"));
        }
        if ledger.entries.get(key).is_none_or(|entry| entry.element.workspace != workspace) {
            difference.wrong.push(format!("never sent to workspace {workspace}: {key:?}"));
        }
    }
    let of_workspace = |entry: &&Entry| entry.acknowledged && entry.element.workspace == workspace;
    for entry in ledger.entries.values().filter(of_workspace) {
        let key = entry.element.key();
        if !matches!(entry.element.fact, Fact::Dead { .. }) && !found.contains_key(&key) {
            difference.lost.push(format!("{key:?}"));
        }
    }
}

/// The conversations hold exactly the messages of the events, both ways, as amended; their counts are right.
fn check_messages(api: &Api, events: &[Value], ledger: &Ledger, difference: &mut Difference) {
    let conversations = api.conversations();
    let counts = api.json("/v1/conversations/counts");
    if counts["total"] != conversations.len() {
        difference.wrong.push(format!("counts say {}, the list has {}", counts["total"], conversations.len()));
    }
    let mut messages = BTreeMap::new();
    for conversation in &conversations {
        let id = conversation["id"].as_str().unwrap();
        let newest = api.messages(id, "newest");
        let mut oldest = api.messages(id, "oldest");
        oldest.reverse();
        if newest != oldest {
            difference.wrong.push(format!("conversation {id} differs from its own reverse"));
        }
        if conversation["message_count"] != newest.len() {
            let said = &conversation["message_count"];
            difference.wrong.push(format!("conversation {id}: message_count {said}, messages {}", newest.len()));
        }
        for message in newest {
            let key = (conversation["connection"].to_string(), message["platform_message_id"].to_string());
            if let Some(before) = messages.insert(key, message) {
                difference.doubled.push(format!("in the messages: {before}"));
            }
        }
    }
    for event in events.iter().filter(|event| event["kind"] == "message") {
        let key = (event["connection"].to_string(), event["body"]["platform_message_id"].to_string());
        match messages.remove(&key) {
            None => difference.lost.push(format!("an event, but in no conversation: {key:?}")),
            Some(message) if message["text"] != event["body"]["text"] => {
                difference
                    .wrong
                    .push(format!("two texts of {key:?}: {} and {}", message["text"], event["body"]["text"]));
            }
            Some(message) => check_text(event, &message, ledger, difference),
        }
    }
    difference.wrong.extend(messages.into_keys().map(|key| format!("in a conversation, but no event: {key:?}")));
}

fn check_text(event: &Value, message: &Value, ledger: &Ledger, difference: &mut Difference) {
    let (connection, id) = (event["connection"].as_str().unwrap(), message["platform_message_id"].as_str().unwrap());
    let Some(entry) = ledger.entries.get(&key_of(event)) else { return };
    let Fact::Message { text, .. } = &entry.element.fact else { return };
    let expected = ledger.expected(connection, id, text);
    let fits = match message["text"].as_str() {
        Some(shown) => expected.unsent != Unsent::Yes && expected.texts.iter().any(|text| text == shown),
        None => expected.unsent != Unsent::No,
    };
    if !fits {
        difference.wrong.push(format!("message {id} shows {}, expected {expected:?}", message["text"]));
    }
}

/// Dead letters are told apart by their number only: at least what was acknowledged, at most what was sent.
fn check_dead_letters(world: &World, workspaces: &[Workspace], ledger: &Ledger, difference: &mut Difference) -> usize {
    let mut all = world.dead_letters("system").len();
    for (n, workspace) in workspaces.iter().enumerate() {
        let letters = world.dead_letters(&workspace.id);
        all += letters.len();
        let ids: HashSet<String> = letters.iter().map(|letter| letter["id"].to_string()).collect();
        let of_workspace =
            |entry: &&Entry| entry.element.workspace == n && matches!(entry.element.fact, Fact::Dead { .. });
        let sent = ledger.entries.values().filter(of_workspace).count();
        let acknowledged = ledger.entries.values().filter(of_workspace).filter(|entry| entry.acknowledged).count();
        if ids.len() < acknowledged {
            difference.lost.push(format!("workspace {n}: {} dead letters of {acknowledged}", ids.len()));
        }
        if letters.len() != ids.len() || ids.len() > sent {
            difference.doubled.push(format!("workspace {n}: {} dead letters of {sent}", letters.len()));
        }
    }
    all
}

/// The program's own totals say the same.
fn check_totals(world: &World, stored: usize, dead: usize, ledger: &Ledger, difference: &mut Difference) {
    let totals = Totals::read(world.endpoints());
    if !totals.add_up() {
        difference.wrong.push(format!("the totals do not add up: {totals:?}"));
    }
    if totals.committed != stored as u64 || totals.dead_lettered != dead as u64 {
        difference.wrong.push(format!("{totals:?}, but {stored} events and {dead} dead letters can be read"));
    }
    if totals.accepted < ledger.acknowledged_elements {
        let acknowledged = ledger.acknowledged_elements;
        difference.wrong.push(format!("{acknowledged} elements were acknowledged, the totals say {totals:?}"));
    }
}

/// Waits until everything is in files, which the totals show: a graceful stop lands what is in the log.
pub fn settle(world: &mut World) {
    world.node.restart();
}

/// Prints what came of a crash test, in one line, and fails where something does not fit. `what` says what was done.
pub fn report(what: &str, seed: u64, ledger: &Ledger, difference: &Difference) {
    println!(
        "{what}: {} posts ({} acknowledged), {} events acknowledged, {} distinct, lost {}, doubled {}, wrong {}, seed {seed}",
        ledger.posts,
        ledger.acknowledged_posts,
        ledger.acknowledged_elements,
        ledger.distinct(),
        difference.lost.len(),
        difference.doubled.len(),
        difference.wrong.len(),
    );
    difference.check(&format!("{what}, seed {seed}"));
}

/// The end of a crash test: everything is landed, read back and compared.
pub fn conclude(what: &str, seed: u64, world: &mut World, workspaces: &[Workspace], ledger: &Ledger) {
    settle(world);
    let difference = compare(world, workspaces, ledger);
    report(what, seed, ledger, &difference);
}
