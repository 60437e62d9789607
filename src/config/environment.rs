//! Settings from the environment: `CHATMAI__SECTION__FIELD`, on top of the file.
use super::ConfigError;
use std::ffi::OsString;
use toml::{Table, Value};

/// What the name of every such variable begins with.
pub const PREFIX: &str = "CHATMAI__";

/// Puts the variables into the table; a later layer replaces the value of the one below.
///
/// # Errors
/// When a name or value cannot be read. The value is never part of the text.
pub fn overlay(table: &mut Table, variables: impl Iterator<Item = (OsString, OsString)>) -> Result<(), ConfigError> {
    for (name, value) in variables {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
        let value =
            value.into_string().map_err(|_| ConfigError::new(format!("the environment's {name} is not UTF-8")))?;
        let path = name[PREFIX.len()..].to_ascii_lowercase();
        let mut parts: Vec<&str> = path.split("__").collect();
        let Some(field) = parts.pop().filter(|field| !field.is_empty()) else {
            return Err(ConfigError::new(format!("the environment's {name} names no setting")));
        };
        let mut at = &mut *table;
        for part in parts {
            let below = at.entry(part).or_insert_with(|| Value::Table(Table::new()));
            match below {
                Value::Table(inner) => at = inner,
                _ => return Err(ConfigError::new(format!("the environment's {name}: {part} is no section"))),
            }
        }
        at.insert(field.to_owned(), parse(&value));
    }
    Ok(())
}

/// A value as TOML reads it; whatever TOML does not read is a text.
fn parse(text: &str) -> Value {
    let read = toml::from_str::<Table>(&format!("value = {text}")).ok();
    match read {
        // More than one key means that the text held a line break: then it is a text.
        Some(mut table) if table.len() == 1 => table.remove("value").unwrap_or(Value::String(text.to_owned())),
        _ => Value::String(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_toml_else_text() {
        assert_eq!(parse("5"), Value::Integer(5));
        assert_eq!(parse("true"), Value::Boolean(true));
        assert_eq!(parse("127.0.0.1:0"), Value::String("127.0.0.1:0".into()));
        assert_eq!(parse("\"5\""), Value::String("5".into()));
        assert_eq!(parse("[\"a\", \"b\"]").as_array().map(Vec::len), Some(2));
        assert_eq!(parse("5\nother = 6"), Value::String("5\nother = 6".into()));
        assert_eq!(parse("/run/secrets/x"), Value::String("/run/secrets/x".into()));
        assert_eq!(parse(""), Value::String(String::new()));
    }
}
