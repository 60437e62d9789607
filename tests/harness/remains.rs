//! Texts that an edit or an unsend took away, and that can still be read.
use super::{api::Api, metrics, world::World};
use serde_json::Value;
use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

/// Texts that were amended and can still be read. In the message itself that is wrong at once (see `check_text`); what
/// older amendments carried goes with the next fold: a whole run of `compact` that began after this is waited for.
pub fn remains(world: &World, api: &Api, mut events: Vec<Value>, forbidden: &HashSet<String>) -> Vec<String> {
    let runs = || metrics::labelled(world.endpoints(), "chatmai_job_runs", "compact");
    let (began, run, mut is_last) = (Instant::now(), runs(), false);
    loop {
        let mut found = Vec::new();
        events.iter().for_each(|event| {
            texts(event, &mut |text| {
                if forbidden.contains(text) {
                    found.push(format!("an amended text is still there: {text} in {event}"));
                }
            })
        });
        if found.is_empty() || is_last {
            return found;
        }
        std::thread::sleep(Duration::from_millis(300));
        // Asked before the reading: a third start means that the second run has ended.
        is_last = runs() >= run + 3.0 || began.elapsed() > Duration::from_secs(180);
        events = api.events();
    }
}

/// Every string in a value.
fn texts(value: &Value, take: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => take(text),
        Value::Array(values) => values.iter().for_each(|value| texts(value, take)),
        Value::Object(map) => map.values().for_each(|value| texts(value, take)),
        _ => {}
    }
}
