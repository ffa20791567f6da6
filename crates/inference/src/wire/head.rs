//! The head of an answer (RFC 9112, 4 and 5): a pure reader over the bytes that have arrived.
//!
//! Interim answers (1xx) are read and dropped. Heads are bounded in bytes and fields, interim ones counted in.

use super::{WireError, framing::Framing};
use bytes::{Bytes, BytesMut};
use http::Method;
use std::{fmt, mem::MaybeUninit, ops::Range};

/// Bytes that the heads of one answer may take, interim ones included.
const HEAD_LIMIT: usize = 64 * 1024;
/// Fields that a head may have.
const FIELD_LIMIT: usize = 100;
/// How every answer that we read begins.
const START: &[u8] = b"HTTP/1.";

/// Status and headers of an answer.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) headers: Headers,
    minor_version: u8,
}

/// The header fields of an answer as slices of the bytes they came in.
pub(crate) struct Headers {
    raw: Bytes,
    /// On the heap: a head is handed on through many hands.
    fields: Box<[Field]>,
}

struct Field {
    name: Range<usize>,
    value: Range<usize>,
}

/// Reads one answer's head from a buffer that grows.
#[derive(Debug, Default)]
pub(super) struct HeadReader {
    /// Bytes at the front of the buffer that were looked at already.
    seen: usize,
    /// Bytes of interim heads.
    spent: usize,
}

// === impl Head ===

impl Head {
    /// How the body is framed that answers a request with `method`; also refuses framing that could be read two ways.
    pub(super) fn framing(&self, method: &Method) -> Result<Framing, WireError> {
        let chunked = self.is_chunked()?;
        let length = self.content_length()?;
        if chunked && (length.is_some() || self.minor_version == 0) {
            return Err(WireError::Protocol(
                "transfer-encoding with a content-length or in HTTP/1.0",
            ));
        }
        Ok(match length {
            _ if *method == Method::HEAD || matches!(self.status, 204 | 304) => Framing::Length(0),
            _ if chunked => Framing::chunked(),
            Some(length) => Framing::Length(length),
            None => Framing::UntilClose,
        })
    }

    /// Whether the server keeps the connection open after this answer.
    pub(super) fn keeps_alive(&self) -> bool {
        let says = |word: &str| {
            let mut options = self
                .headers
                .all("connection")
                .flat_map(|value| value.split(|&byte| byte == b','));
            options.any(|option| option.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
        };
        !says("close") && (self.minor_version > 0 || says("keep-alive"))
    }

    fn is_chunked(&self) -> Result<bool, WireError> {
        let mut codings = self.headers.all("transfer-encoding");
        match (codings.next(), codings.next()) {
            (None, _) => Ok(false),
            (Some(coding), None) if coding.eq_ignore_ascii_case(b"chunked") => Ok(true),
            _ => Err(WireError::Protocol("a transfer-encoding other than chunked")),
        }
    }

    /// The length; the same one said several times counts as said once (RFC 9110, 8.6).
    fn content_length(&self) -> Result<Option<u64>, WireError> {
        let mut length = None;
        for value in self
            .headers
            .all("content-length")
            .flat_map(|value| value.split(|&byte| byte == b','))
        {
            let said = digits(value.trim_ascii()).ok_or(WireError::Protocol("a content-length that is no number"))?;
            if length.is_some_and(|length| length != said) {
                return Err(WireError::Protocol("two content-lengths that differ"));
            }
            length = Some(said);
        }
        Ok(length)
    }

    fn is_interim(&self) -> bool {
        matches!(self.status, 100..=199)
    }
}

/// Decimal digits alone, unlike `parse`, which takes a sign.
fn digits(text: &[u8]) -> Option<u64> {
    let number = std::str::from_utf8(text).ok()?;
    text.iter().all(u8::is_ascii_digit).then(|| number.parse().ok())?
}

// === impl Headers ===

impl Headers {
    /// The value of the first field named `name` in any case; `None` when there is none or it is no text.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.all(name).next()?).ok()
    }

