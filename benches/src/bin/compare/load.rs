//! Clients that keep their connections and ask one request after the other, each with a prompt of its own.

use memchr::memmem;
use std::{
    io,
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

/// What clients ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A whole answer.
    Json,
    /// A stream of 32 tokens that come at once.
    Burst,
    /// A stream of 32 tokens, 5 ms apart.
    Paced,
}

/// No two requests of a run are equal, so none is answered from another's answer.
static ASKED: AtomicU64 = AtomicU64::new(0);

/// The clients, which ask until nothing is left.
struct Client {
    socket: TcpStream,
    buffer: Vec<u8>,
    shape: Shape,
}

// === impl Shape ===

impl Shape {
    pub(crate) const ALL: [Shape; 3] = [Shape::Json, Shape::Burst, Shape::Paced];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Shape::Json => "one JSON request",
            Shape::Burst => "32 tokens in a burst",
            Shape::Paced => "32 tokens 5 ms apart",
        }
    }

    /// What the model does.
    pub(crate) fn script(self) -> &'static str {
        match self {
            Shape::Json | Shape::Burst => r#"{"tokens":32}"#,
            Shape::Paced => r#"{"tokens":32,"gap_ms":5}"#,
        }
    }

    /// The requests of a round.
    pub(crate) fn requests(self) -> usize {
        match self {
            Shape::Json => 8000,
            Shape::Burst => 4000,
            Shape::Paced => 1280,
        }
    }

    pub(crate) fn connections(self) -> usize {
        match self {
            Shape::Json | Shape::Burst => 16,
            Shape::Paced => 64,
        }
    }

    fn request(self) -> String {
        let number = ASKED.fetch_add(1, Relaxed);
        let stream = self != Shape::Json;
        let body = format!(
            r#"{{"model":"m","stream":{stream},"temperature":0.2,"messages":[{{"role":"system","content":"You answer in one sentence."}},{{"role":"user","content":"What is to be said of the number {number:012}, and why do people who have thought about it for longer than a day say so?"}}]}}"#
        );
        format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: server\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
    }
}

/// Asks `requests` requests over the shape's connections.
pub(crate) async fn drive(server: SocketAddr, shape: Shape, requests: usize) -> io::Result<()> {
    let mut clients = JoinSet::new();
    let connections = shape.connections();
    for nth in 0..connections {
        let share = requests / connections + usize::from(nth < requests % connections);
        clients.spawn(async move {
            let mut client = Client::connect(server, shape).await?;
            for _ in 0..share {
                client.ask().await?;
            }
            io::Result::Ok(())
        });
    }
    while let Some(done) = clients.join_next().await {
        done??;
    }
    Ok(())
}

// === impl Client ===

impl Client {
    async fn connect(server: SocketAddr, shape: Shape) -> io::Result<Self> {
        let socket = TcpStream::connect(server).await?;
        socket.set_nodelay(true)?;
        Ok(Client {
            socket,
            buffer: Vec::with_capacity(16 << 10),
            shape,
        })
    }

    /// Asks one request and reads its answer to the end.
    async fn ask(&mut self) -> io::Result<()> {
        self.socket.write_all(self.shape.request().as_bytes()).await?;
        self.buffer.clear();
        while !self.is_whole() {
            if self.socket.read_buf(&mut self.buffer).await? == 0 {
                return Err(self.wrong("the answer is cut"));
            }
        }
        match (
            self.has(b"HTTP/1.1 200"),
            self.has(b"tok31"),
            self.shape,
            self.has(b"[DONE]"),
        ) {
            (true, true, Shape::Json, _) | (true, true, _, true) => Ok(()),
            _ => Err(self.wrong("the answer is not what the model says")),
        }
    }

    /// Whether the answer is there to its end, told by its length or by its last chunk.
    fn is_whole(&self) -> bool {
        let Some(head) = memmem::find(&self.buffer, b"\r\n\r\n") else {
            return false;
        };
        match self.length(head) {
            Some(length) => self.buffer.len() >= head + 4 + length,
            None => self.buffer.ends_with(b"\r\n0\r\n\r\n"),
        }
    }

    fn length(&self, head: usize) -> Option<usize> {
        let head = str::from_utf8(self.buffer.get(..head)?).ok()?;
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        let (_, length) = lines.find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?;
        length.parse().ok()
    }

    fn has(&self, part: &[u8]) -> bool {
        memmem::find(&self.buffer, part).is_some()
    }

    fn wrong(&self, what: &str) -> io::Error {
        io::Error::other(format!("{what}: {}", String::from_utf8_lossy(&self.buffer)))
    }
}
