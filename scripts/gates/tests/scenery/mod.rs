//! Small workspaces in folders that clean up after themselves, and programs run in them.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test file uses a part of it, and a fault in here shall end the test"
)]

pub(crate) mod stand_ins;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

/// A workspace with one empty crate, `a`.
#[derive(Debug)]
pub(crate) struct Tree(TempDir);

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
}

impl Tree {
    pub(crate) fn new() -> Self {
        let tree = Tree(tempfile::tempdir().unwrap());
        tree.write("Cargo.toml", "[workspace]\nmembers = [\"crates/*\"]\n");
        tree.write("crates/a/Cargo.toml", "");
        tree.write("crates/a/src/lib.rs", "");
        tree
    }

    pub(crate) fn path(&self) -> PathBuf {
        fs::canonicalize(self.0.path()).unwrap()
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path().join(path)).unwrap()
    }

    /// Runs the program with the gates inside the tree.
    pub(crate) fn gates(&self, arguments: &[&str]) -> Ran {
        self.run(Command::new(env!("CARGO_BIN_EXE_gates")).args(arguments))
    }

    /// Runs a command inside the tree.
    pub(crate) fn run(&self, command: &mut Command) -> Ran {
        let ran = command.current_dir(self.path()).output().unwrap();
        let text = [ran.stdout, ran.stderr].concat();
        let text = String::from_utf8(text)
            .unwrap()
            .replace(self.path().to_str().unwrap(), "TREE");
        Ran {
            code: ran.status.code().unwrap(),
            out: text,
        }
    }
}

impl Ran {
    /// The exit code and what the program said.
    pub(crate) fn told(&self) -> String {
        format!("exit {}\n{}", self.code, self.out)
    }
}

/// The root of our own workspace.
pub(crate) fn ours() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
