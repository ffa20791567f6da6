//! Where a body ends (RFC 9112, 6 and 7): a pure machine over the bytes that have arrived.
//!
//! Invariants: the same bytes give the same body wherever they are split; a body is over only when its framing says so.

use super::WireError;
use bytes::{Buf, Bytes, BytesMut};

/// Bytes of chunk extensions and trailers that a body may spend; both are read and dropped.
const SPARE_LIMIT: usize = 16 * 1024;
/// Bytes of a chunk-size line that are free: the digits of a `u64`.
const SIZE_DIGITS: usize = 16;

/// How a body is framed, and how far it has been read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Framing {
    /// So many bytes are still to come.
    Length(u64),
    /// Chunks, each with its size before it.
    Chunked(Chunked),
    /// The connection's end ends the body.
    UntilClose,
}

/// How far a chunked body has been read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chunked {
    at: Mark,
    spare: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Size,
    /// So many bytes of the chunk are still to come, then a line end.
    Data(u64),
    Trailers,
    Over,
}

/// What the next bytes are.
enum Step {
    /// So many bytes of the body.
    Payload(usize),
    /// So many bytes of framing.
    Skip(usize),
    /// More bytes are needed, or none.
    Wait,
}

/// The payload gathered at the front of a buffer: `[start, start + length)`; what follows up to `at` is used up.
#[derive(Default)]
struct Gathered {
    start: usize,
    length: usize,
    at: usize,
}

// === impl Framing ===

impl Framing {
    /// A chunked body, from its start.
    pub(super) fn chunked() -> Self {
        Framing::Chunked(Chunked {
            at: Mark::Size,
            spare: SPARE_LIMIT,
        })
    }

    /// Takes all of the body that `buffer` holds, framing removed; empty when there is none yet.
    ///
    /// The bytes are a slice of the buffer: several chunks are moved together in place. Bytes after the body stay. An
    /// error shows once all bytes before it are taken.
    pub(super) fn decode(&mut self, buffer: &mut BytesMut) -> Result<Bytes, WireError> {
        let mut gathered = Gathered::default();
        loop {
            match self.step(buffer.get(gathered.at..).unwrap_or_default()) {
                Ok(Step::Payload(length)) => gathered.take(buffer, length),
                Ok(Step::Skip(length)) => gathered.skip(length),
                Ok(Step::Wait) => break,
                Err(error) if gathered.length == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(gathered.split_off(buffer))
    }

    /// Whether the whole body has been read. A body that the connection's end ends is never over before that.
    pub(super) fn is_over(&self) -> bool {
        match self {
            Framing::Length(left) => *left == 0,
            Framing::Chunked(chunked) => chunked.at == Mark::Over,
            Framing::UntilClose => false,
        }
    }

    /// Whether the connection may end here.
    pub(super) fn may_end(&self) -> bool {
        self.is_over() || matches!(self, Framing::UntilClose)
    }

    /// The bytes that are still to come, when the server said how many.
    pub(super) fn announced(&self) -> Option<u64> {
        match self {
            Framing::Length(left) => Some(*left),
            Framing::Chunked(_) | Framing::UntilClose => None,
        }
    }

    fn step(&mut self, input: &[u8]) -> Result<Step, WireError> {
        match self {
            Framing::Length(left) => Ok(payload(left, input)),
            Framing::Chunked(chunked) => chunked.step(input),
            Framing::UntilClose => Ok(payload(&mut { u64::MAX }, input)),
        }
    }
}

// === impl Chunked ===

impl Chunked {
    fn step(&mut self, input: &[u8]) -> Result<Step, WireError> {
        match &mut self.at {
            Mark::Size => self.size(input),
            Mark::Data(0) => self.data_end(input),
            Mark::Data(left) => Ok(payload(left, input)),
            Mark::Trailers => self.trailer(input),
            Mark::Over => Ok(Step::Wait),
        }
    }

    fn size(&mut self, input: &[u8]) -> Result<Step, WireError> {
        let Some(line) = self.line(input, SIZE_DIGITS)? else {
            return Ok(Step::Wait);
        };
        self.at = match chunk_size(line)? {
            0 => Mark::Trailers,
            size => Mark::Data(size),
        };
        Ok(Step::Skip(line.len().saturating_add(2)))
    }

    fn data_end(&mut self, input: &[u8]) -> Result<Step, WireError> {
        match input {
            [b'\r', b'\n', ..] => {
                self.at = Mark::Size;
                Ok(Step::Skip(2))
            }
            [] | [b'\r'] => Ok(Step::Wait),
            _ => Err(WireError::Protocol("a chunk is longer than its size")),
        }
    }

    fn trailer(&mut self, input: &[u8]) -> Result<Step, WireError> {
        let Some(line) = self.line(input, 0)? else {
            return Ok(Step::Wait);
        };
        if line.is_empty() {
            self.at = Mark::Over;
        }
        Ok(Step::Skip(line.len().saturating_add(2)))
    }

    /// The line at the front of `input` without its end; its bytes beyond `free` are paid from the spare ones.
    fn line<'a>(&mut self, input: &'a [u8], free: usize) -> Result<Option<&'a [u8]>, WireError> {
        let allowed = self.spare.saturating_add(free);
        let end = memchr::memchr(b'\n', input);
        if end.unwrap_or(input.len()) > allowed.saturating_add(1) {
            return Err(WireError::Protocol("chunk extensions or trailers are too long"));
        }
        let Some(line) = end.and_then(|end| input.get(..end)) else {
            return Ok(None);
        };
        match line.split_last() {
            Some((b'\r', line)) if !line.contains(&b'\r') => {
                self.spare = self.spare.saturating_sub(line.len().saturating_sub(free));
                Ok(Some(line))
            }
            _ => Err(WireError::Protocol(
                "a line of the chunked framing does not end with CR LF",
            )),
        }
    }
}

