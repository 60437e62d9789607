//! The effective configuration as TOML, each setting with its explanation.
use super::{Config, ConfigError, SECTIONS, Section, section::Field};
use std::fmt::Write;
use toml::{Table, Value};

/// The longest line of a comment.
const WIDTH: usize = 100;

/// A file that gives exactly this configuration when it is read.
///
/// # Errors
/// When a path is not UTF-8.
pub fn to_toml(config: &Config) -> Result<String, ConfigError> {
    let table = |config: &Config| Table::try_from(config).map_err(|_| ConfigError::new("a path is not UTF-8"));
    let (values, defaults) = (table(config)?, table(&Config::default())?);
    let mut text = String::new();
    for section in SECTIONS {
        comment(&mut text, &section.explanation.concat());
        let _ = match section.name {
            "" => writeln!(text),
            // The environment alone sets it: in a file even the heading is refused.
            "testing" => writeln!(text, "# [testing]"),
            name => writeln!(text, "[{name}]"),
        };
        for field in section.fields {
            write_field(&mut text, section, field, &values, &defaults);
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    Ok(text)
}

fn write_field(text: &mut String, section: &Section, field: &Field, values: &Table, defaults: &Table) {
    let path = section.path_of(field);
    comment(text, &field.explanation.concat());
    let written = |table: &Table| find(table, &path).map(|value| value.to_string());
    let default = written(defaults).unwrap_or_else(|| "not set".into());
    comment(text, &format!(" Default: {default}. Example: {}", field.example));
    let _ = match written(values) {
        // The environment alone sets it, so as a line of a file it would be refused.
        Some(value) if section.name == "testing" => writeln!(text, "# {} = {value}", field.name),
        Some(value) => writeln!(text, "{} = {value}", field.name),
        None => writeln!(text, "# {} = {}", field.name, field.example),
    };
}

fn find<'a>(table: &'a Table, path: &str) -> Option<&'a Value> {
    match path.split_once('.') {
        None => table.get(path),
        Some((section, rest)) => find(table.get(section)?.as_table()?, rest),
    }
}

/// Words as comment lines.
fn comment(text: &mut String, words: &str) {
    let mut width = 0;
    for word in words.split_whitespace() {
        if width == 0 || width + 1 + word.len() > WIDTH {
            if width > 0 {
                text.push('\n');
            }
            text.push('#');
            width = 1;
        }
        let _ = write!(text, " {word}");
        width += 1 + word.len();
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Secret, SecretFiles, known};

    fn leaves(table: &Table, prefix: &str, out: &mut Vec<String>) {
        for (key, value) in table {
            match value {
                Value::Table(inner) => leaves(inner, &format!("{prefix}{key}."), out),
                _ => out.push(format!("{prefix}{key}")),
            }
        }
    }

    #[test]
    fn every_setting_has_an_explanation_and_every_explanation_a_setting() {
        let mut config = Config::default();
        config.tls.certificate = Some("c".into());
        config.tls.key = Some("k".into());
        config.tls.ca = Some("a".into());
        for (url, files) in [
            (
                &mut config.catalog.url,
                [
                    &mut config.catalog.password_file,
                    &mut config.catalog.ca_certificate,
                    &mut config.catalog.client_certificate,
                    &mut config.catalog.client_key,
                ],
            ),
            (
                &mut config.keys.url,
                [
                    &mut config.keys.password_file,
                    &mut config.keys.ca_certificate,
                    &mut config.keys.client_certificate,
                    &mut config.keys.client_key,
                ],
            ),
            (
                &mut config.vault.url,
                [
                    &mut config.vault.password_file,
                    &mut config.vault.ca_certificate,
                    &mut config.vault.client_certificate,
                    &mut config.vault.client_key,
                ],
            ),
        ] {
            *url = Some("u".into());
            for file in files {
                *file = Some("f".into());
            }
        }
        config.platforms.facebook.app_id = Some(crate::config::AppId("1".into()));
        config.webhooks.tls12_exception = Some("r".into());
        config.kms.directory = Some("r".into());
        config.store.url = Some(crate::config::StoreUrl("s3://b/p".parse().unwrap()));
        let store = &mut config.store;
        for text in [&mut store.endpoint, &mut store.region, &mut store.access_key_id] {
            *text = Some("x".into());
        }
        for path in [&mut store.secret_access_key_file, &mut store.credentials_file, &mut store.ca_certificate] {
            *path = Some("x".into());
        }
        let kafka = &mut config.kafka;
        (kafka.ca_certificate, kafka.certificate, kafka.key) = (Some("a".into()), Some("c".into()), Some("k".into()));
        (kafka.sasl_mechanism, kafka.sasl_user) = (Some("PLAIN".into()), Some("u".into()));
        kafka.sasl_password_file = Some("p".into());
        config.testing.fault = Some("x".into());
        let mut set = Vec::new();
        leaves(&Table::try_from(&config).unwrap(), "", &mut set);
        let mut explained = known::paths();
        set.sort();
        explained.sort();
        assert_eq!(set, explained);
        for section in SECTIONS {
            assert!(!section.explanation.concat().trim().is_empty());
            for field in section.fields {
                assert!(field.explanation.concat().trim().len() > 10, "{}", section.path_of(field));
                let example = format!("{} = {}", field.name, field.example);
                assert!(toml::from_str::<Table>(&example).is_ok(), "{example}");
            }
        }
    }

    #[test]
    fn what_is_printed_reads_back_as_the_same() {
        let mut config = Config::default();
        config.log.slots = 7;
        config.platforms.facebook.app_secret_file = SecretFiles(vec!["/a".into(), "/b".into()]);
        let text = to_toml(&config).unwrap();
        assert_eq!(toml::from_str::<Config>(&text).unwrap(), config, "{text}");
        for path in known::paths() {
            let name = path.rsplit('.').next().unwrap();
            assert!(text.contains(&format!("{name} = ")), "{path}");
        }
    }

    #[test]
    fn secrets_are_not_printed() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("app-secret");
        std::fs::write(&file, "hunter2\n").unwrap();
        let mut config = Config::default();
        config.platforms.facebook.app_secret_file = SecretFiles(vec![file]);
        let secrets = Secret::read_all(&config.platforms.facebook.app_secret_file).unwrap();
        let printed =
            format!("{} {config:?} {secrets:?} {}", to_toml(&config).unwrap(), serde_json::to_string(&config).unwrap());
        assert_eq!(secrets[0].expose(), b"hunter2");
        assert!(!printed.contains("hunter2"));
    }
}
