//! A request as it is written.

use super::WireError;
use bytes::{BufMut, Bytes, BytesMut};
use http::{
    HeaderName, HeaderValue, Method,
    header::{CONNECTION, CONTENT_LENGTH, HOST, PROXY_AUTHORIZATION, TRANSFER_ENCODING},
};

/// Room for a head.
const HEAD: usize = 512;
/// A body of fewer bytes is copied behind its head: the kernel takes one piece faster than a vector (6.05 us, not 6.4).
const SMALL_BODY: usize = 16 << 10;

/// A request. `host`, `content-length` and what the proxy needs are written by the wire.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing<'a> {
    /// The method.
    pub(crate) method: Method,
    /// What follows the path of the base URL; begins with `/`.
    pub(crate) path: &'a str,
    /// The header fields, in the order in which they are sent.
    pub(crate) headers: &'a [(HeaderName, HeaderValue)],
    /// The body; may be empty.
    pub(crate) body: Bytes,
}

/// What an endpoint adds to each request.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    /// What stands before the path: the base URL's path, or all of the base URL before a plain proxy.
    pub(super) prefix: String,
    /// `host`, with the port when it is not the scheme's own.
    pub(super) host: String,
    /// For a proxy that sees the requests themselves.
    pub(super) proxy_authorization: Option<HeaderValue>,
}

// === impl Outgoing ===

impl Outgoing<'_> {
    /// The request as it leaves: its head, with a small body behind it, and a large body by itself.
    ///
    /// # Errors
    /// [`WireError::Request`] for a path that is no path, or a field that the wire writes itself.
    pub(super) fn pieces(&self, origin: &Origin) -> Result<[Bytes; 2], WireError> {
        let (behind, apart) = match self.body.len() < SMALL_BODY {
            true => (self.body.clone(), Bytes::new()),
            false => (Bytes::new(), self.body.clone()),
        };
        let mut head = BytesMut::with_capacity(HEAD.saturating_add(behind.len()));
        self.write_head(origin, &mut head)?;
        head.put_slice(&behind);
        Ok([head.freeze(), apart])
    }

    fn write_head(&self, origin: &Origin, head: &mut BytesMut) -> Result<(), WireError> {
        if !self.path.starts_with('/') || !self.path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
            return Err(WireError::Request(
                "the path is not an absolute path of visible characters",
            ));
        }
        for part in [
            self.method.as_str(),
            " ",
            &origin.prefix,
            self.path,
            " HTTP/1.1\r\nhost: ",
            &origin.host,
            "\r\n",
        ] {
            head.put_slice(part.as_bytes());
        }
        for (name, value) in self.headers {
            if [HOST, CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION].contains(name) {
                return Err(WireError::Request(
                    "host, connection and framing are the wire's to write",
                ));
            }
            put_field(head, name, value);
        }
        if let Some(value) = &origin.proxy_authorization {
            put_field(head, &PROXY_AUTHORIZATION, value);
        }
        if !self.body.is_empty() || matches!(self.method, Method::POST | Method::PUT | Method::PATCH) {
            put_field(head, &CONTENT_LENGTH, &HeaderValue::from(self.body.len()));
        }
        head.put_slice(b"\r\n");
        Ok(())
    }
}

/// Writes one field.
pub(super) fn put_field(head: &mut BytesMut, name: &HeaderName, value: &HeaderValue) {
    for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
        head.put_slice(part);
    }
}

#[cfg(test)]
mod tests;
