//! A node with workspaces, accounts, pages and keys, in a directory of its own.
use super::{
    api::Api,
    cli::{self, Outcome},
    facebook::{self, Page},
    line::{self, Account},
    node::{Endpoints, Node},
};
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};
use tempfile::TempDir;

/// Makes secrets, destinations and page ids distinct.
static NEXT: AtomicU64 = AtomicU64::new(1);

fn next() -> u64 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A customer of the product, with a key that may read and write.
#[derive(Clone, Debug)]
pub struct Workspace {
    pub id: String,
    pub key: String,
    pub key_id: String,
}

/// See the module's documentation.
pub struct World {
    root: TempDir,
    pub node: Node,
}

impl World {
    /// Starts a node with settings on top of those of all tests.
    pub fn start(settings: &[(&str, &str)]) -> Self {
        let mut world = Self::at(tempfile::tempdir().unwrap(), "data", settings);
        world.node.start();
        world
    }

    /// A node that is not started, on `name` in a directory.
    pub fn at(root: TempDir, name: &str, settings: &[(&str, &str)]) -> Self {
        let dir = root.path().join(name);
        let mut world = Self { node: Node::new(&dir, &root.path().join("node.log"), &[]), root };
        let app_secret = world.secret_file(facebook::APP_SECRET);
        let verify_token = world.secret_file(facebook::VERIFY_TOKEN);
        let free = "127.0.0.1:0";
        for (name, value) in [
            ("listen.ingest", free),
            ("listen.api", free),
            ("listen.operations", free),
            ("platforms.facebook.app_id", facebook::APP_ID),
            ("platforms.facebook.app_secret_file", app_secret.to_str().unwrap()),
            ("platforms.facebook.verify_token_file", verify_token.to_str().unwrap()),
        ] {
            world.node.set(name, value);
        }
        for (name, value) in settings {
            world.node.set(name, value);
        }
        world
    }

    /// The directory around the data directory.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// The data directory.
    pub fn dir(&self) -> PathBuf {
        self.node.dir().to_owned()
    }

    pub fn endpoints(&self) -> &Endpoints {
        self.node.endpoints()
    }

    /// A file with a secret and the newline that editors leave.
    pub fn secret_file(&self, secret: &str) -> PathBuf {
        let file = self.root.path().join(format!("secret-{}", next()));
        std::fs::write(&file, format!("{secret}\n")).unwrap();
        file
    }

    /// Runs a command.
    pub fn run(&self, arguments: &[&str]) -> Outcome {
        cli::run(self.node.dir(), self.node.settings(), arguments)
    }

    /// Runs a command with `--json` that has to succeed.
    pub fn ask(&self, arguments: &[&str]) -> Value {
        let outcome = self.run(&[arguments, &["--json"]].concat());
        assert_eq!(outcome.code, Some(0), "{arguments:?}: {outcome:?}");
        outcome.json()
    }

    /// Adds a workspace and a key.
    pub fn workspace(&self, name: &str) -> Workspace {
        let made = self.ask(&["workspace", "add", name, "--time-zone", "Asia/Bangkok"]);
        let id = text(&made, "workspace");
        let key = self.ask(&["key", "add", "--workspace", &id, "--scope", "read", "--scope", "write"]);
        Workspace { id, key: text(&key, "key"), key_id: text(&key, "id") }
    }

    /// Connects an Official Account.
    pub fn line(&self, workspace: &Workspace, name: &str) -> Account {
        let n = next();
        self.line_with(workspace, name, &format!("line-secret-{n:08x}"), &line::user(0xb07_0000 + n))
    }

    /// Connects an Official Account with this secret and destination.
    pub fn line_with(&self, workspace: &Workspace, name: &str, secret: &str, destination: &str) -> Account {
        let file = self.secret_file(secret);
        let file = file.to_str().unwrap();
        let arguments = ["connection", "add", "--workspace", &workspace.id, "--platform", "line", "--name", name];
        let made = self.ask(&[&arguments[..], &["--destination", destination, "--secret-file", file]].concat());
        let (connection, path) = (text(&made, "connection"), text(&made, "webhook_path"));
        Account { connection, path, destination: destination.to_owned(), secret: secret.to_owned() }
    }

    /// Connects a page.
    pub fn page(&self, workspace: &Workspace, name: &str) -> Page {
        let id = (104_857_600_000_000 + next()).to_string();
        let arguments = ["connection", "add", "--workspace", &workspace.id, "--platform", "facebook", "--name", name];
        let made = self.ask(&[&arguments[..], &["--page-id", &id]].concat());
        Page { connection: text(&made, "connection"), id }
    }

    /// The API with a workspace's key.
    pub fn api(&self, workspace: &Workspace) -> Api {
        Api::new(self.endpoints(), &workspace.key)
    }

    /// The dead letters of a workspace, or of `system`.
    pub fn dead_letters(&self, workspace: &str) -> Vec<Value> {
        let outcome = self.run(&["dead-letters", "list", "--workspace", workspace, "--json"]);
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        outcome.items()
    }
}

/// A text in an object that a command printed.
pub fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}")).to_owned()
}
