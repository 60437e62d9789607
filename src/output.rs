//! Answers: for people, or with `--json` as one object on the last line of stdout.
use comfy_table::{ContentArrangement, Table, presets};
use serde_json::Value;
use std::io::{self, Write};

/// Prints the object of `--json`.
///
/// # Errors
/// When stdout is closed.
pub fn json(value: &Value) -> io::Result<()> {
    line(&value.to_string())
}

/// Prints a line.
///
/// # Errors
/// When stdout is closed.
pub fn line(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

/// Prints bytes as they are.
///
/// # Errors
/// When stdout is closed.
pub fn bytes(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// An empty table in our style.
pub fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    if !header.is_empty() {
        table.set_header(header.to_vec());
    }
    table
}

/// A result for people: an object of words as lines of name and value, a list of objects as a table.
pub fn human(value: &Value) -> String {
    let Some(object) = value.as_object() else { return word(value) };
    if let (1, Some(items)) = (object.len(), object.values().next().and_then(Value::as_array)) {
        return list(items);
    }
    object.iter().map(|(name, value)| format!("{name}: {}", word(value))).collect::<Vec<_>>().join("\n")
}

fn list(items: &[Value]) -> String {
    // The first item has every column: all items of a list have the same.
    let Some(first) = items.first().and_then(Value::as_object) else { return "none".into() };
    let columns: Vec<&str> = first.keys().map(String::as_str).collect();
    let mut table = table(&columns);
    for item in items {
        table.add_row(columns.iter().map(|column| word(&item[*column])));
    }
    table.to_string()
}

fn word(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        // A name must not move the cursor of whoever reads it.
        Value::String(text) => text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect(),
        Value::Array(items) => items.iter().map(word).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn objects_become_lines_and_lists_tables() {
        assert_eq!(human(&json!({ "id": "x", "key": null })), "id: x\nkey: -");
        let text = human(&json!({ "keys": [{ "id": "x", "scopes": ["read", "write"] }] }));
        assert!(text.contains("read,write") && text.contains("id"), "{text}");
        assert_eq!(human(&json!({ "keys": [] })), "none");
        assert!(!human(&json!({ "name": "a\u{1b}[2Jb" })).contains('\u{1b}'));
    }
}
