//! What a connection must be, and what it is told.
use crate::Address;
use sqlx::{AnyConnection, Connection, Executor, Row, any::AnyConnectOptions};

/// What a session is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// It only reads, and the server sees to that.
    Read,
    /// It also writes.
    Write,
}

/// One statement list, one round trip. Locks are waited for as long as SQLite's `busy_timeout`. A session whose client
/// is gone, or which does nothing within a transaction, gives its locks back within about a minute. Commits are
/// durable when they return, also where the server's default is otherwise; a stricter default stays.
const WRITE: &str = "SET lock_timeout = '10s';
    SET idle_in_transaction_session_timeout = '60s';
    SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3;
    SET client_min_messages = warning;
    SELECT set_config('synchronous_commit', 'on', false)
        WHERE current_setting('synchronous_commit') IN ('off', 'local')";
const READ: &str = "SET lock_timeout = '10s';
    SET idle_in_transaction_session_timeout = '60s';
    SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3;
    SET client_min_messages = warning;
    SET default_transaction_read_only = on";

/// A row of `pg_stat_ssl` says what this very connection is; the library has no switch for it.
const LOOK: &str = "SELECT version, pg_is_in_recovery() FROM pg_stat_ssl WHERE pid = pg_backend_pid()";

/// What the library connects to. It holds the password and prints it: do not keep it. Of an SQLite file its own
/// address is made by who makes the file.
///
/// # Errors
/// When a path is not UTF-8.
pub fn connect_options(address: &crate::Postgres) -> Result<AnyConnectOptions, sqlx::Error> {
    address.options()
}

/// Looks at a new PostgreSQL connection, refuses it or sets it up.
///
/// # Errors
/// [`sqlx::Error::Tls`] for a connection that is not TLS 1.3, [`sqlx::Error::Protocol`] for a standby, and what the
/// server says.
pub async fn set_up(connection: &mut AnyConnection, access: Access) -> Result<(), sqlx::Error> {
    let row = connection.fetch_one(LOOK).await?;
    let version: Option<String> = row.try_get(0)?;
    match version.as_deref() {
        Some("TLSv1.3") => {}
        Some(other) => {
            let why = format!("the server speaks {other}, and TLS 1.3 is required: set ssl_min_protocol_version there");
            return Err(sqlx::Error::Tls(why.into()));
        }
        None => return Err(sqlx::Error::Tls("the connection is not encrypted, and TLS 1.3 is required".into())),
    }
    if row.try_get::<bool, _>(1)? {
        return Err(sqlx::Error::Protocol("the server is a standby and takes no writes".into()));
    }
    let statements = match access {
        Access::Read => READ,
        Access::Write => WRITE,
    };
    connection.execute(statements).await?;
    Ok(())
}

/// For a pool of SQLite connections: whether one that comes back may be given out again. Where the disk is full, SQLite
/// takes a transaction back by itself; the library still counts it as begun, and would refuse every further one.
///
/// # Errors
/// What the connection says; it is given up then as well.
pub async fn is_reusable(connection: &mut AnyConnection) -> Result<bool, sqlx::Error> {
    // What was dropped without a commit is rolled back first.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

impl Address {
    /// True for a PostgreSQL server's.
    pub fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }
}
