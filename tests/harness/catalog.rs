//! The catalog's database from outside, by Python's sqlite3: to hold its lock, to make it look newer, and to let time
//! pass by moving instants in rows instead of the clock.
use std::{
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

const PYTHON: &str = "python3";

/// Every SQLite database under a directory that has the table.
pub fn databases_with(dir: &Path, table: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for file in files(dir) {
        let mut head = [0; 16];
        let is_database = std::fs::File::open(&file).and_then(|mut f| f.read_exact(&mut head)).is_ok();
        if is_database && &head == b"SQLite format 3\0" {
            let query = format!("SELECT count(*) FROM sqlite_master WHERE name = '{table}'");
            if sql(&file, &[&query]).trim() == "1" {
                found.push(file);
            }
        }
    }
    assert!(!found.is_empty(), "no database under {} has the table {table}", dir.display());
    found
}

/// Every file under a directory.
pub fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            found.extend(files(&entry.path()));
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
    found
}

/// Runs statements and commits; gives the first column of the last one's rows.
pub fn sql(database: &Path, statements: &[&str]) -> String {
    let script = "import sqlite3, sys\n\
                  c = sqlite3.connect(sys.argv[1], timeout=30)\n\
                  rows = [c.execute(s).fetchall() for s in sys.argv[2:]][-1]\n\
                  c.commit()\n\
                  print('\\n'.join(str(r[0]) for r in rows))";
    let output = Command::new(PYTHON).arg("-c").arg(script).arg(database).args(statements).output().unwrap();
    assert!(output.status.success(), "{statements:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Holds the write lock of a database until it is dropped.
pub struct Lock(Child);

impl Lock {
    pub fn take(database: &Path) -> Self {
        let script = "import sqlite3, sys\n\
                      c = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None)\n\
                      c.execute('BEGIN IMMEDIATE')\n\
                      print('held', flush=True)\n\
                      sys.stdin.read()\n\
                      c.execute('ROLLBACK')";
        let mut child = Command::new(PYTHON)
            .arg("-c")
            .arg(script)
            .arg(database)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said.trim(), "held", "the lock of {} was not to be had", database.display());
        Self(child)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
