//! One connection: its socket, the bytes that have arrived, and how it ended.
//!
//! Reading takes everything that is there, up to a bound, so that what arrives together is handed on together.

use super::WireError;
use bytes::{Buf, BufMut, BytesMut};
use std::{
    fmt, io,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::io::{poll_read_buf, poll_write_buf};

/// Bytes that are read ahead of the caller at most.
const READ_AHEAD: usize = 256 * 1024;
/// Room that is made for a read; the buffer doubles while nobody takes from it.
const ROOM: usize = 8 * 1024;
/// With less room than this a new buffer is taken rather than making a tiny read.
const SMALLEST_READ: usize = 1024;

/// A byte stream to a server: a socket, or TLS over one.
pub(super) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A connection. Dropping it closes it.
pub(super) struct Link {
    io: Box<dyn Io>,
    buffer: BytesMut,
    end: Option<io::Result<()>>,
}

// === impl Link ===

impl Link {
    /// A connection from which nothing has been read.
    pub(super) fn new(io: Box<dyn Io>) -> Self {
        Link {
            io,
            buffer: BytesMut::new(),
            end: None,
        }
    }

    /// The bytes that have arrived and that nobody has taken.
    pub(super) fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Whether it is open and nothing is left in it.
    pub(super) fn is_clean(&self) -> bool {
        self.buffer.is_empty() && self.end.is_none()
    }

    /// Reads all that has arrived. Ready when the connection has ended or the bound is reached; pending, with bytes in
    /// the buffer or without, when nothing more is there by now.
    pub(super) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.end.is_none() && self.buffer.len() < READ_AHEAD {
            let room = self.room();
            let mut buffer = (&mut self.buffer).limit(room);
            match ready!(poll_read_buf(Pin::new(&mut self.io), cx, &mut buffer)) {
                Ok(0) => self.end = Some(Ok(())),
                Ok(_) => {}
                Err(error) => self.end = Some(Err(error)),
            }
        }
        Poll::Ready(())
    }

    /// Writes `message`, head and body in one system call where the socket takes them, and flushes.
    pub(super) fn poll_send(&mut self, cx: &mut Context<'_>, message: &mut impl Buf) -> Poll<io::Result<()>> {
        while message.has_remaining() {
            if ready!(poll_write_buf(Pin::new(&mut self.io), cx, message))? == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
        }
        Pin::new(&mut self.io).poll_flush(cx)
    }

    /// How the connection has ended; `None` while it is open. A clean end is `Ok`.
    pub(super) fn take_end(&mut self) -> Option<Result<(), io::Error>> {
        self.end.take()
    }

    /// Lets go of memory while nothing is expected.
    pub(super) fn rest(&mut self) {
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
    }

    /// The byte stream itself, for a layer above it.
    pub(super) fn into_io(self) -> Result<Box<dyn Io>, WireError> {
        if self.buffer.is_empty() {
            Ok(self.io)
        } else {
            Err(WireError::Proxy("spoke before its turn".into()))
        }
    }

    /// Makes room for the next read and says how much it may take.
    fn room(&mut self) -> usize {
        if self.spare() < SMALLEST_READ {
            self.buffer.reserve(ROOM);
        }
        self.spare().min(READ_AHEAD.saturating_sub(self.buffer.len()))
    }

    fn spare(&self) -> usize {
        self.buffer.capacity().saturating_sub(self.buffer.len())
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ended = self.end.is_some();
        f.debug_struct("Link")
            .field("buffered", &self.buffer.len())
            .field("room", &self.buffer.capacity())
            .field("ended", &ended)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
