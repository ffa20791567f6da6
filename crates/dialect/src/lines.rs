//! Lines out of bytes that are split anywhere. Each byte is looked at once, and all lines that are complete stand in one
//! shared buffer, out of which they can be sliced.

use bytes::{Bytes, BytesMut};
use memchr::{memchr2, memrchr2};
use orchestrator_core::{Code, Failure};
use std::ops::Range;

/// The longest line and the longest event, in bytes.
pub(crate) const MAX_EVENT: usize = 8 << 20;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Splits bytes at LF, CR and CRLF. A byte order mark at the start is skipped.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// The beginning of a line whose end has not come.
    partial: BytesMut,
    /// The complete lines, of which those before `at` were handed out.
    block: Bytes,
    at: usize,
    begun: bool,
    /// The last line ended with CR, so that an LF that follows belongs to it.
    after_cr: bool,
}

// === impl Lines ===

impl Lines {
    /// Takes bytes in; the lines before them must have been taken out. A line that grows too long is a failure.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let complete = memrchr2(b'\n', b'\r', bytes).map_or(0, |end| end.saturating_add(1));
        let (lines, partial) = bytes.split_at_checked(complete).unwrap_or_default();
        self.partial.extend_from_slice(lines);
        (self.block, self.at) = match lines {
            [] => (Bytes::new(), 0),
            _ => (self.partial.split().freeze(), 0),
        };
        self.partial.extend_from_slice(partial);
        within_limit(self.partial.len())
    }

    /// Where the next complete line stands, without its end; see [`get`](Self::get) and [`slice`](Self::slice).
    pub(crate) fn next(&mut self) -> Option<Range<usize>> {
        let mut start = self.at;
        let rest = self.block.get(start..).filter(|rest| !rest.is_empty())?;
        if !self.begun {
            self.begun = true;
            start = start.saturating_add(if rest.starts_with(BYTE_ORDER_MARK) { 3 } else { 0 });
        } else if self.after_cr && rest.starts_with(b"\n") {
            start = start.saturating_add(1);
        }
        self.after_cr = false;
        let rest = self.block.get(start..)?;
        let Some(length) = memchr2(b'\n', b'\r', rest) else {
            // A block ends with a line end, so that nothing stands here but the rest of a CRLF.
            self.at = self.block.len();
            return None;
        };
        let end = start.saturating_add(length);
        self.after_cr = rest.get(length) == Some(&b'\r');
        self.at = end.saturating_add(1);
        Some(start..end)
    }

    /// A line's bytes.
    pub(crate) fn get(&self, line: &Range<usize>) -> &[u8] {
        self.block.get(line.clone()).unwrap_or_default()
    }

    /// A part of a line as a shared slice.
    pub(crate) fn slice(&self, line: &Range<usize>, from: usize) -> Bytes {
        let start = line.start.saturating_add(from).min(line.end);
        match self.block.get(start..line.end) {
            Some(part) => self.block.slice_ref(part),
            None => Bytes::new(),
        }
    }
}

/// A failure for more bytes than an event may have.
pub(crate) fn within_limit(bytes: usize) -> Result<(), Failure> {
    match bytes > MAX_EVENT {
        true => Err(Failure::new(
            Code::UpstreamProtocol,
            format!("The worker sent an event of more than {MAX_EVENT} bytes."),
        )),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests;
