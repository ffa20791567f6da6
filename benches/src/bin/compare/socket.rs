//! A WebSocket client of `/v1/stream` that asks one request after the other and checks every token.

use crate::frame;
use bytes::{Bytes, BytesMut};
use memchr::memmem;
use serde::Deserialize;
use std::{borrow::Cow, io, net::SocketAddr};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const HANDSHAKE: &[u8] = b"GET /v1/stream HTTP/1.1\r\nhost: server\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
    sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// A connection.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
    unread: BytesMut,
}

/// What a frame says.
#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    text: Cow<'a, str>,
}

// === impl Socket ===

impl Socket {
    /// Connects and shakes hands.
    pub(crate) async fn connect(server: SocketAddr) -> io::Result<Self> {
        let mut socket = Socket::bare(server).await?;
        socket.stream.write_all(HANDSHAKE).await?;
        let end = loop {
            match memmem::find(&socket.unread, b"\r\n\r\n") {
                Some(end) => break end + 4,
                None => socket.read().await?,
            }
        };
        let head = socket.unread.split_to(end);
        match head.starts_with(b"HTTP/1.1 101 ") {
            true => Ok(socket),
            false => Err(wrong("no handshake", &head)),
        }
    }

    /// Connects to somebody who sends frames without being asked.
    pub(crate) async fn bare(server: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        Ok(Socket {
            stream,
            unread: BytesMut::with_capacity(4 << 10),
        })
    }

    /// Asks a request, the body of a chat completion, and waits until it has been accepted.
    pub(crate) async fn submit(&mut self, body: &str) -> io::Result<()> {
        let command = format!(r#"{{"type":"submit","id":"c","request":{body}}}"#);
        self.stream
            .write_all(&frame::masked(frame::TEXT, command.as_bytes()))
            .await?;
        let text = self.hear().await?;
        match Event::of(&text)?.kind == "accepted" {
            true => Ok(()),
            false => Err(wrong("not accepted", &text)),
        }
    }

    /// Hears the answer to its end and compares it with what the model said. The frames that its tokens came in.
    pub(crate) async fn listen(&mut self, expected: &str) -> io::Result<usize> {
        let (mut said, mut frames) = (String::with_capacity(expected.len()), 0);
        loop {
            let text = self.hear().await?;
            let event = Event::of(&text)?;
            match &*event.kind {
                "token" => said.push_str(&event.text),
                "done" if said == expected => return Ok(frames),
                _ => {
                    return Err(wrong(
                        &format!("the model said {expected:?}, a listener heard {said:?} and"),
                        &text,
                    ));
                }
            }
            frames += 1;
        }
    }

    /// The next text. Pings are answered.
    async fn hear(&mut self) -> io::Result<Bytes> {
        loop {
            let Some(frame) = frame::take(&mut self.unread) else {
                self.read().await?;
                continue;
            };
            match frame.opcode {
                frame::TEXT => return Ok(frame.payload),
                frame::PING => {
                    self.stream
                        .write_all(&frame::masked(frame::PONG, &frame.payload))
                        .await?
                }
                frame::CLOSE => return Err(wrong("the server closes", &frame.payload)),
                _ => {}
            }
        }
    }

    async fn read(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.unread).await? {
            0 => Err(wrong("the socket is cut", &self.unread)),
            _ => Ok(()),
        }
    }
}

// === impl Event ===

impl<'a> Event<'a> {
    fn of(text: &'a [u8]) -> io::Result<Self> {
        serde_json::from_slice(text).map_err(|error| wrong(&error.to_string(), text))
    }
}

fn wrong(what: &str, bytes: &[u8]) -> io::Error {
    io::Error::other(format!("{what}: {}", String::from_utf8_lossy(bytes)))
}
