//! Parts of a data directory that are gone. Each part makes itself when it is missing, which is right at the first start
//! only: later it would be an empty one in the place of one that was lost.
use super::StartError;
use crate::config::Config;
use std::path::Path;

/// Refuses a directory whose log is there and something without which it means nothing is not.
///
/// # Errors
/// [`StartError::Part`], naming what is missing.
pub fn check(config: &Config, directory: &Path) -> Result<(), StartError> {
    if !directory.join("log/meta").exists() {
        return Ok(());
    }
    let parts = [
        ("keys", config.kms.directory.is_none() && !has_root_key(&directory.join("keys"))),
        ("keys.db", config.keys.url.is_none() && !directory.join("keys.db").exists()),
        ("catalog.db", config.catalog.url.is_none() && !directory.join("catalog.db").exists()),
    ];
    let missing: Vec<&str> = parts.into_iter().filter(|(_, is_missing)| *is_missing).map(|(name, _)| name).collect();
    if !missing.is_empty() {
        return Err(StartError::Part(format!(
            "{} is missing from the data directory, though its log is there. Put back the part of the same backup \
             (infra/docs/backup-restore.md); a new one would not know what is in the log and the files",
            missing.join(", ")
        )));
    }
    if config.vault.url.is_none() && !directory.join("vault.db").exists() {
        tracing::error!("vault.db is missing and is made anew: each connection has to be given its secret again");
    }
    Ok(())
}

fn has_root_key(keys: &Path) -> bool {
    let mut entries = std::fs::read_dir(keys).into_iter().flatten().flatten();
    entries.any(|entry| entry.file_name().to_string_lossy().starts_with("root-data."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_is_lost_is_named_and_what_was_never_there_is_not() {
        let root = tempfile::tempdir().unwrap();
        let (path, config) = (root.path(), Config::default());
        assert!(check(&config, path).is_ok(), "a first start");
        fs::create_dir_all(path.join("log")).unwrap();
        fs::create_dir_all(path.join("keys")).unwrap();
        for file in ["log/meta", "keys/root-data.r1", "keys.db", "catalog.db", "vault.db"] {
            fs::write(path.join(file), "x").unwrap();
        }
        assert!(check(&config, path).is_ok());
        for (file, named) in [("keys/root-data.r1", "keys "), ("keys.db", "keys.db "), ("catalog.db", "catalog.db ")] {
            fs::remove_file(path.join(file)).unwrap();
            let error = check(&config, path).unwrap_err().to_string();
            assert!(error.starts_with(named), "{error}");
            fs::write(path.join(file), "x").unwrap();
        }
        fs::remove_file(path.join("vault.db")).unwrap();
        assert!(check(&config, path).is_ok(), "secrets can be given again");
        fs::remove_file(path.join("catalog.db")).unwrap();
        let mut elsewhere = Config::default();
        elsewhere.catalog.url = Some("postgres://c@h/c".into());
        assert!(check(&elsewhere, path).is_ok());
    }
}
