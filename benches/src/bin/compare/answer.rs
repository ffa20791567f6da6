//! An answer over HTTP/1.1 as it comes off a socket that has one call at a time: where it ends, and what it says.

use memchr::memmem;
use serde::Deserialize;
use std::{borrow::Cow, io};

/// The bytes of an answer that are there.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) bytes: Vec<u8>,
}

/// A whole answer, or an event of one.
#[derive(Deserialize)]
struct Said<'a> {
    #[serde(borrow)]
    choices: Vec<Choice<'a>>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow, alias = "message")]
    delta: Delta<'a>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow, default)]
    content: Cow<'a, str>,
}

// === impl Answer ===

impl Answer {
    /// Whether the answer is there to its end, told by its length or by its last chunk.
    pub(crate) fn is_whole(&self) -> bool {
        let Some((head, body)) = self.parts() else {
            return false;
        };
        match header(head, "content-length") {
            Some(length) => length.parse().is_ok_and(|length: usize| body.len() >= length),
            None => body.ends_with(b"\r\n0\r\n\r\n") || body == b"0\r\n\r\n",
        }
    }

    /// Whether a token is there.
    pub(crate) fn has_token(&self) -> bool {
        memmem::find(&self.bytes, b"tok0 ").is_some()
    }

    /// The events in what has come since there were so many bytes.
    pub(crate) fn events_since(&self, length: usize) -> usize {
        memmem::find_iter(self.bytes.get(length..).unwrap_or_default(), b"data: {").count()
    }

    pub(crate) fn status(&self) -> Option<u16> {
        let (head, _) = self.parts()?;
        head.split(' ').nth(1)?.parse().ok()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(self.parts()?.0, name)
    }

    /// Compares a good answer with what the model said; an error tells what came instead.
    pub(crate) fn check(&self, expected: &str) -> io::Result<()> {
        let said = self.said().map_err(|what| self.wrong(&what))?;
        match said == expected {
            true => Ok(()),
            false => Err(self.wrong(&format!("the model said {expected:?}, the client heard {said:?}"))),
        }
    }

    /// The text of the answer, joined from its events if it is a stream, which must have its end.
    fn said(&self) -> Result<String, String> {
        let (head, body) = self.parts().ok_or("no answer")?;
        if self.status() != Some(200) {
            return Err("the status is not 200".into());
        }
        let body = match header(head, "content-length") {
            Some(_) => Cow::Borrowed(body),
            None => Cow::Owned(joined(body).ok_or("a chunk is not framed")?),
        };
        let body = str::from_utf8(&body).map_err(|error| error.to_string())?;
        if !header(head, "content-type").is_some_and(|kind| kind.starts_with("text/event-stream")) {
            return text(body);
        }
        let mut events = body.lines().filter_map(|line| line.strip_prefix("data: "));
        let texts: Result<String, String> = events
            .by_ref()
            .take_while(|event| *event != "[DONE]")
            .map(text)
            .collect();
        match body.trim_end().ends_with("data: [DONE]") && events.next().is_none() {
            true => texts,
            false => Err("the stream has no end, or more than one".into()),
        }
    }

    /// The head with its blank line, and what there is of the body.
    fn parts(&self) -> Option<(&str, &[u8])> {
        let end = memmem::find(&self.bytes, b"\r\n\r\n")?;
        let (head, body) = self.bytes.split_at_checked(end + 4)?;
        Some((str::from_utf8(head).ok()?, body))
    }

    fn wrong(&self, what: &str) -> io::Error {
        io::Error::other(format!("{what}: {}", String::from_utf8_lossy(&self.bytes)))
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = head.lines().filter_map(|line| line.split_once(": "));
    let (_, value) = fields.find(|(found, _)| found.eq_ignore_ascii_case(name))?;
    Some(value)
}

fn text(json: &str) -> Result<String, String> {
    let said: Said<'_> = serde_json::from_str(json).map_err(|error| error.to_string())?;
    Ok(said.choices.iter().map(|choice| &*choice.delta.content).collect())
}

/// A body without its chunks' frames.
fn joined(mut chunks: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::with_capacity(chunks.len());
    loop {
        let end = memmem::find(chunks, b"\r\n")?;
        let size = usize::from_str_radix(str::from_utf8(chunks.get(..end)?).ok()?, 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        let (chunk, rest) = chunks.get(end + 2..)?.split_at_checked(size)?;
        body.extend_from_slice(chunk);
        chunks = rest.strip_prefix(b"\r\n")?;
    }
}

#[cfg(test)]
mod tests;
