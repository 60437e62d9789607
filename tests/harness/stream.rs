//! The live stream: a thread reads it, the test takes events out one after the other.
use super::{PATIENCE, api::Api};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
};

/// One server-sent event.
#[derive(Debug, Clone)]
pub struct Said {
    pub event: String,
    pub id: String,
    pub data: Value,
}

/// An open stream.
pub struct Stream(Receiver<Said>);

impl Stream {
    /// Opens it and returns once the server has answered: what happens after that is in it.
    pub fn open(api: &Api, last_event_id: Option<&str>) -> Self {
        let (url, bearer, client) = api.stream_request();
        let mut headers = vec![("authorization", bearer.as_str()), ("accept", "text/event-stream")];
        headers.extend(last_event_id.map(|id| ("last-event-id", id)));
        let (status, reader) = client.open(&url, &headers).unwrap();
        assert_eq!(status, 200, "the stream was not opened");
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            let (mut event, mut id, mut data) = (String::new(), String::new(), String::new());
            for line in BufReader::new(reader).lines() {
                let Ok(line) = line else { return };
                if let Some(text) = line.strip_prefix("event:") {
                    text.trim().clone_into(&mut event);
                } else if let Some(text) = line.strip_prefix("id:") {
                    text.trim().clone_into(&mut id);
                } else if let Some(text) = line.strip_prefix("data:") {
                    data += text.trim();
                } else if line.is_empty() && !event.is_empty() {
                    let data = serde_json::from_str(&std::mem::take(&mut data)).unwrap();
                    let said = Said { event: std::mem::take(&mut event), id: id.clone(), data };
                    if sender.send(said).is_err() {
                        return;
                    }
                }
            }
        });
        Self(receiver)
    }

    /// The next event that is `wanted`; others are passed over.
    pub fn next(&self, what: &str, wanted: impl Fn(&Said) -> bool) -> Said {
        loop {
            match self.0.recv_timeout(PATIENCE) {
                Ok(said) if wanted(&said) => return said,
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => panic!("the stream did not say: {what}"),
                Err(RecvTimeoutError::Disconnected) => panic!("the stream ended before it said: {what}"),
            }
        }
    }

    /// True once the server ends the stream.
    pub fn ended(&self) -> bool {
        loop {
            match self.0.recv_timeout(PATIENCE) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => return true,
                Err(RecvTimeoutError::Timeout) => return false,
            }
        }
    }
}
