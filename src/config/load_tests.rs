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
        ("CHATMAI__CATALOG__URL", "postgres://role:hunter2@host/database"),
        ("CHATMAI__CATALOG__PASSWORD", "hunter2"),
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
        "[catalog]\nurl = \"catalog.db\"",
        "[catalog]\nurl = \"postgres://r@h/d?sslmode=disable\"",
        "[keys]\npassword_file = \"x\"",
        "[vault]\nurl = \"postgres://r@h/d\"\nclient_key = \"x\"",
        "[jobs]\nfold_after = \"7d\"",
        "[jobs]\nderive_interval = \"0s\"",
        "[limits]\nbody_bytes = \"2MiB\"",
        "[limits]\nheader_bytes = \"1KiB\"",
        "[testing]\nfault = \"x\"",
        "data_dir = \"\"",
        "[kafka]\nbrokers = [\"a:1\"]\ncertificate = \"c\"\nkey = \"k\"",
        "[kafka]\nbrokers = [\"a:1\"]\nca_certificate = \"ca\"",
        "[kafka]\nca_certificate = \"ca\"\ncertificate = \"c\"",
        "[kafka]\nsasl_mechanism = \"PLAIN\"\nsasl_user = \"u\"",
        "[kafka]\nsecurity_protocol = \"plaintext\"",
        "[kafka]\nenable_ssl_certificate_verification = false",
        "[kafka]\nssl_endpoint_identification_algorithm = \"\"",
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

#[test]
fn what_is_printed_is_a_file_that_is_taken() {
    let set = [("CHATMAI__LOG__SLOTS", "4"), ("CHATMAI__TESTING__FAULT", "land/before-commit")];
    for environment in [&set[..], &[]] {
        let config = from("", environment).unwrap();
        let printed = crate::config::to_toml(&config).unwrap();
        let again = from(&printed, &[]).unwrap();
        assert_eq!(again.log, config.log);
        assert_eq!(again.testing.fault, None, "the environment alone sets it");
    }
}

#[test]
fn catalog_keys_and_vault_have_a_database_and_a_role_each() {
    let three = |catalog: &str, keys: &str, vault: &str| {
        from(&format!("[catalog]\nurl = \"{catalog}\"\n[keys]\nurl = \"{keys}\"\n[vault]\nurl = \"{vault}\""), &[])
    };
    assert!(three("postgres://c@h/c", "postgres://k@h/k", "postgres://v@h/v").is_ok());
    // On servers of their own, names may be the same.
    assert!(three("postgres://x@a/x", "postgres://x@b/x", "postgres://x@c/x").is_ok());
    for (catalog, keys, vault, named) in [
        ("postgres://x@h/x", "postgres://x@h/x", "postgres://v@h/v", "catalog.url and keys.url"),
        ("postgres://c@h/x", "postgres://k@H:5432/x", "postgres://v@h/v", "catalog.url and keys.url"),
        ("postgres://c@h/c", "postgres://x@h/k", "postgres://x@h/v", "keys.url and vault.url"),
        ("postgres://c@h/x", "postgres://k@h/k", "postgres://v@h/x", "catalog.url and vault.url"),
    ] {
        let error = three(catalog, keys, vault).unwrap_err();
        assert!(error.contains(named), "{error}");
    }
}

#[test]
fn a_database_is_a_file_unless_a_server_is_named_and_its_password_comes_from_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("password");
    std::fs::write(&file, "hunter2\n").unwrap();
    let text = format!("[keys]\nurl = \"postgres://k@h/k\"\npassword_file = \"{}\"", file.display());
    let config = from(&text, &[]).unwrap();
    let catalog = config.catalog.server().address("/data/catalog.db".into()).unwrap();
    assert!(matches!(&catalog, database::Address::Sqlite(path) if path.ends_with("catalog.db")));
    let keys = config.keys.server().address("/data/keys.db".into()).unwrap();
    assert_eq!(format!("{keys:?}"), "Postgres(postgres://k@h:5432/k)");
    assert!(!format!("{} {config:?}", crate::config::to_toml(&config).unwrap()).contains("hunter2"));
    std::fs::remove_file(&file).unwrap();
    assert!(config.keys.server().address("/data/keys.db".into()).is_err());
}