    /// The values of all fields named `name`, in the order in which they came.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let fields = self.fields.iter();
        fields
            .filter(|field| self.part(&field.name).eq_ignore_ascii_case(name.as_bytes()))
            .map(|field| self.part(&field.value))
    }

    fn part(&self, range: &Range<usize>) -> &[u8] {
        self.raw.get(range.clone()).unwrap_or_default()
    }
}

impl fmt::Debug for Headers {
    /// Names alone: values may hold cookies and tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.fields.iter().map(|field| self.part(&field.name));
        f.debug_list().entries(names.map(String::from_utf8_lossy)).finish()
    }
}

// === impl HeadReader ===

impl HeadReader {
    /// Takes the head of the final answer off the front of `buffer`; `None` while it is not there as a whole.
    ///
    /// Parses whole lines alone, and only when one has ended since the last look: so a head that trickles costs little
    /// more than one at once, and is refused at the same byte.
    pub(super) fn read(&mut self, buffer: &mut BytesMut) -> Result<Option<Head>, WireError> {
        while let Some(lines) = self.new_lines(buffer)? {
            match self.parse(buffer, lines)? {
                None => break,
                Some(head) if head.status == 101 => {
                    return Err(WireError::Protocol("an upgrade that nobody asked for"));
                }
                Some(head) if head.is_interim() => {}
                Some(head) => return Ok(Some(head)),
            }
        }
        match buffer.len().saturating_add(self.spent) {
            taken if taken > HEAD_LIMIT => Err(WireError::HeadTooLarge),
            _ => Ok(None),
        }
    }

    /// How many bytes of the buffer are whole lines, when there are more of them than at the last look.
    fn new_lines(&mut self, buffer: &BytesMut) -> Result<Option<usize>, WireError> {
        if buffer.iter().zip(START).any(|(byte, start)| byte != start) {
            return Err(WireError::Protocol("the answer is not HTTP/1"));
        }
        let unseen = buffer.get(self.seen..).unwrap_or_default();
        let lines = memchr::memrchr(b'\n', unseen).map(|end| self.seen.saturating_add(end).saturating_add(1));
        self.seen = buffer.len();
        Ok(lines)
    }

    fn parse(&mut self, buffer: &mut BytesMut, lines: usize) -> Result<Option<Head>, WireError> {
        let lines = buffer.get(..lines).unwrap_or_default();
        // Room for as many fields as there may be is not filled before they come: 3 KB.
        let mut fields = [const { MaybeUninit::uninit() }; FIELD_LIMIT];
        let mut answer = httparse::Response::new(&mut []);
        let parser = httparse::ParserConfig::default();
        let length = match parser.parse_response_with_uninit_headers(&mut answer, lines, &mut fields) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(httparse::Error::TooManyHeaders) => return Err(WireError::HeadTooLarge),
            Err(_) => return Err(WireError::Protocol("the head of the answer is malformed")),
        };
        self.seen = 0;
        self.spent = self.spent.saturating_add(length);
        if self.spent > HEAD_LIMIT {
            return Err(WireError::HeadTooLarge);
        }
        let (status, minor_version) = (answer.code.unwrap_or_default(), answer.version.unwrap_or_default());
        if status < 100 {
            return Err(WireError::Protocol("a status below 100"));
        }
        let fields = answer
            .headers
            .iter()
            .map(|field| Field::within(buffer, field))
            .collect();
        let raw = buffer.split_to(length.min(buffer.len())).freeze();
        let headers = Headers { raw, fields };
        Ok(Some(Head {
            status,
            headers,
            minor_version,
        }))
    }
}

// === impl Field ===

impl Field {
    /// Where in `raw` the slices of a parsed field lie.
    fn within(raw: &[u8], field: &httparse::Header<'_>) -> Self {
        let place = |part: &[u8]| {
            let start = part.as_ptr().addr().saturating_sub(raw.as_ptr().addr());
            start..start.saturating_add(part.len())
        };
        Field {
            name: place(field.name.as_bytes()),
            value: place(field.value),
        }
    }
}

#[cfg(test)]
mod tests;
