//! The program as its users have it: a process, its output, its exit code.
#![allow(dead_code, reason = "each test uses some of it")]

use serde_json::Value;
use std::{
    ffi::OsStr,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, Stdio},
    time::Duration,
};

/// The longest that a test waits for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// How a process ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A document in a folder of its own.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) file: PathBuf,
    folder: tempfile::TempDir,
}

/// The program at work. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    log: BufReader<ChildStderr>,
    /// Its log lines until it was ready.
    pub(crate) started: Vec<String>,
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
}

/// The program with these arguments, in an environment without settings or keys.
pub(crate) fn command<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orchestrator"));
    command.args(arguments).env_clear().stdin(Stdio::null());
    command
}

/// Runs the program to its end.
pub(crate) fn ended<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Ended {
    Ended::of(&mut command(arguments))
}

// === impl Ended ===

impl Ended {
    pub(crate) fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        Ended {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// What was printed, as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }
}

// === impl Document ===

impl Document {
    pub(crate) fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pipeline.toml");
        std::fs::write(&file, text).unwrap();
        Document { file, folder }
    }

    /// Runs a command of the program on it, such as `["validate", "--format", "json"]`.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Ended {
        Ended::of(&mut self.command(arguments))
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(arguments);
        command.arg(&self.file);
        command
    }

    /// The text with the document's name in the place of its path.
    pub(crate) fn plain(&self, text: &str) -> String {
        text.replace(&self.file.display().to_string(), "pipeline.toml")
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

// === impl Program ===

impl Program {
    /// Starts the program with a document on free ports.
    pub(crate) fn start(text: &str) -> Self {
        let document = Document::new(text);
        let mut command = document.command(&["run", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
        Program::spawn(&mut command)
    }

    /// Starts a process and waits until it says where it listens.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut program = Program {
            child,
            log,
            started: Vec::new(),
            address: nowhere,
            admin: nowhere,
        };
        loop {
            let mut line = String::new();
            let read = program.log.read_line(&mut line).unwrap();
            assert!(read > 0, "it ended before it was ready:\n{:?}", program.started);
            let ready = serde_json::from_str::<Value>(&line).unwrap_or_default();
            program.started.push(line);
            if ready["message"] == "ready" {
                let address = |field: &str| ready[field].as_str().unwrap().parse().unwrap();
                (program.address, program.admin) = (address("listen"), address("admin"));
                return program;
            }
        }
    }

    /// Sends a signal, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let mut kill = Command::new("kill");
        let sent = kill.arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(sent.unwrap().success());
    }

    /// Waits until a line of the log holds this.
    pub(crate) fn says(&mut self, words: &str) -> String {
        let mut line = String::new();
        while self.log.read_line(&mut line).unwrap() > 0 {
            if line.contains(words) {
                return line;
            }
            line.clear();
        }
        panic!("it ended without `{words}`");
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> Ended {
        let (mut stdout, mut stderr) = (String::new(), String::new());
        self.log.read_to_string(&mut stderr).unwrap();
        self.child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        let code = self.child.wait().unwrap().code();
        Ended { code, stdout, stderr }
    }

    /// Asks for a stream and hands over the connection once the first bytes of the answer came.
    pub(crate) fn streaming(&self, prompt: &str) -> TcpStream {
        self.begun(prompt, true)
    }

    /// Asks for a whole answer and hands over the connection once the first bytes of it came.
    pub(crate) fn asking(&self, prompt: &str) -> TcpStream {
        self.begun(prompt, false)
    }

    fn begun(&self, prompt: &str, stream: bool) -> TcpStream {
        let body = format!(r#"{{"model":"m","stream":{stream},"messages":[{{"role":"user","content":"{prompt}"}}]}}"#);
        let mut socket = send(self.address, &post(&body));
        let mut first = [0; 12];
        socket.read_exact(&mut first).unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
        socket
    }

    /// The status line, headers and body of an answer.
    pub(crate) fn complete(&self, prompt: &str) -> String {
        self.chat(&format!(
            r#"{{"model":"m","messages":[{{"role":"user","content":"{prompt}"}}]}}"#
        ))
    }

    /// The same for a body as it is.
    pub(crate) fn chat(&self, body: &str) -> String {
        answer(self.address, &post(body))
    }

    /// What clients get from a path.
    pub(crate) fn get(&self, path: &str) -> String {
        answer(self.address, &get(path, ""))
    }

    /// What operators get from a path.
    pub(crate) fn operate(&self, path: &str) -> String {
        self.operate_with(path, "")
    }

    /// The same with more header lines.
    pub(crate) fn operate_with(&self, path: &str, headers: &str) -> String {
        answer(self.admin, &get(path, headers))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has ended already when a test waited for it.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn get(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n{headers}\r\n")
}

fn post(body: &str) -> String {
    let length = body.len();
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: h\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
}

fn send(address: SocketAddr, request: &str) -> TcpStream {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.write_all(request.as_bytes()).unwrap();
    socket
}

fn answer(address: SocketAddr, request: &str) -> String {
    let mut text = String::new();
    send(address, request).read_to_string(&mut text).unwrap();
    text
}
