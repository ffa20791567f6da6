//! The JSON texts of a stream without their framing: server-sent events (WHATWG HTML, "Parsing an event stream") or one
//! text a line (NDJSON).

use crate::lines::{Lines, within_limit};
use bytes::{Bytes, BytesMut};
use orchestrator_core::{Code, Failure};
use std::ops::Range;

/// How the texts of a stream are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Server-sent events. The fields `id` and `retry` are ignored, and of `event` only `error` matters: the protocols that
    /// are read here repeat the event's name in its JSON.
    Sse,
    /// One text a line.
    Lines,
}

/// One JSON text of a stream.
#[derive(Debug, PartialEq)]
pub(crate) struct Frame {
    /// The text, out of one buffer where it stood in one line.
    pub(crate) data: Bytes,
    /// Whether the framing itself says that this is an error.
    pub(crate) error: bool,
}

/// Reads frames from bytes that are split anywhere.
#[derive(Debug)]
pub(crate) struct Frames {
    framing: Framing,
    lines: Lines,
    /// What has come of the event whose end has not.
    data: Option<Data>,
    error: bool,
    /// Whether any line was an event's.
    begun: bool,
}

#[derive(Debug)]
enum Data {
    Line(Bytes),
    Lines(BytesMut),
}

// === impl Frames ===

impl Frames {
    pub(crate) fn new(framing: Framing) -> Self {
        Frames {
            framing,
            lines: Lines::default(),
            data: None,
            error: false,
            begun: false,
        }
    }

    /// Takes bytes in; the frames before them must have been taken out.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.lines.feed(bytes)
    }

    /// The next complete frame. An event without data is none, as the standard says.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>, Failure> {
        while let Some(line) = self.lines.next() {
            let frame = match self.framing {
                Framing::Sse if line.is_empty() => self.dispatch(),
                Framing::Sse => self.field(&line)?,
                Framing::Lines => self.text(&line),
            };
            if frame.is_some() {
                return Ok(frame);
            }
        }
        Ok(None)
    }

    fn text(&self, line: &Range<usize>) -> Option<Frame> {
        let data = self.lines.slice(line, 0);
        (!data.trim_ascii().is_empty()).then_some(Frame { data, error: false })
    }

    fn dispatch(&mut self) -> Option<Frame> {
        let error = std::mem::take(&mut self.error);
        let data = Bytes::from(self.data.take()?);
        (!data.is_empty()).then_some(Frame { data, error })
    }

    fn field(&mut self, line: &Range<usize>) -> Result<Option<Frame>, Failure> {
        let bytes = self.lines.get(line);
        let colon = memchr::memchr(b':', bytes).unwrap_or(bytes.len());
        let (name, value) = bytes.split_at_checked(colon).unwrap_or_default();
        let value_at = match value {
            [b':', b' ', ..] => colon.saturating_add(2),
            _ => colon.saturating_add(1),
        };
        match name {
            b"data" => {}
            b"event" => {
                self.error = bytes.get(value_at..) == Some(b"error");
                return Ok(None);
            }
            // llama.cpp before 2025 names an error so, without an event.
            b"error" => self.error = true,
            _ if self.begun => return Ok(None),
            _ => return self.foreign(line),
        }
        self.begun = true;
        self.append(self.lines.slice(line, value_at))?;
        Ok(None)
    }

    /// A server that answers with a page or with bare JSON is told apart at once.
    fn foreign(&mut self, line: &Range<usize>) -> Result<Option<Frame>, Failure> {
        match self.lines.get(line).first() {
            Some(b'<') => Err(Failure::new(
                Code::UpstreamProtocol,
                "The worker sent a page in place of an event stream.",
            )),
            Some(b'{') => Ok(Some(Frame {
                data: self.lines.slice(line, 0),
                error: true,
            })),
            _ => Ok(None),
        }
    }

    fn append(&mut self, value: Bytes) -> Result<(), Failure> {
        let data = match self.data.take() {
            None => Data::Line(value),
            Some(data) => {
                let mut lines = match data {
                    Data::Line(line) => BytesMut::from(&*line),
                    Data::Lines(lines) => lines,
                };
                lines.extend_from_slice(b"\n");
                lines.extend_from_slice(&value);
                Data::Lines(lines)
            }
        };
        let length = match &data {
            Data::Line(line) => line.len(),
            Data::Lines(lines) => lines.len(),
        };
        self.data = Some(data);
        within_limit(length)
    }
}

// === impl Data ===

impl From<Data> for Bytes {
    fn from(data: Data) -> Self {
        match data {
            Data::Line(line) => line,
            Data::Lines(lines) => lines.freeze(),
        }
    }
}

#[cfg(test)]
mod tests;
