//! The model server in a process of its own.
#![allow(clippy::unwrap_used, reason = "a fault in here shall end the test")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
};

/// Ends with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn it_prints_its_address_and_follows_the_script_of_its_command_line() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_model-server"));
    command
        .args(["--script", r#"{"tokens":1,"piece":"hello"}"#])
        .stdout(Stdio::piped());
    let mut server = Server(command.spawn().unwrap());
    let mut url = String::new();
    BufReader::new(server.0.stdout.take().unwrap())
        .read_line(&mut url)
        .unwrap();
    let mut stream = TcpStream::connect(url.trim().strip_prefix("http://").unwrap()).unwrap();
    let body = r#"{"model":"m","messages":[]}"#;
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + body).as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains(r#""content":"hello""#), "{answer}");
}

#[test]
fn a_script_that_is_none_is_refused_with_the_reason() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_model-server"));
    let told = command.args(["--script", r#"{"tokns":1}"#]).output().unwrap();
    assert_eq!(told.status.code(), Some(2));
    let reason = String::from_utf8(told.stderr).unwrap();
    assert!(reason.contains("unknown field `tokns`"), "{reason}");
}
