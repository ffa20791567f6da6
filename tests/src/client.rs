//! A plain HTTP client: one request a connection, everything as text.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// The status.
    pub status: u16,
    /// The head, with lower-case names.
    pub head: String,
    /// The body, its chunks joined.
    pub body: String,
}

/// Gets a path.
pub fn get(address: SocketAddr, path: &str) -> Http {
    send(
        address,
        &format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n"),
    )
}

/// Posts JSON to a path; `headers` are lines that end with a line break.
pub fn post(address: SocketAddr, path: &str, headers: &str, body: &str) -> Http {
    let length = body.len();
    send(
        address,
        &format!(
            "POST {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n{headers}\r\n{body}"
        ),
    )
}

fn send(address: SocketAddr, request: &str) -> Http {
    let mut socket = TcpStream::connect(address).expect("a connection");
    socket.write_all(request.as_bytes()).expect("a request");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("an answer in UTF-8");
    Http::read(&answer)
}

// === impl Http ===

impl Http {
    fn read(answer: &str) -> Self {
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .expect("a status");
        let head = head.to_ascii_lowercase();
        let body = if head.contains("transfer-encoding: chunked") {
            joined(body)
        } else {
            body.to_owned()
        };
        Http { status, head, body }
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// The data of the events in the body.
    pub fn events(&self) -> Vec<&str> {
        self.body
            .split("\n\n")
            .filter_map(|event| event.strip_prefix("data: "))
            .collect()
    }
}

fn joined(mut chunks: &str) -> String {
    let mut body = String::new();
    while let Some((size, rest)) = chunks.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).expect("a chunk's size");
        body.push_str(&rest[..size]);
        chunks = rest[size..].strip_prefix("\r\n").expect("a chunk's end");
    }
    body
}
