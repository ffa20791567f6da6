//! What can go wrong on the wire. No text here holds a credential, a prompt or a byte of an answer.

use std::{io, time::Duration};

/// Why an endpoint cannot be used at all; found when it is built, before any call.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EndpointError {
    /// The base URL cannot be read or names something that no call can go to.
    #[error("the base URL is not usable: {0}")]
    Url(String),
    /// A proxy variable of the environment cannot be read; its value may hold a password and is not repeated.
    #[error("the environment's {variable} is not usable: {reason}")]
    Proxy {
        /// The variable.
        variable: &'static str,
        /// What is wrong with its value.
        reason: String,
    },
    /// The system has no certificate authorities to check a server by.
    #[error("no certificate authorities found; install ca-certificates or set SSL_CERT_FILE ({0})")]
    Roots(String),
    /// The TLS library refuses its settings.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

/// Why a call over the wire failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    /// No connection to the server, or to the proxy before it.
    #[error("cannot connect to {to}: {source}")]
    Connect {
        /// Host and port.
        to: String,
        /// The system's reason.
        source: io::Error,
    },
    /// No connection within the limit; name lookup, proxy and TLS handshake included.
    #[error("no connection to {to} within {limit:?}")]
    ConnectTimeout {
        /// Host and port.
        to: String,
        /// The limit.
        limit: Duration,
    },
    /// The TLS handshake failed; a certificate that is not trusted is the usual reason.
    #[error("TLS with {to} failed: {source}")]
    Tls {
        /// Host and port.
        to: String,
        /// The TLS library's reason.
        source: io::Error,
    },
    /// The proxy does not let us through.
    #[error("the proxy {0}")]
    Proxy(String),
    /// The connection ended before any byte of the answer.
    #[error("the connection ended before the answer")]
    Closed,
    /// The connection ended in the middle of the answer.
    #[error("the connection ended in the middle of the answer")]
    Truncated,
    /// The server does not speak HTTP/1.1 as RFC 9112 has it.
    #[error("the server breaks the protocol: {0}")]
    Protocol(&'static str),
    /// The answer's head is longer, or has more fields, than we read.
    #[error("the head of the answer is too large")]
    HeadTooLarge,
    /// The answer's body is longer than the caller takes.
    #[error("the body of the answer is larger than {limit} bytes")]
    BodyTooLarge {
        /// The caller's limit.
        limit: usize,
    },
    /// The request cannot be written as HTTP.
    #[error("the request cannot be sent: {0}")]
    Request(&'static str),
    /// The connection failed in another way.
    #[error("the connection failed: {0}")]
    Io(#[source] io::Error),
}

// === impl WireError ===

impl WireError {
    /// A broken connection, seen before (`begun` is false) or after the first byte of an answer.
    pub(super) fn broken(error: io::Error, begun: bool) -> Self {
        use io::ErrorKind::*;
        match error.kind() {
            UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe | NotConnected | WriteZero => {
                WireError::ended(begun)
            }
            _ => WireError::Io(error),
        }
    }

    /// The end of a connection, seen before or after the first byte of an answer.
    pub(super) fn ended(begun: bool) -> Self {
        if begun { WireError::Truncated } else { WireError::Closed }
    }
}