/// Reads `chunk-size [ chunk-ext ]`; extensions are not looked at.
fn chunk_size(line: &[u8]) -> Result<u64, WireError> {
    const BAD: WireError = WireError::Protocol("a chunk size is not a hexadecimal number");
    const LARGE: WireError = WireError::Protocol("a chunk size is too large");
    let (mut size, mut rest) = (0_u64, line);
    while let [byte, after @ ..] = rest
        && let Some(digit) = char::from(*byte).to_digit(16)
    {
        size = size.checked_mul(16).ok_or(LARGE)? | u64::from(digit);
        rest = after;
    }
    match line.len().saturating_sub(rest.len()) {
        0 => Err(BAD),
        digits if digits > SIZE_DIGITS => Err(LARGE),
        _ if rest.is_empty() || rest.trim_ascii_start().first() == Some(&b';') => Ok(size),
        _ => Err(BAD),
    }
}

/// As many of the `left` bytes as `input` holds.
fn payload(left: &mut u64, input: &[u8]) -> Step {
    let length = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
    if length == 0 {
        return Step::Wait;
    }
    *left = left.saturating_sub(u64::try_from(length).unwrap_or(u64::MAX));
    Step::Payload(length)
}

// === impl Gathered ===

impl Gathered {
    /// Adds the next `length` bytes to the payload, moving them up to what is gathered already.
    fn take(&mut self, buffer: &mut BytesMut, length: usize) {
        let to = self.start.saturating_add(self.length);
        let end = self.at.saturating_add(length);
        if self.length == 0 {
            self.start = self.at;
        } else if end <= buffer.len() {
            buffer.copy_within(self.at..end, to);
        }
        self.length = self.length.saturating_add(length);
        self.at = end;
    }

    fn skip(&mut self, length: usize) {
        self.at = self.at.saturating_add(length);
    }

    /// Takes payload and framing off the front of the buffer; without payload, no slice is made.
    fn split_off(self, buffer: &mut BytesMut) -> Bytes {
        let before = if self.length == 0 { self.at } else { self.start };
        buffer.advance(before.min(buffer.len()));
        if self.length == 0 {
            return Bytes::new();
        }
        let payload = buffer.split_to(self.length.min(buffer.len())).freeze();
        let after = self.at.saturating_sub(self.start).saturating_sub(self.length);
        buffer.advance(after.min(buffer.len()));
        payload
    }
}

#[cfg(test)]
mod tests;
