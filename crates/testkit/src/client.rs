//! A plain HTTP client: one request a connection, everything as text.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

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
    send(address, &request("POST", path, headers, body))
}

/// Patches a path with JSON; `headers` are lines that end with a line break.
pub fn patch(address: SocketAddr, path: &str, headers: &str, body: &str) -> Http {
    send(address, &request("PATCH", path, headers, body))
}

/// A call whose answer is read piece by piece, for tests with many of them. Dropping it closes the connection.
#[derive(Debug)]
pub struct Call {
    socket: tokio::net::TcpStream,
    heard: Vec<u8>,
}

fn request(method: &str, path: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n{headers}\r\n{body}"
    )
}

fn send(address: SocketAddr, request: &str) -> Http {
    let mut socket = TcpStream::connect(address).expect("a connection");
    socket.write_all(request.as_bytes()).expect("a request");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("an answer in UTF-8");
    Http::read(&answer)
}

// === impl Call ===

impl Call {
    /// Posts JSON to a path.
    pub async fn post(address: SocketAddr, path: &str, body: &str) -> Self {
        Call::send(address, request("POST", path, "", body)).await
    }

    /// Sends these bytes, whatever they are.
    pub async fn send(address: SocketAddr, bytes: impl AsRef<[u8]>) -> Self {
        let socket = tokio::net::TcpStream::connect(address).await.expect("a connection");
        let mut call = Call {
            socket,
            heard: Vec::new(),
        };
        call.more(bytes).await;
        call
    }

    /// Sends more bytes. A server that has closed already takes none; its answer says why.
    pub async fn more(&mut self, bytes: impl AsRef<[u8]>) {
        drop(self.socket.write_all(bytes.as_ref()).await);
    }

    /// Says that no more will be sent; answers can still be read.
    pub async fn finish_sending(&mut self) {
        self.socket.shutdown().await.expect("a socket that was open");
    }

    /// What has been read so far.
    pub fn heard(&self) -> String {
        String::from_utf8_lossy(&self.heard).into_owned()
    }

    /// Reads until the answer holds this text.
    pub async fn hear(&mut self, text: &str) {
        while !self.heard().contains(text) {
            let more = self.socket.read_buf(&mut self.heard).await.expect("more of the answer");
            assert!(more > 0, "the answer ended before {text:?}: {self:?}");
        }
    }

    /// Reads all answers to the end of the connection, as they came.
    pub async fn rest(mut self) -> String {
        // A reset after the answer, for what was never read, is an end too.
        drop(self.socket.read_to_end(&mut self.heard).await);
        String::from_utf8(self.heard).expect("an answer in UTF-8")
    }

    /// Reads the answer to its end.
    pub async fn answer(self) -> Http {
        Http::read(&self.rest().await)
    }
}

// === impl Http ===

impl Http {
    /// Reads a whole answer as it came.
    pub fn read(answer: &str) -> Self {
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

    /// All answers with a `content-length` that stand one after another.
    pub fn each(mut answers: &str) -> Vec<Self> {
        let mut each = Vec::new();
        while let Some((head, rest)) = answers.split_once("\r\n\r\n") {
            let mut http = Http::read(&format!("{head}\r\n\r\n"));
            let length = http
                .header("content-length")
                .map(|length| length.parse().expect("a length"));
            let (body, next) = rest.split_at(length.unwrap_or(0));
            http.body = body.to_owned();
            each.push(http);
            answers = next;
        }
        each
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

    /// The text of the first choice in the events of the body.
    pub fn text(&self) -> String {
        let events = self.events().into_iter();
        let events = events.filter_map(|event| serde_json::from_str::<serde_json::Value>(event).ok());
        let delta = |event: serde_json::Value| event["choices"][0]["delta"]["content"].as_str().map(str::to_owned);
        events.filter_map(delta).collect()
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
