//! Reads server-sent events from a body.
use axum::body::Body;
use futures::StreamExt;
use serde_json::Value;

pub struct Events {
    body: axum::body::BodyDataStream,
    text: String,
}

#[derive(Debug, PartialEq)]
pub struct Sent {
    pub event: String,
    pub id: String,
    pub data: Value,
}

impl Events {
    pub fn of(body: Body) -> Self {
        Self { body: body.into_data_stream(), text: String::new() }
    }

    /// Up to the next blank line; `None` at the end of the stream.
    pub async fn frame(&mut self) -> Option<String> {
        loop {
            if let Some((frame, rest)) = self.text.split_once("\n\n") {
                let (frame, rest) = (frame.to_owned(), rest.to_owned());
                self.text = rest;
                return Some(frame);
            }
            let bytes = self.body.next().await?.expect("bytes");
            self.text.push_str(std::str::from_utf8(&bytes).expect("whole frames"));
        }
    }

    /// The next event; comments are passed over.
    pub async fn next(&mut self) -> Option<Sent> {
        loop {
            let frame = self.frame().await?;
            if frame.starts_with(':') {
                continue;
            }
            let (mut event, mut id, mut data) = (String::new(), String::new(), String::new());
            for line in frame.lines() {
                let (field, value) = line.split_once(": ").expect("a field");
                match field {
                    "event" => event.push_str(value),
                    "id" => id.push_str(value),
                    "data" => data.push_str(value),
                    other => panic!("{other}"),
                }
            }
            return Some(Sent { event, id, data: serde_json::from_str(&data).expect("JSON") });
        }
    }
}
