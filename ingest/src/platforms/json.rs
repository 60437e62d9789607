//! Reading JSON that somebody else wrote: tolerant of duplicate keys (the last one counts), nulls, numbers as strings
//! and broken surrogate escapes, and strict about what is needed.
use schemas::{kind::DeadLetterReason, time::Millis};
use serde_json::{Map, Value, value::RawValue};
use std::{borrow::Cow, collections::HashMap};

/// Deepest nesting of a body (`security.md` §9.1).
pub const DEPTH_MAX: usize = 32;
/// Longest id of a platform that is believed, in bytes. `facebook.md` §3.0 says to allow 512 characters.
pub const ID_MAX: usize = 1024;

/// A field that is needed is missing, or has another type than documented.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wrong;

/// A signed body: the bytes as they came and the text that is parsed. Both have the same length, so that an element of
/// the text is found in the bytes.
pub struct Body<'a> {
    bytes: &'a [u8],
    text: Cow<'a, str>,
}

impl<'a> Body<'a> {
    /// Looks at the encoding and the depth; does not parse yet.
    ///
    /// # Errors
    /// What makes the whole body a dead letter.
    pub fn open(bytes: &'a [u8]) -> Result<Self, DeadLetterReason> {
        let text = std::str::from_utf8(bytes).map_err(|_| DeadLetterReason::NotJson)?;
        if depth(bytes) > DEPTH_MAX {
            return Err(DeadLetterReason::TooDeep);
        }
        Ok(Self { bytes, text: mend_surrogates(text) })
    }

    /// The whole body as one value.
    ///
    /// # Errors
    /// It is not JSON.
    pub fn value(&self) -> Result<&RawValue, DeadLetterReason> {
        serde_json::from_str(&self.text).map_err(|_| DeadLetterReason::NotJson)
    }

    /// The bytes as received that stand where `part` stands in the text.
    pub fn bytes_of<'b>(&'b self, part: &'b RawValue) -> &'b [u8] {
        let start = (part.get().as_ptr() as usize).wrapping_sub(self.text.as_ptr() as usize);
        // A part of another text would be a bug; its own text is the best answer then.
        start.checked_add(part.get().len()).and_then(|end| self.bytes.get(start..end)).unwrap_or(part.get().as_bytes())
    }
}

/// The members of an object, unparsed; `None` when it is no object. The last of duplicate keys counts.
pub fn members(value: &RawValue) -> Option<HashMap<String, &RawValue>> {
    serde_json::from_str(value.get()).ok()
}

/// The elements of an array, unparsed; `None` when it is no array.
pub fn elements(value: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(value.get()).ok()
}

/// True for the word `null`.
pub fn is_null(value: &RawValue) -> bool {
    value.get() == "null"
}

/// The deepest nesting outside of strings.
fn depth(bytes: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0usize, 0, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Half of a surrogate pair, written as an escape, is no character: a text that was cut inside an emoji has one at its
/// end. It becomes U+FFFD, in as many bytes, so that the message is not lost for it.
fn mend_surrogates(text: &str) -> Cow<'_, str> {
    let mut mended: Option<Vec<u8>> = None;
    let bytes = text.as_bytes();
    let unit = |at: usize| -> Option<u16> {
        let digits = bytes.get(at + 2..at + 6)?;
        if bytes.get(at..at + 2)? != b"\\u" || !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let mut at = 0;
    while let Some(step) = bytes.get(at..).and_then(|rest| rest.iter().position(|b| *b == b'\\')) {
        at += step;
        match unit(at) {
            Some(0xD800..=0xDBFF) if matches!(unit(at + 6), Some(0xDC00..=0xDFFF)) => at += 12,
            Some(0xD800..=0xDFFF) => {
                let copy = mended.get_or_insert_with(|| bytes.to_vec());
                copy[at..at + 6].copy_from_slice(b"\\ufffd");
                at += 6;
            }
            Some(_) => at += 6,
            None => at += 2,
        }
    }
    match mended.map(String::from_utf8) {
        Some(Ok(mended)) => Cow::Owned(mended),
        _ => Cow::Borrowed(text),
    }
}

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
    use proptest::prelude::*;

    #[test]
    fn half_a_surrogate_pair_becomes_a_replacement_character_in_place() {
        for (text, mended) in [
            (r#""\ud83d\ude00""#, "😀"),
            (r#""a\ud83d""#, "a\u{fffd}"),
            (r#""\ude00\ud83d\u0041""#, "\u{fffd}\u{fffd}A"),
            (r#""\\ud83d""#, r"\ud83d"),
        ] {
            let body = Body::open(text.as_bytes()).expect("opens");
            assert_eq!(serde_json::from_str::<String>(body.value().expect("json").get()).expect("string"), mended);
            assert_eq!(body.bytes_of(body.value().expect("json")), text.as_bytes());
        }
    }

    #[test]
    fn depth_is_counted_outside_of_strings() {
        let nest = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(Body::open(nest(32).as_bytes()).is_ok());
        assert_eq!(Body::open(nest(33).as_bytes()).err(), Some(DeadLetterReason::TooDeep));
        assert!(Body::open(format!("\"{}\"", nest(40)).as_bytes()).is_ok());
    }

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

    proptest! {
        #[test]
        fn mending_keeps_the_length(text in r#"(\\u[dD][89abcdefABCDEF][0-9a-f]{2}|\\\\|\\|u|d83d|é|"|.){0,40}"#) {
            prop_assert_eq!(mend_surrogates(&text).len(), text.len());
        }
    }
}
