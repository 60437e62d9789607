//! Reads the configuration from its layers.
use super::{Config, ConfigError, environment, known};
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};
use toml::{Table, Value};

/// The file that is read when none is named.
pub const DEFAULT_FILE: &str = "chatmai.toml";

/// Where the configuration comes from.
#[derive(Debug, Default)]
pub struct Sources {
    /// `--config`: must exist. Without it `chatmai.toml` is read if there is one.
    pub file: Option<PathBuf>,
    /// The environment.
    pub environment: Vec<(OsString, OsString)>,
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
}

/// Reads, merges and checks.
///
/// # Errors
/// For anything that is unknown, unreadable or does not fit together.
pub fn load(sources: Sources) -> Result<Config, ConfigError> {
    let mut table = match &sources.file {
        Some(file) => read(file)?,
        None if Path::new(DEFAULT_FILE).exists() => read(Path::new(DEFAULT_FILE))?,
        None => Table::new(),
    };
    refuse_unknown(&table)?;
    if table.contains_key("testing") {
        return Err(ConfigError::new("[testing] is set by the environment only"));
    }
    environment::overlay(&mut table, sources.environment.into_iter())?;
    refuse_unknown(&table)?;
    if let Some(dir) = sources.data_dir {
        let text = dir.to_str().ok_or_else(|| ConfigError::new("--data-dir is not UTF-8"))?;
        table.insert("data_dir".into(), Value::String(text.into()));
    }
    // A type error names its key, and by itself shows the value; the value could be a secret that was put in the wrong place.
    let config: Config = Value::Table(table.clone()).try_into().map_err(|error| describe(&table, &error))?;
    config.check()?;
    Ok(config)
}

fn read(file: &Path) -> Result<Table, ConfigError> {
    let fail = |why: String| ConfigError::new(format!("{}: {why}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| fail(error.to_string()))?;
    toml::from_str(&text).map_err(|error: toml::de::Error| {
        let line = error.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        match line {
            Some(line) => fail(format!("line {line}: {}", error.message())),
            None => fail(error.message().to_owned()),
        }
    })
}

fn refuse_unknown(table: &Table) -> Result<(), ConfigError> {
    match known::unknown(table) {
        None => Ok(()),
        Some((key, Some(nearest))) => {
            Err(ConfigError::new(format!("there is no setting `{key}`; did you mean `{nearest}`?")))
        }
        Some((key, None)) => {
            Err(ConfigError::new(format!("there is no setting `{key}`; `chatmai config` lists them all")))
        }
    }
}

/// Finds the setting that does not fit by trying each alone, as the error of the whole does not reliably name it.
fn describe(table: &Table, error: &toml::de::Error) -> ConfigError {
    for path in known::paths() {
        let Some(value) = find(table, &path) else { continue };
        let mut single = value.clone();
        for part in path.rsplit('.') {
            single = Value::Table(Table::from_iter([(part.to_owned(), single)]));
        }
        if let Err(error) = single.try_into::<Config>() {
            return ConfigError::new(format!("`{path}`: {}", without_value(error.message())));
        }
    }
    ConfigError::new(without_value(error.message()))
}

fn find<'a>(table: &'a Table, path: &str) -> Option<&'a Value> {
    match path.split_once('.') {
        None => table.get(path),
        Some((section, rest)) => find(table.get(section)?.as_table()?, rest),
    }
}

/// serde quotes the value it met ("invalid type: string \"…\", expected u16"); only what was expected is told.
fn without_value(message: &str) -> String {
    match message.rsplit_once(", expected ") {
        Some((_, expected)) => format!("expected {}", expected.trim()),
        None if message.starts_with("invalid ") => "it has not the right form".to_owned(),
        None => message.trim().to_owned(),
    }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
