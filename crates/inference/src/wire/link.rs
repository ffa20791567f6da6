//! One connection: its socket, the bytes that have arrived, and how it ended.
//!
//! Reading takes everything that is there, up to a bound, so that what arrives together is handed on together.

use super::WireError;
use bytes::{Buf, BytesMut};
use std::{
    fmt, io,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that are read ahead of the caller at most.
const READ_AHEAD: usize = 256 * 1024;
/// Bytes that one read takes at most, on the stack: a connection that waits holds no room, and what has arrived is kept in as
/// many bytes as it has, for as long as an answer's log may live. The copy costs less than two buffers of 8 KB a request did.
const ROOM: usize = 16 * 1024;

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
            let mut room = [MaybeUninit::uninit(); ROOM];
            let left = READ_AHEAD.saturating_sub(self.buffer.len()).min(ROOM);
            let mut arrived = ReadBuf::uninit(room.get_mut(..left).unwrap_or_default());
            match ready!(Pin::new(&mut self.io).poll_read(cx, &mut arrived)) {
                Ok(()) if arrived.filled().is_empty() => self.end = Some(Ok(())),
                Ok(()) => self.keep(arrived.filled()),
                Err(error) => self.end = Some(Err(error)),
            }
        }
        Poll::Ready(())
    }

    /// Writes `message`, piece by piece, and flushes.
    pub(super) fn poll_send(&mut self, cx: &mut Context<'_>, message: &mut impl Buf) -> Poll<io::Result<()>> {
        while message.has_remaining() {
            let written = ready!(Pin::new(&mut self.io).poll_write(cx, message.chunk()))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            message.advance(written);
        }
        Pin::new(&mut self.io).poll_flush(cx)
    }

    /// How the connection has ended; `None` while it is open. A clean end is `Ok`.
    pub(super) fn take_end(&mut self) -> Option<Result<(), io::Error>> {
        self.end.take()
    }

    /// Lets go of what was read when all of it has been taken: who took it may hold it long.
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

    fn keep(&mut self, arrived: &[u8]) {
        if self.buffer.is_empty() {
            self.buffer = BytesMut::from(arrived);
        } else {
            self.buffer.extend_from_slice(arrived);
        }
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
