//! Databases of a real PostgreSQL server for tests, one for each; dropped, they are gone.
//!
//! `infra/local/postgres start DIR` starts a server and prints the two variables. Tests that need it are ignored, so that
//! a run without a server says that they were left out: `cargo test --workspace -- --ignored postgres` runs them.
#![allow(dead_code, reason = "each test file uses a part")]
use database::{Address, Postgres, connect_options};
use sqlx::{AnyConnection, AssertSqlSafe, Connection, Executor, SqlSafeStr};
use std::{
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
};

/// The server that the environment names, as its superuser.
#[derive(Clone)]
pub struct Server {
    host: String,
    user: String,
    password: String,
    ca: PathBuf,
}

impl Server {
    #[allow(clippy::panic, reason = "a test that cannot go on has failed")]
    pub fn from_environment() -> Self {
        let set = |name| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: see infra/local/postgres"));
        let url = set("CHATMAI_TEST_POSTGRES_URL");
        let (_, rest) = url.split_once("://").expect("a URL");
        let (role, place) = rest.split_once('@').expect("a role");
        let (user, password) = role.split_once(':').expect("a password");
        let (host, _) = place.split_once('/').expect("a database");
        let own = |text: &str| text.to_owned();
        Self { host: own(host), user: own(user), password: own(password), ca: set("CHATMAI_TEST_POSTGRES_CA").into() }
    }

    /// A database as its superuser sees it.
    pub fn superuser(&self, database: &str) -> Postgres {
        self.address(&self.user, &self.password, database)
    }

    pub fn address(&self, user: &str, password: &str, database: &str) -> Postgres {
        let url = format!("postgres://{user}@{}/{database}", self.host);
        let address = Postgres::parse(&url).expect("a URL").with_password(password.to_owned().into());
        address.with_ca_certificate(self.ca.clone())
    }

    /// A new database, with a role of its own that owns it.
    pub async fn fresh(&self) -> Fresh {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("t_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let mut admin = connect(&self.superuser("postgres")).await;
        // A run that was killed may have left one of the same name.
        for statement in gone(&name) {
            run(&mut admin, statement).await;
        }
        run(&mut admin, format!("CREATE ROLE {name} LOGIN PASSWORD 'secret of {name}'")).await;
        run(&mut admin, format!("CREATE DATABASE {name} OWNER {name} TEMPLATE template0")).await;
        admin.close().await.expect("closed");
        Fresh { server: self.clone(), name }
    }
}

/// A database of one test.
pub struct Fresh {
    server: Server,
    name: String,
}

impl Fresh {
    pub fn postgres(&self) -> Postgres {
        self.server.address(&self.name, &format!("secret of {}", self.name), &self.name)
    }

    pub fn address(&self) -> Address {
        Address::Postgres(self.postgres())
    }

    /// The role, which also is the database's name.
    pub fn role(&self) -> &str {
        &self.name
    }

    pub fn server(&self) -> &Server {
        &self.server
    }

    /// A connection past the library, as a superuser.
    pub async fn superuser(&self) -> AnyConnection {
        connect(&self.server.superuser(&self.name)).await
    }

    /// Ends every connection that the role has, as an administrator or a failover does.
    pub async fn end_connections(&self) {
        let text = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{}'", self.name);
        let mut admin = self.superuser().await;
        run(&mut admin, text).await;
    }

    /// The bytes of all its tables and indexes as they lie on the server's disk.
    pub async fn raw(&self) -> Vec<u8> {
        let mut admin = self.superuser().await;
        run(&mut admin, "CHECKPOINT".to_owned()).await;
        let rows = sqlx::query(
            "SELECT pg_read_binary_file(pg_relation_filepath(c.oid)) FROM pg_class c \
             WHERE c.relkind IN ('r', 'i', 't') AND c.oid >= 16384",
        );
        let rows = rows.fetch_all(&mut admin).await.expect("files");
        rows.iter().flat_map(|row| sqlx::Row::get::<Vec<u8>, _>(row, 0)).collect()
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let mut admin = connect(&server.superuser("postgres")).await;
                for statement in gone(&name) {
                    run(&mut admin, statement).await;
                }
            });
        });
        // What is left behind is cleaned by the next of this name; a test that failed shall say its own reason.
        let _ = dropping.join();
    }
}

fn gone(name: &str) -> [String; 2] {
    [format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"), format!("DROP ROLE IF EXISTS {name}")]
}

pub async fn connect(address: &Postgres) -> AnyConnection {
    sqlx::any::install_default_drivers();
    AnyConnection::connect_with(&connect_options(address).expect("options")).await.expect("connected")
}

pub async fn run(connection: &mut AnyConnection, statement: String) {
    connection.execute(AssertSqlSafe(statement).into_sql_str()).await.expect("a statement");
}
