//! Server-sent events, read from bytes that are split anywhere (WHATWG HTML, "Parsing an event stream").
//!
//! Each byte is looked at once. The data of an event with one `data:` line is a slice of the buffer that it came in.

use bytes::{Buf, Bytes, BytesMut};
use memchr::memchr2;
use orchestrator_core::{Code, Failure};

/// The longest line and the longest event in bytes.
const MAX_EVENT: usize = 8 << 20;

/// Reads events from bytes.
#[derive(Debug, Default)]
pub(crate) struct Events {
    buffer: BytesMut,
    /// How much of the buffer was searched for a line end.
    searched: usize,
    begun: bool,
    /// The last line ended with a carriage return, so a line feed that follows belongs to it.
    after_cr: bool,
    data: Option<Data>,
}

#[derive(Debug)]
enum Data {
    Line(Bytes),
    Lines(BytesMut),
}

// === impl Events ===

impl Events {
    /// Takes bytes in; [`next`](Self::next) then yields the events that are complete.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The data of the next complete event. Events without data are skipped, as the standard says, and so are comments and
    /// the fields `event`, `id` and `retry`, which the protocols read here do not need.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        if !self.skip_byte_order_mark() {
            return Ok(None);
        }
        while let Some(line) = self.line() {
            match line.is_empty() {
                true => {
                    if let Some(data) = self.data.take() {
                        return Ok(Some(data.into()));
                    }
                }
                false => self.field(line),
            }
            self.check_limit(0)?;
        }
        self.check_limit(self.buffer.len())?;
        Ok(None)
    }

    /// `false` while too few bytes are there to tell.
    fn skip_byte_order_mark(&mut self) -> bool {
        const MARK: &[u8] = b"\xEF\xBB\xBF";
        if self.begun {
            return true;
        }
        if self.buffer.len() < MARK.len() && MARK.starts_with(&self.buffer) {
            return false;
        }
        self.begun = true;
        if self.buffer.starts_with(MARK) {
            self.buffer.advance(MARK.len());
        }
        true
    }

    /// The next complete line without its end.
    fn line(&mut self) -> Option<Bytes> {
        if self.after_cr && !self.buffer.is_empty() {
            self.after_cr = false;
            if self.buffer.first() == Some(&b'\n') {
                self.buffer.advance(1);
            }
        }
        let found = memchr2(b'\n', b'\r', self.buffer.get(self.searched..).unwrap_or_default());
        let Some(end) = found.and_then(|found| found.checked_add(self.searched)) else {
            self.searched = self.buffer.len();
            return None;
        };
        self.after_cr = self.buffer.get(end) == Some(&b'\r');
        let line = self.buffer.split_to(end).freeze();
        self.buffer.advance(1);
        self.searched = 0;
        Some(line)
    }

    fn field(&mut self, line: Bytes) {
        let value = match line.strip_prefix(b"data") {
            Some([]) => Bytes::new(),
            Some([b':', b' ', ..]) => line.slice(6..),
            Some([b':', ..]) => line.slice(5..),
            _ => return,
        };
        self.data = Some(match self.data.take() {
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
        });
    }

    fn check_limit(&self, unfinished: usize) -> Result<(), Failure> {
        let data = match &self.data {
            None => 0,
            Some(Data::Line(line)) => line.len(),
            Some(Data::Lines(lines)) => lines.len(),
        };
        match data.saturating_add(unfinished) > MAX_EVENT {
            true => Err(Failure::new(
                Code::UpstreamProtocol,
                format!("The worker sent an event of more than {MAX_EVENT} bytes."),
            )),
            false => Ok(()),
        }
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
