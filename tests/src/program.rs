//! The real program, built once and started on free ports.

use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

/// The program at work. Dropping it kills it.
#[derive(Debug)]
pub struct Program {
    child: Child,
    log: Option<BufReader<std::process::ChildStderr>>,
    /// Where clients connect.
    pub address: SocketAddr,
    /// Where operators connect.
    pub admin_address: SocketAddr,
    _folder: tempfile::TempDir,
}

/// How the program ended.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; `None` when a signal killed it.
    pub code: Option<i32>,
    /// What it wrote to stderr since it was ready, or in all when it never was.
    pub log: String,
}

// === impl Program ===

impl Program {
    /// Where the program is, built if it is not up to date.
    pub fn path() -> &'static PathBuf {
        static PATH: OnceLock<PathBuf> = OnceLock::new();
        PATH.get_or_init(|| {
            let build = Command::new(env!("CARGO"))
                .args([
                    "build",
                    "--package",
                    "orchestrator",
                    "--message-format",
                    "json",
                    "--quiet",
                ])
                .current_dir(env!("CARGO_MANIFEST_DIR"))
                .stderr(Stdio::inherit())
                .output()
                .expect("cargo runs");
            assert!(build.status.success(), "the program builds");
            let messages = String::from_utf8(build.stdout).expect("cargo speaks UTF-8");
            let built = messages
                .lines()
                .filter_map(|line| serde_json::from_str::<Value>(line).ok());
            built
                .filter_map(|message| message["executable"].as_str().map(PathBuf::from))
                .next_back()
                .expect("a program")
        })
    }

    /// Runs the program with arguments to its end.
    pub fn output(arguments: &[&str]) -> Ended {
        let done = Command::new(Self::path())
            .args(arguments)
            .env("NO_COLOR", "1")
            .output()
            .expect("the program runs");
        let log = String::from_utf8_lossy(&done.stderr).into_owned() + &String::from_utf8_lossy(&done.stdout);
        Ended {
            code: done.status.code(),
            log,
        }
    }

    /// Starts the program with a document, to which free ports are added, and waits until it is ready.
    pub fn start(document: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("pipeline.toml");
        std::fs::write(&file, document).expect("a file");
        let mut child = Command::new(Self::path())
            .args(["run", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
            .arg(&file)
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut log = BufReader::new(child.stderr.take().expect("its log"));
        let mut all = String::new();
        let ready = loop {
            let mut line = String::new();
            assert!(
                log.read_line(&mut line).expect("a line") > 0,
                "the program ended before it was ready:\n{all}"
            );
            all.push_str(&line);
            match serde_json::from_str::<Value>(&line) {
                Ok(line) if line["message"] == "ready" => break line,
                _ => {}
            }
        };
        let address = |field: &str| ready[field].as_str().expect("an address").parse().expect("an address");
        Program {
            child,
            log: Some(log),
            address: address("listen"),
            admin_address: address("admin"),
            _folder: folder,
        }
    }

    /// Starts the program with one worker, `w`, that speaks OpenAI's API at `url`; `more` is added to the document.
    pub fn before(url: &str, more: &str) -> Self {
        Program::start(&format!(
            "[pipeline.stages.inference]\nworker = \"w\"\n[workers.w]\nprovider = \"openai\"\nbase_url = \"{url}\"\n{more}"
        ))
    }

    /// Sends a signal, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &self.child.id().to_string()])
            .status();
        assert!(sent.expect("kill runs").success());
    }

    /// Waits for the program to end.
    pub fn wait(mut self) -> Ended {
        let mut log = String::new();
        if let Some(mut reader) = self.log.take() {
            reader.read_to_string(&mut log).expect("the log");
        }
        Ended {
            code: self.child.wait().expect("the program ends").code(),
            log,
        }
    }

    /// The value of a metric, by its name with labels as `/metrics` shows it.
    pub fn metric(&self, name: &str) -> f64 {
        let text = crate::get(self.admin_address, "/metrics").body;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.parse().ok()).unwrap_or(0.0)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has ended already when a test waited for it.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
