//! The HTTP API as a client with one key sees it.
use super::{
    client::{Answer, Client},
    node::Endpoints,
    wait_for,
};
use serde_json::Value;

/// One key's view.
#[derive(Clone)]
pub struct Api {
    base: String,
    client: Client,
    bearer: String,
    /// Comes again after a 503, as that says.
    comes_again: bool,
}

impl Api {
    pub fn new(endpoints: &Endpoints, key: &str) -> Self {
        let (base, client) = (endpoints.api.clone(), endpoints.client.clone());
        Self { base, client, bearer: format!("Bearer {key}"), comes_again: false }
    }

    /// Of somebody who asks what is there, not whether it is there at once.
    pub fn patient(self) -> Self {
        Self { comes_again: true, ..self }
    }

    /// Any answer.
    pub fn get(&self, path: &str) -> Answer {
        self.client.get(&format!("{}{path}", self.base), &[("authorization", &self.bearer)]).unwrap()
    }

    /// Any answer to a post of JSON.
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        let headers = [("authorization", self.bearer.as_str()), ("content-type", "application/json")];
        self.client.post(&format!("{}{path}", self.base), &headers, body.to_string().as_bytes()).unwrap()
    }

    /// The JSON of an answer that has to be 200.
    pub fn json(&self, path: &str) -> Value {
        let settled = || Some(self.get(path)).filter(|answer| answer.status != 503);
        let answer = if self.comes_again { wait_for(path, settled) } else { self.get(path) };
        assert_eq!(answer.status, 200, "GET {path}: {}", answer.text());
        answer.json()
    }

    /// All items of a list, following `cursor` from the first page to the last. `query` begins with `?`.
    pub fn pages(&self, path: &str, query: &str, cursor: &str) -> Vec<Value> {
        let mut items = Vec::new();
        let mut from = String::new();
        loop {
            let page = self.json(&format!("{path}{query}{from}"));
            let list = page["items"].as_array().unwrap();
            items.extend(list.iter().cloned());
            match page[cursor].as_str() {
                Some(next) => from = format!("&cursor={next}"),
                None => return items,
            }
            assert!(!list.is_empty(), "an empty page leads on: {path}");
        }
    }

    pub fn conversations(&self) -> Vec<Value> {
        self.pages("/v1/conversations", "?limit=200", "next_cursor")
    }

    /// All messages of a conversation, `newest` or `oldest` first.
    pub fn messages(&self, conversation: &str, order: &str) -> Vec<Value> {
        let path = format!("/v1/conversations/{conversation}/messages");
        self.pages(&path, &format!("?limit=200&order={order}"), "next_cursor")
    }

    /// Every retained event.
    pub fn events(&self) -> Vec<Value> {
        let mut items = Vec::new();
        let mut after = String::new();
        loop {
            let page = self.json(&format!("/v1/events?limit=1000{after}"));
            let list = page["items"].as_array().unwrap();
            items.extend(list.iter().cloned());
            let next = page["next_cursor"].as_str().expect("next_cursor of events is never null");
            if list.is_empty() {
                return items;
            }
            after = format!("&after={next}");
        }
    }

    /// The message with this platform id, wherever it is; all of them, to see doubles.
    pub fn find(&self, platform_id: &str) -> Vec<Value> {
        let conversations = self.conversations();
        let ids = conversations.iter().map(|c| c["id"].as_str().unwrap());
        ids.flat_map(|id| self.messages(id, "newest")).filter(|m| m["platform_message_id"] == platform_id).collect()
    }

    /// Headers and URL of a stream.
    pub fn stream_request(&self) -> (String, String, Client) {
        (format!("{}/v1/events/stream", self.base), self.bearer.clone(), self.client.clone())
    }
}
