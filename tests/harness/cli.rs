//! The operator's commands.
use super::node::command;
use serde_json::Value;
use std::{io::Write, path::Path, process::Stdio};

/// What a command left behind.
#[derive(Debug)]
pub struct Outcome {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    /// The object on the last line of stdout.
    pub fn json(&self) -> Value {
        let line = self.stdout.lines().rfind(|line| !line.trim().is_empty());
        let value = line.and_then(|line| serde_json::from_str(line).ok());
        value.unwrap_or_else(|| panic!("the last line of stdout is no JSON: {self:?}"))
    }

    /// A list that was printed: the one list of the object on the last line, or else a line per item.
    pub fn items(&self) -> Vec<Value> {
        let last = self.stdout.lines().rfind(|line| !line.trim().is_empty());
        let Some(last) = last.and_then(|line| serde_json::from_str::<Value>(line).ok()) else { return Vec::new() };
        if let Value::Array(items) = last {
            return items;
        }
        let lists = last.as_object().map(|object| object.values().filter_map(Value::as_array).collect::<Vec<_>>());
        match lists.as_deref() {
            Some([list]) => (*list).clone(),
            _ => {
                let lines = self.stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
                lines.filter(|line| line.get("id").is_some()).collect()
            }
        }
    }
}

/// Runs a command on a data directory.
pub fn run(dir: &Path, settings: &[(String, String)], arguments: &[&str]) -> Outcome {
    run_with(dir, settings, arguments, None)
}

/// Runs a command with something on its stdin.
pub fn run_with(dir: &Path, settings: &[(String, String)], arguments: &[&str], input: Option<&[u8]>) -> Outcome {
    let mut child = command(dir, settings)
        .args(arguments)
        .arg("--data-dir")
        .arg(dir)
        .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stdin = child.stdin.take();
    std::thread::scope(|scope| {
        if let (Some(mut stdin), Some(input)) = (stdin, input) {
            // The command may end before it has read everything.
            scope.spawn(move || stdin.write_all(input).ok());
        }
        let output = child.wait_with_output().unwrap();
        Outcome {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    })
}
