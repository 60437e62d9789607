//! Reading the fields of an object that somebody else wrote: tolerant of nulls and of numbers as strings, strict about
//! what is needed.
use schemas::time::Millis;
use serde_json::{Map, Value};

/// Longest id of a platform that is believed, in bytes. `facebook.md` §3.0 says to allow 512 characters.
pub const ID_MAX: usize = 1024;

/// A field that is needed is missing, or has another type than documented.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wrong;

/// An object whose fields are taken out one by one; what is left goes to the details.
#[derive(Clone, Default, Debug)]
pub struct Object(pub Map<String, Value>);

impl Object {
    /// Parses an object.
    pub fn parse(text: &str) -> Result<Self, Wrong> {
        match serde_json::from_str(text) {
            Ok(Value::Object(map)) => Ok(Self(map)),
            _ => Err(Wrong),
        }
    }

    /// Takes a field; null counts as absent.
    pub fn take(&mut self, key: &str) -> Option<Value> {
        self.0.remove(key).filter(|v| !v.is_null())
    }

    /// Takes a string.
    pub fn take_text(&mut self, key: &str) -> Result<Option<String>, Wrong> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Wrong),
        }
    }

    /// Takes an id: a string or a whole number (both occur for the same field), never a float.
    pub fn take_id(&mut self, key: &str) -> Result<Option<String>, Wrong> {
        self.take(key).map(id_text).transpose()
    }

    /// Takes an object.
    pub fn take_object(&mut self, key: &str) -> Result<Option<Self>, Wrong> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Object(map)) => Ok(Some(Self(map))),
            Some(_) => Err(Wrong),
        }
    }

    /// Takes an array.
    pub fn take_array(&mut self, key: &str) -> Result<Vec<Value>, Wrong> {
        match self.take(key) {
            None => Ok(Vec::new()),
            Some(Value::Array(values)) => Ok(values),
            Some(_) => Err(Wrong),
        }
    }

    /// Takes a truth value; the words `true` and `false` count too.
    pub fn take_bool(&mut self, key: &str) -> Result<Option<bool>, Wrong> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(value)),
            Some(Value::String(word)) if word == "true" || word == "false" => Ok(Some(word == "true")),
            Some(_) => Err(Wrong),
        }
    }

    /// Takes a whole number, also one written as a string.
    pub fn take_int(&mut self, key: &str) -> Result<Option<i64>, Wrong> {
        self.take(key).map(|v| integer(&v).ok_or(Wrong)).transpose()
    }
}

/// A whole number out of a number or a numeric string; what is out of range is moved to the end of the range.
pub fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(n) => n.as_i64().or_else(|| n.as_u64().map(|_| i64::MAX)).or_else(|| whole(n.as_f64()?)),
        Value::String(text) => text.trim().parse().ok().or_else(|| whole(text.trim().parse().ok()?)),
        _ => None,
    }
}

#[allow(clippy::cast_possible_truncation, reason = "`as` saturates, which is what is wanted of an instant")]
fn whole(number: f64) -> Option<i64> {
    number.is_finite().then_some(number as i64)
}

/// An instant in milliseconds that can be written.
pub fn instant(millis: i64) -> Millis {
    Millis(millis).clamped()
}

fn id_text(value: Value) -> Result<String, Wrong> {
    let text = match value {
        Value::String(text) => text,
        Value::Number(n) if n.is_i64() || n.is_u64() => n.to_string(),
        _ => return Err(Wrong),
    };
    // An empty id would make different things copies of each other.
    if text.is_empty() || text.len() > ID_MAX { Err(Wrong) } else { Ok(text) }
}

/// Fields that open something: whoever has them may reply, read or send. They are not kept as details.
fn is_capability(key: &str) -> bool {
    key.ends_with("Token") || key.ends_with("_token") || key == "token" || key == "authorization_code" || key == "nonce"
}

/// A value as it goes into the details: keys in snake case, no capabilities, no nulls.
pub fn plain(value: Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(plain_map(map)),
        Value::Array(values) => Value::Array(values.into_iter().map(plain).collect()),
        other => other,
    }
}

/// See [`plain`].
pub fn plain_map(map: Map<String, Value>) -> Map<String, Value> {
    map.into_iter()
        .filter(|(key, value)| !value.is_null() && !is_capability(key))
        .map(|(key, value)| (snake(&key), plain(value)))
        .collect()
}

fn snake(key: &str) -> String {
    let mut out = String::with_capacity(key.len() + 4);
    for (at, c) in key.chars().enumerate() {
        if c.is_ascii_uppercase() && at > 0 && !out.ends_with('_') {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// The value with sorted keys and without what says that it was delivered before: equal for all copies of it.
pub fn canonical(value: &Value) -> String {
    fn write(value: &Value, out: &mut String) {
        match value {
            Value::Object(map) => {
                let mut keys: Vec<_> = map.iter().filter(|(key, _)| *key != "isRedelivery").collect();
                keys.sort_by_key(|(key, _)| *key);
                out.push('{');
                for (key, value) in keys {
                    out.push_str(&Value::from(key.as_str()).to_string());
                    out.push(':');
                    write(value, out);
                    out.push(',');
                }
                out.push('}');
            }
            Value::Array(values) => {
                out.push('[');
                for value in values {
                    write(value, out);
                    out.push(',');
                }
                out.push(']');
            }
            other => out.push_str(&other.to_string()),
        }
    }
    let mut out = String::new();
    write(value, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_lose_capabilities_and_camel_case() {
        let value = serde_json::json!({"quoteToken": "x", "imageSet": {"id": "1", "nonce": 2}, "n": null, "app_id": 3});
        assert_eq!(plain(value), serde_json::json!({"image_set": {"id": "1"}, "app_id": 3}));
    }

    #[test]
    fn ids_are_strings_or_whole_numbers_and_never_empty() {
        let id = |v: Value| Object([("id".to_owned(), v)].into_iter().collect()).take_id("id");
        assert_eq!(id("7".into()), Ok(Some("7".into())));
        assert_eq!(id(u64::MAX.into()), Ok(Some(u64::MAX.to_string())));
        for bad in [Value::from(""), Value::from(1.5), Value::from("x".repeat(ID_MAX + 1)), Value::from(true)] {
            assert_eq!(id(bad), Err(Wrong));
        }
        assert_eq!(id(Value::Null), Ok(None));
    }
}
