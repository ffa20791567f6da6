//! Requests off a socket, and the heads of answers.

use super::{Framing, Script};
use bytes::{Buf, Bytes, BytesMut};
use std::{fmt::Write as _, io};
use tokio::{io::AsyncReadExt, net::TcpStream};

const MAX_HEAD_BYTES: usize = 256 * 1024;
const MAX_BODY_BYTES: usize = 256 * 1024 * 1024;
const MAX_HEADERS: usize = 256;

/// A request as it came in.
#[derive(Clone, Debug)]
pub struct Received {
    /// The method.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// The headers as they came, one a line.
    pub head: Bytes,
    /// The body.
    pub body: Bytes,
}

/// What was found in a head.
struct Head {
    method: String,
    path: String,
    head_len: usize,
    body_len: usize,
    expects_continue: bool,
}

// === impl Received ===

impl Received {
    /// The value of the first header of this name, in any spelling.
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = std::str::from_utf8(&self.head).ok()?.split("\r\n").skip(1);
        let mut fields = lines.filter_map(|line| line.split_once(':'));
        fields
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }

    /// Whether the client wants the connection closed after the answer.
    pub(super) fn is_last(&self) -> bool {
        self.header("connection")
            .is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }

    /// The next request of a connection; `None` once the client has closed it. What follows the request stays in
    /// `buffer`.
    pub(super) async fn read(stream: &mut TcpStream, buffer: &mut BytesMut) -> io::Result<Option<Self>> {
        let head = loop {
            if let Some(head) = Head::parse(buffer)? {
                break head;
            }
            if stream.read_buf(buffer).await? == 0 {
                return if buffer.is_empty() {
                    Ok(None)
                } else {
                    Err(io::ErrorKind::UnexpectedEof.into())
                };
            }
        };
        let len = head.head_len + head.body_len;
        if head.expects_continue && buffer.len() < len {
            tokio::io::AsyncWriteExt::write_all(stream, b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        buffer.reserve(len.saturating_sub(buffer.len()));
        while buffer.len() < len {
            if stream.read_buf(buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let mut whole = buffer.split_to(len).freeze();
        let lines = whole.split_to(head.head_len);
        Ok(Some(Received {
            method: head.method,
            path: head.path,
            head: lines,
            body: whole,
        }))
    }
}

// === impl Head ===

impl Head {
    fn parse(buffer: &mut BytesMut) -> io::Result<Option<Self>> {
        while buffer.starts_with(b"\r\n") {
            buffer.advance(2);
        }
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        let head_len = match request.parse(buffer).map_err(|error| invalid(error.to_string()))? {
            httparse::Status::Complete(len) => len,
            httparse::Status::Partial if buffer.len() > MAX_HEAD_BYTES => return Err(invalid("a head without end")),
            httparse::Status::Partial => return Ok(None),
        };
        let field = |name: &str| {
            let found = request
                .headers
                .iter()
                .find(|header| header.name.eq_ignore_ascii_case(name));
            found.map(|header| String::from_utf8_lossy(header.value).trim().to_ascii_lowercase())
        };
        if field("transfer-encoding").is_some() {
            return Err(invalid("a request by chunks is not read here"));
        }
        let body_len = field("content-length").map_or(Ok(0), |len| len.parse::<usize>());
        let body_len = body_len
            .ok()
            .filter(|len| *len <= MAX_BODY_BYTES)
            .ok_or_else(|| invalid("content-length"))?;
        Ok(Some(Head {
            method: request.method.unwrap_or_default().to_owned(),
            path: request.path.unwrap_or_default().to_owned(),
            head_len,
            body_len,
            expects_continue: field("expect").is_some_and(|value| value == "100-continue"),
        }))
    }
}

/// The head of an answer that follows `script`.
pub(super) fn head(script: &Script, content_type: &str, framing: Framing, len: usize) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {} {}\r\n", script.status, reason(script.status));
    let mut field = |name: &str, value: &str| {
        let is_scripted = script.headers.keys().any(|key| key.eq_ignore_ascii_case(name));
        if !is_scripted {
            write!(head, "{name}: {value}\r\n").expect("text grows");
        }
    };
    field("content-type", content_type);
    match framing {
        Framing::Chunked => field("transfer-encoding", "chunked"),
        Framing::Length => field("content-length", &len.to_string()),
        Framing::Close => field("connection", "close"),
    }
    for (name, value) in &script.headers {
        write!(head, "{name}: {value}\r\n").expect("text grows");
    }
    head.push_str("\r\n");
    head.into_bytes()
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400..500 => "Client Error",
        500..600 => "Server Error",
        _ => "Status",
    }
}

fn invalid(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}
