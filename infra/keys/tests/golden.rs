//! What version 1 sealed opens for ever (`security.md` §1). `golden/v1.json` is never written again: a later format gets
//! a file of its own beside it.
#![allow(clippy::expect_used, reason = "a test fails by it")]
mod common;
use base64::{Engine, engine::general_purpose::STANDARD};
use common::{A, CONNECTION, EVENT, Home};
use keys::Keyring;
use schemas::{
    clock::{SeededEntropy, SharedEntropy},
    ids::hex,
    partition::RetentionClass,
    record::{LastMasterKey, SealedRecord},
};
use serde::{Deserialize, Serialize};
use sqlx::{AnyPool, Row};
use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt, path::Path, sync::Arc};

#[derive(Serialize, Deserialize)]
struct Golden {
    /// Root key files by name, as text.
    roots: BTreeMap<String, String>,
    master_keys: Vec<MasterKey>,
    day_keys: Vec<DayKey>,
    records: Vec<Record>,
    fields: Vec<Field>,
    tokens: Vec<Token>,
    ids: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct MasterKey {
    database: String,
    kind: String,
    version: i64,
    root_key: String,
    wrapped: String,
}

#[derive(Serialize, Deserialize)]
struct DayKey {
    day: String,
    class: u16,
    key_version: i64,
    wrapped: String,
    material: String,
    file_key: String,
}

#[derive(Serialize, Deserialize)]
struct Record {
    topic: String,
    encoded: String,
    counter: u64,
    plaintext: String,
}

#[derive(Serialize, Deserialize)]
struct Field {
    purpose: String,
    sealed: String,
    plaintext: String,
}

#[derive(Serialize, Deserialize)]
struct Token {
    platform: String,
    kind: String,
    generation: i64,
    key_version: i64,
    commitment: String,
    sealed: String,
    plaintext: String,
}

fn fixture() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v1.json")
}

async fn pool(home: &Home, name: &str) -> AnyPool {
    sqlx::any::install_default_drivers();
    AnyPool::connect(&format!("sqlite://{}", home.path(name).display())).await.expect("a database")
}

fn bytes(text: &str) -> Vec<u8> {
    STANDARD.decode(text).expect("base64")
}

/// Stores a body in the key store's own frame and returns its id.
async fn insert_body(pool: &AnyPool, content: &[u8]) -> i64 {
    let mut body = (content.len() as u32).to_be_bytes().to_vec();
    body.extend_from_slice(content);
    body.resize(body.len().next_multiple_of(32), 0);
    let rows = sqlx::query("INSERT INTO bodies (body) VALUES ($1) RETURNING id").bind(body).fetch_all(pool).await;
    rows.expect("inserted")[0].get(0)
}

async fn ids(keyring: &Keyring) -> Vec<String> {
    let p = keyring.pseudonyms(A).await.expect("pseudonyms");
    let key = b"m_4711";
    vec![
        p.event(CONNECTION, key).to_string(),
        p.message(CONNECTION, key).to_string(),
        p.contact(CONNECTION, key).to_string(),
        p.conversation(CONNECTION, key).to_string(),
        hex(&p.keyed_hash("audit.person", key)),
    ]
}

