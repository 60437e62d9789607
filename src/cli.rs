//! The command line.
use clap::{Args, Parser, Subcommand, ValueEnum};
use schemas::{
    ids::{ApiKeyId, ConnectionId, EventId},
    kind::Platform,
    partition::PartitionDay,
};
use std::path::PathBuf;

/// ChatMai: signed webhooks become encrypted Parquet and an inbox, each event exactly once.
#[derive(Debug, Parser)]
#[command(name = "chatmai", version, arg_required_else_help = true)]
pub struct Cli {
    /// Configuration file [default: chatmai.toml, if there is one]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Data directory [default: ./chatmai-data]
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Put one JSON object on the last line of stdout; words go to stderr
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do
    #[command(subcommand)]
    pub action: Action,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Run all roles in one process
    Up,
    /// Run the webhook listener only
    Ingest,
    /// Run the jobs between log and files only
    Transform,
    /// Run the query API only
    QueryApi,
    /// Play realistic traffic against an own instance, and verify what came of it
    Demo(Demo),
    /// Print the effective configuration, each setting with its explanation
    Config,
    /// Workspaces: the customers of the product
    #[command(subcommand)]
    Workspace(Workspace),
    /// Connections: pages and accounts of the platforms
    #[command(subcommand)]
    Connection(Connection),
    /// API keys, and the keys that data is sealed with
    #[command(subcommand)]
    Key(Key),
    /// Append lines of import
    Import(Import),
    /// What was signed but could not be read
    #[command(subcommand)]
    DeadLetters(DeadLetters),
    /// The event log
    #[command(subcommand)]
    Log(Log),
}

/// The demo's own settings.
#[derive(Debug, Args)]
pub struct Demo {
    /// Events to play, copies included
    #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    pub events: u64,
    /// Workspaces to play in
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub workspaces: u64,
    /// Events a second to send as they happen, instead of hours of them as fast as the node takes them; answer times then
    /// count from when a post was due
    #[arg(long, value_name = "N")]
    pub rate: Option<u32>,
    /// Seed of the traffic: the same seed sends the same conversations
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Play on the Kafka of the configuration instead of the embedded log; its topics have to be new
    #[arg(long)]
    pub kafka: bool,
    /// Stay up afterwards, and print URL, CA and an API key
    #[arg(long)]
    pub keep: bool,
}

/// What to do with workspaces.
#[derive(Debug, Subcommand)]
pub enum Workspace {
    /// Make one
    Add {
        /// Its name
        name: String,
        /// IANA name of its time zone
        #[arg(long, value_name = "IANA")]
        time_zone: String,
        /// Days that its events are kept [default: retention.days]
        #[arg(long, value_name = "N")]
        retention_days: Option<u16>,
    },
    /// List them
    List,
}

/// The platforms that can be connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Connectable {
    /// A LINE Official Account
    Line,
    /// A Facebook page
    Facebook,
}

impl From<Connectable> for Platform {
    fn from(platform: Connectable) -> Self {
        match platform {
            Connectable::Line => Self::Line,
            Connectable::Facebook => Self::Facebook,
        }
    }
}

/// What to do with connections.
#[derive(Debug, Subcommand)]
pub enum Connection {
    /// Make one
    Add {
        /// Workspace: its id, or its name where only one has it
        #[arg(long)]
        workspace: String,
        /// Platform
        #[arg(long)]
        platform: Connectable,
        /// Its name
        #[arg(long)]
        name: String,
        /// LINE: the bot's user id, U and 32 hexadecimal characters
        #[arg(long, value_name = "U…", required_if_eq("platform", "line"))]
        destination: Option<String>,
        /// LINE: file with the channel secret
        #[arg(long, value_name = "FILE", required_if_eq("platform", "line"))]
        secret_file: Option<PathBuf>,
        /// Facebook: the page's id
        #[arg(long, value_name = "ID", required_if_eq("platform", "facebook"), conflicts_with_all = ["destination", "secret_file"])]
        page_id: Option<String>,
    },
    /// List them
    List {
        /// Of this workspace only
        #[arg(long)]
        workspace: Option<String>,
    },
    /// End one: its posts are refused or only counted
    Disable {
        /// Its id
        connection: ConnectionId,
    },
    /// Give one a new secret; the one before stays valid until the next rotation
    RotateSecret {
        /// Its id
        connection: ConnectionId,
        /// File with the new secret
        #[arg(long, value_name = "FILE")]
        secret_file: PathBuf,
    },
}

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KeyScope {
    /// Read
    Read,
    /// Read and write
    Write,
}

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub enum Key {
    /// Make an API key; it is shown once
    Add {
        /// Workspace: its id, or its name where only one has it
        #[arg(long)]
        workspace: String,
        /// What it may do; may be given twice
        #[arg(long, default_value = "read")]
        scope: Vec<KeyScope>,
    },
    /// List API keys, without the keys
    List {
        /// Of this workspace only
        #[arg(long)]
        workspace: Option<String>,
    },
    /// Revoke an API key
    Revoke {
        /// Its id
        id: ApiKeyId,
    },
    /// Make a new version of a workspace key or of the root keys
    Rotate {
        /// Of this workspace
        #[arg(long, required_unless_present = "root", conflicts_with = "root")]
        workspace: Option<String>,
        /// Of the root keys
        #[arg(long)]
        root: bool,
    },
    /// Write the day keys of a workspace to a file: all that reads its data files
    Export {
        /// Workspace: its id, or its name where only one has it
        #[arg(long)]
        workspace: String,
        /// Of this UTC day only
        #[arg(long, value_name = "YYYY-MM-DD")]
        day: Option<PartitionDay>,
        /// The file; it must not exist
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

/// What to import.
#[derive(Debug, Args)]
pub struct Import {
    /// Workspace: its id, or its name where only one has it
    #[arg(long)]
    pub workspace: String,
    /// The lines, or `-` for stdin
    #[arg(value_name = "FILE.ndjson|-")]
    pub file: PathBuf,
}

/// Which dead letters.
#[derive(Debug, Args)]
pub struct Which {
    /// Workspace: its id, its name where only one has it, or `system`
    #[arg(long)]
    pub workspace: String,
    /// Of this connection only
    #[arg(long)]
    pub connection: Option<ConnectionId>,
    /// These only [default: all]
    pub ids: Vec<EventId>,
}

/// What to do with dead letters.
#[derive(Debug, Subcommand)]
pub enum DeadLetters {
    /// List them, one JSON object a line
    List(Which),
    /// Print the bytes that came
    Show(Which),
    /// Read them again, as if they had just come
    Replay(Which),
}

/// What to do with the event log.
#[derive(Debug, Subcommand)]
pub enum Log {
    /// Go on without records that the log deleted before they were landed; what is lost is counted
    PassGap {
        /// Slot
        #[arg(long, value_name = "N")]
        slot: u32,
        /// Offset at which the log begins now, as the refused start says
        #[arg(long, value_name = "OFFSET")]
        to: u64,
    },
}

#[cfg(test)]
#[path = "cli_tests.rs"]
mod tests;
