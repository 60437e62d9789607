//! Layers, refusals and masks.
use super::*;

fn from(file: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("chatmai.toml");
    std::fs::write(&path, file).unwrap();
    let environment = environment.iter().map(|(name, value)| (name.into(), value.into())).collect();
    load(Sources { file: Some(path), environment, data_dir: None }).map_err(|error| error.to_string())
}

#[test]
fn an_empty_file_gives_the_defaults() {
    assert_eq!(from("", &[]).unwrap(), Config::default());
}

#[test]
fn the_environment_goes_on_top_of_the_file() {
    let file = "[listen]\ningest = \"127.0.0.1:1\"\napi = \"127.0.0.1:2\"\n[land]\nmax_age = \"5m\"\n";
    let config = from(
        file,
        &[
            ("CHATMAI__LISTEN__INGEST", "127.0.0.1:0"),
            ("CHATMAI__LOG__SLOTS", "4"),
            ("CHATMAI__PLATFORMS__FACEBOOK__APP_ID", "987654321098765"),
            ("CHATMAI__PLATFORMS__FACEBOOK__APP_SECRET_FILE", "[\"/a\", \"/b\"]"),
            ("CHATMAI__PLATFORMS__FACEBOOK__HUMAN_APP_IDS", "[1, \"2\"]"),
            ("CHATMAI__TESTING__FAULT", "land/before-commit"),
            ("HOME", "/root"),
        ],
    )
    .unwrap();
    assert_eq!(config.listen.ingest.port(), 0);
    assert_eq!(config.listen.api.port(), 2);
    assert_eq!(config.log.slots, 4);
    assert_eq!(config.land.max_age.to_string(), "5m");
    assert_eq!(config.platforms.facebook.app_id.unwrap().0, "987654321098765");
    assert_eq!(config.platforms.facebook.app_secret_file.0.len(), 2);
    assert_eq!(config.platforms.facebook.human_app_ids.len(), 2);
    assert_eq!(config.testing.fault.as_deref(), Some("land/before-commit"));
}

#[test]
fn unknown_keys_are_refused_with_the_nearest_known_one() {
    for (file, key, nearest) in [
        ("[listen]\ningress = 1", "listen.ingress", Some("listen.ingest")),
        ("[lisn]\napi = \"x\"", "lisn", None),
        ("datadir = \"x\"", "datadir", Some("data_dir")),
        ("[platforms.facebok]\napp_id = 1", "platforms.facebok", None),
        ("listen = 5", "listen", None),
    ] {
        let error = from(file, &[]).unwrap_err();
        assert!(error.contains(&format!("`{key}`")), "{error}");
        if let Some(nearest) = nearest {
            assert!(error.contains(&format!("`{nearest}`")), "{error}");
        }
    }
    let error = from("", &[("CHATMAI__LAND__MAXAGE", "1s")]).unwrap_err();
    assert!(error.contains("`land.maxage`") && error.contains("`land.max_age`"), "{error}");
    assert!(from("", &[("CHATMAI__LISTEN", "1")]).is_err());
    assert!(from("", &[("CHATMAI__", "1")]).is_err());
    assert!(from("data_dir = \"x\"", &[("CHATMAI__DATA_DIR__X", "1")]).is_err());
}

#[test]
fn values_are_never_repeated_in_errors() {
    for environment in [
        ("CHATMAI__PLATFORMS__FACEBOOK__APP_SECRET", "hunter2"),
        ("CHATMAI__PLATFORMS__FACEBOOK__APP_ID", "hunter2"),
        ("CHATMAI__LOG__SLOTS", "hunter2"),
        ("CHATMAI__LISTEN__API", "hunter2"),
        ("CHATMAI__LAND__MAX_AGE", "hunter2"),
        ("CHATMAI__LAND__MAX_BYTES", "hunter2"),
        ("CHATMAI__LOGGING__FORMAT", "hunter2"),
        ("CHATMAI__LOGGING__LEVEL", "hunter2=hunter2=x"),
    ] {
        let error = from("", &[environment]).unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
        let setting = environment.0.rsplit("__").next().unwrap().to_lowercase();
        assert!(error.contains(&setting), "{error}");
    }
}

#[test]
fn what_does_not_fit_together_is_refused() {
    for file in [
        "[listen]\noperations = \"0.0.0.0:8445\"",
        "[listen]\napi = \"127.0.0.1:8443\"",
        "[tls]\ncertificate = \"x\"",
        "[tls]\nca = \"x\"",
        "[webhooks]\ntls12_exception = \"\"",
        "[webhooks]\ntls12_exception = \"  \"",
        "[webhooks]\ntls12_exception = true",
        "[webhooks]\ntls12_exception = \"two\\nlines\"",
        "[log]\nslots = 0",
        "[log]\nsegment_bytes = \"2GiB\"",
        "[log]\nmax_bytes = \"64MiB\"",
        "[land]\nmax_rows = 0",
        "[retention]\ndays = 357",
        "[jobs]\nfold_after = \"7d\"",
        "[jobs]\nderive_interval = \"0s\"",
        "[limits]\nbody_bytes = \"2MiB\"",
        "[limits]\nheader_bytes = \"1KiB\"",
        "[testing]\nfault = \"x\"",
        "data_dir = \"\"",
        "[platforms.facebook]\napp_secret_file = [\"a\", \"b\", \"c\"]",
    ] {
        assert!(from(file, &[]).is_err(), "{file}");
    }
}

#[test]
fn a_log_level_is_one_that_says_something() {
    let with = |level: &str| from("", &[("CHATMAI__LOGGING__LEVEL", level)]);
    for level in ["info", "WARN", "off", "warn,ingest=debug", "info,query_api::engine=trace"] {
        assert_eq!(with(level).unwrap().logging.level, level);
    }
    for level in [
        "inof",
        "",
        ",",
        "info,",
        "ingest=loud",
        "warn,ingest",
        "=debug",
        "info, ingest=debug",
        "a b=info",
        "[span]=info",
        "info=debug=x",
    ] {
        let error = with(level).unwrap_err();
        assert!(error.contains("logging.level is"), "{level}: {error}");
    }
}

#[test]
fn an_empty_data_directory_is_refused_wherever_it_comes_from() {
    assert!(from("", &[("CHATMAI__DATA_DIR", "")]).unwrap_err().contains("data_dir is empty"));
    let flag = Sources { data_dir: Some("".into()), ..Sources::default() };
    assert!(load(flag).unwrap_err().to_string().contains("data_dir is empty"));
}

#[test]
fn a_broken_file_is_refused_with_its_line() {
    let error = from("[listen]\n\ningest = = 3\n", &[]).unwrap_err();
    assert!(error.contains("line 3"), "{error}");
}