/// Puts the fixture's keys into a fresh home.
async fn restore(home: &Home, golden: &Golden) {
    for entry in fs::read_dir(home.path("kms")).expect("a directory") {
        fs::remove_file(entry.expect("an entry").path()).expect("removed");
    }
    for (name, text) in &golden.roots {
        let path = home.path("kms").join(name);
        fs::write(&path, text).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a mode");
    }
    drop((home.keyring().await, home.vault().await));
    for name in ["keys", "vault"] {
        let pool = pool(home, &format!("{name}.db")).await;
        let workspace = sqlx::query("INSERT INTO workspaces (workspace, created_at) VALUES ($1, 0)").bind(&A.0[..]);
        workspace.execute(&pool).await.expect("inserted");
        for key in golden.master_keys.iter().filter(|key| key.database == name) {
            let body = insert_body(&pool, key.wrapped.as_bytes()).await;
            let insert = sqlx::query(
                "INSERT INTO master_keys (workspace, kind, version, root_key, body, created_at, changed_generation) VALUES ($1, $2, $3, $4, $5, 0, 0)",
            );
            let insert = insert.bind(&A.0[..]).bind(&*key.kind).bind(key.version).bind(&*key.root_key).bind(body);
            insert.execute(&pool).await.expect("inserted");
        }
        if name == "keys" {
            for key in &golden.day_keys {
                let body = insert_body(&pool, key.wrapped.as_bytes()).await;
                let day: schemas::partition::PartitionDay = key.day.parse().expect("a day");
                let insert = sqlx::query(
                    "INSERT INTO day_keys (workspace, day, class, key_version, body) VALUES ($1, $2, $3, $4, $5)",
                );
                let insert = insert.bind(&A.0[..]).bind(i64::from(day.0)).bind(i64::from(key.class));
                insert.bind(key.key_version).bind(body).execute(&pool).await.expect("inserted");
            }
        } else {
            for token in &golden.tokens {
                let body = insert_body(&pool, &bytes(&token.sealed)).await;
                let insert = sqlx::query(
                    "INSERT INTO tokens (connection, kind, generation, workspace, platform, key_version, commitment, body, state) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'active')",
                );
                let insert = insert.bind(&CONNECTION.0[..]).bind(&*token.kind).bind(token.generation).bind(&A.0[..]);
                let insert = insert.bind(&*token.platform).bind(token.key_version).bind(bytes(&token.commitment));
                insert.bind(body).execute(&pool).await.expect("inserted");
            }
        }
        pool.close().await;
    }
}

#[tokio::test]
async fn what_version_1_sealed_opens() {
    let golden: Golden = serde_json::from_slice(&fs::read(fixture()).expect("the fixture")).expect("JSON");
    let mut home = Home::new();
    restore(&home, &golden).await;
    home.kms = keys::FileKms::open(&home.path("kms"), common::entropy()).expect("a KMS");
    let (keyring, vault) = (home.keyring().await, home.vault().await);
    for record in &golden.records {
        let sealed =
            SealedRecord::decode(&mut bytes(&record.encoded).into(), &mut LastMasterKey::default()).expect("a record");
        let opened = keyring.open_record_in(&record.topic, &sealed).await.expect("opened");
        assert_eq!(opened, (record.counter, record.plaintext.clone().into_bytes()));
    }
    for field in &golden.fields {
        let opened = keyring.open_field(A, &field.purpose, &bytes(&field.sealed)).await.expect("opened");
        assert_eq!(opened, field.plaintext.as_bytes());
    }
    for key in &golden.day_keys {
        let day = keyring.day_key(A, key.day.parse().expect("a day"), RetentionClass(key.class)).await.expect("found");
        let opened = day.open_file_key(key.material.as_bytes()).expect("opened");
        assert_eq!(STANDARD.encode(opened.expose()), key.file_key);
    }
    for token in &golden.tokens {
        let opened = vault.use_active(CONNECTION, &token.kind, |s| s.contains(&token.plaintext.as_bytes())).await;
        assert_eq!(opened, Ok(true));
    }
    assert_eq!(ids(&keyring).await, golden.ids);
    let counts = [golden.records.len(), golden.fields.len(), golden.day_keys.len(), golden.tokens.len()];
    assert_eq!(counts, [4, 2, 2, 2]);
}

