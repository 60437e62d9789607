//! A signed body and its envelope: tolerant of duplicate keys (the last one counts) and of broken surrogate escapes.
//! What is inside of it stays unparsed, so that one bad element does not cost the others.
use schemas::kind::DeadLetterReason;
use serde_json::value::RawValue;
use std::{borrow::Cow, collections::HashMap};

/// Deepest nesting of a body (`security.md` §9.1).
pub const DEPTH_MAX: usize = 32;

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

    proptest! {
        #[test]
        fn mending_keeps_the_length(text in r#"(\\u[dD][89abcdefABCDEF][0-9a-f]{2}|\\\\|\\|u|d83d|é|"|.){0,40}"#) {
            prop_assert_eq!(mend_surrogates(&text).len(), text.len());
        }
    }
}