/// How `v1.json` was made: once. It refuses to replace it.
#[tokio::test]
#[ignore = "writes the fixture of a new version"]
async fn write_the_fixture() {
    assert!(!fixture().exists(), "a golden file is never written again");
    let mut home = Home::new();
    let seeded: SharedEntropy = Arc::new(SeededEntropy::new(20_261_122));
    home.kms = keys::FileKms::open(&home.path("golden-kms"), seeded).expect("a KMS");
    let (keyring, vault) = (home.keyring().await, home.vault().await);
    keyring.create_workspace(A).await.expect("keys");
    let (mut records, mut fields, mut day_keys, mut tokens) = (vec![], vec![], vec![], vec![]);
    for (round, text) in ["xin chào, còn hàng không?", "สวัสดีค่ะ"].into_iter().enumerate() {
        for topic in ["events", "outbound"] {
            keyring.seal_in(topic, A, EVENT, 1, b"first").await.expect("sealed");
            let record = keyring.seal_in(topic, A, EVENT, 7, text.as_bytes()).await.expect("sealed");
            let mut encoded = Vec::new();
            record.encode(&mut encoded).expect("encoded");
            let encoded = STANDARD.encode(encoded);
            records.push(Record { topic: topic.into(), encoded, counter: 1, plaintext: text.into() });
        }
        let purpose = format!("connection.name|{CONNECTION}");
        let sealed = STANDARD.encode(keyring.seal_field(A, &purpose, text.as_bytes()).await.expect("sealed"));
        fields.push(Field { purpose, sealed, plaintext: text.into() });
        let (day, class) = (["2026-11-22", "2028-02-29"][round], RetentionClass([356, 90][round]));
        let key = keyring.day_key_or_create(A, day.parse().expect("a day"), class).await.expect("made");
        let (file_key, material) = key.new_file_key(&*common::entropy()).expect("a file key");
        let file_key = STANDARD.encode(file_key.expose());
        let (day, key_version) = (day.to_string(), round as i64 + 1);
        day_keys.push(DayKey { day, class: class.0, key_version, wrapped: String::new(), material, file_key });
        keyring.rotate_workspace(A).await.expect("rotated");
    }
    vault.put(CONNECTION, A, "line", "access", b"golden-old").await.expect("stored");
    vault.rotate_workspace(A).await.expect("rotated");
    vault.rotate(CONNECTION, "access", b"golden-new", true).await.expect("rotated");

    let content = |body: Vec<u8>| body[4..4 + u32::from_be_bytes(body[..4].try_into().expect("4")) as usize].to_vec();
    let mut master_keys = Vec::new();
    for database in ["keys", "vault"] {
        let pool = pool(&home, &format!("{database}.db")).await;
        let rows = sqlx::query(
            "SELECT kind, version, root_key, b.body FROM master_keys k JOIN bodies b ON b.id = k.body ORDER BY 1, 2",
        );
        for row in rows.fetch_all(&pool).await.expect("rows") {
            let wrapped = String::from_utf8(content(row.get(3))).expect("text");
            let (kind, version, root_key) = (row.get(0), row.get(1), row.get(2));
            master_keys.push(MasterKey { database: database.into(), kind, version, root_key, wrapped });
        }
        if database == "keys" {
            let rows = sqlx::query("SELECT b.body FROM day_keys d JOIN bodies b ON b.id = d.body ORDER BY d.day");
            for (row, key) in rows.fetch_all(&pool).await.expect("rows").into_iter().zip(&mut day_keys) {
                key.wrapped = String::from_utf8(content(row.get(0))).expect("text");
            }
        } else {
            let rows = sqlx::query(
                "SELECT platform, kind, generation, key_version, commitment, b.body FROM tokens t JOIN bodies b ON b.id = t.body ORDER BY generation",
            );
            for (row, plaintext) in rows.fetch_all(&pool).await.expect("rows").iter().zip(["golden-old", "golden-new"])
            {
                tokens.push(Token {
                    platform: row.get(0),
                    kind: row.get(1),
                    generation: row.get(2),
                    key_version: row.get(3),
                    commitment: STANDARD.encode(row.get::<Vec<u8>, _>(4)),
                    sealed: STANDARD.encode(content(row.get(5))),
                    plaintext: plaintext.into(),
                });
            }
        }
    }
    let mut roots = BTreeMap::new();
    for name in ["root-data.r1", "root-token.r2"] {
        roots.insert(name.into(), fs::read_to_string(home.path("golden-kms").join(name)).expect("a key"));
    }
    let ids = ids(&keyring).await;
    let golden = Golden { roots, master_keys, day_keys, records, fields, tokens, ids };
    fs::write(fixture(), serde_json::to_vec_pretty(&golden).expect("JSON")).expect("written");
}
