//! Frames on their way to a client.
//!
//! Filling it never waits, so a session goes on to listen while its client takes nothing. Sending waits and may be given
//! up at any time: what the socket has not taken is still there.

use orchestrator_core::InFlight;
use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::tungstenite::protocol::frame::{
    FrameHeader,
    coding::{CloseCode, Control, Data, OpCode},
};

/// Bytes of frames that are gathered for one write; beyond, answers wait in their logs.
const GATHER: usize = 64 << 10;

/// Frames that the socket has not taken yet.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// As they stand on the wire. No memory is kept for the next: what one session of a crowd gives back is taken by the
    /// next, and is still in the processor's cache. Kept memory spares 250 instructions a token, and no time that could be
    /// measured.
    bytes: Vec<u8>,
    /// How many bytes the socket has taken.
    taken: usize,
    /// How many frames that answer the client's own were put in since it last took everything.
    replies: usize,
    /// The places of requests whose last frames may not have left yet.
    places: Vec<InFlight>,
}

/// A socket behind its outbox, where also the frames wait that the protocol answers with: pongs, and the close frame that
/// answers the client's. The socket keeps nothing back: what it has taken is on its way, and needs no flush.
/// In the order of a [`Session`](super::Session), for the same reason.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Wire<S> {
    pub(super) out: Outbox,
    pub(super) socket: S,
}

// === impl Outbox ===

impl Outbox {
    /// Puts in a text that answers a frame of the client's.
    pub(super) fn reply(&mut self, text: &[u8]) {
        self.text(text, &[]);
        self.replies = self.replies.saturating_add(1);
    }

    /// Puts in a text of two parts.
    pub(super) fn text(&mut self, head: &[u8], rest: &[u8]) {
        self.push(OpCode::Data(Data::Text), [head, rest]);
    }

    pub(super) fn ping(&mut self) {
        self.push(OpCode::Control(Control::Ping), [&[], &[]]);
    }

    pub(super) fn close(&mut self, code: CloseCode, reason: &str) {
        let code = u16::from(code).to_be_bytes();
        self.push(OpCode::Control(Control::Close), [&code, reason.as_bytes()]);
    }

    /// Keeps a request's place among those in flight until all that was put in so far has left.
    pub(super) fn hold(&mut self, place: InFlight) {
        self.places.push(place);
    }

    /// Frames that answer the client's own and were put in since the socket last took everything.
    pub(super) fn replies(&self) -> usize {
        self.replies
    }

    /// Whether the socket has taken everything.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether more of the answers shall be put in.
    pub(super) fn has_room(&self) -> bool {
        self.bytes.len() < GATHER
    }

    /// Puts in a frame as servers send it, unmasked, so that its payload is only copied.
    fn push(&mut self, opcode: OpCode, payload: [&[u8]; 2]) {
        let header = FrameHeader {
            opcode,
            ..FrameHeader::default()
        };
        let length = payload.iter().map(|part| part.len()).fold(0, usize::saturating_add);
        let wide = u64::try_from(length).unwrap_or(u64::MAX);
        self.bytes.reserve(header.len(wide).saturating_add(length));
        // Writing to memory cannot fail; should it ever, half a frame must not go out.
        if header.format(wide, &mut self.bytes).is_ok() {
            payload.iter().for_each(|part| self.bytes.extend_from_slice(part));
        }
    }

    fn poll_send<S: AsyncWrite + Unpin>(&mut self, socket: &mut S, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut socket = Pin::new(socket);
        while let Some(rest @ [_, ..]) = self.bytes.get(self.taken..) {
            match ready!(socket.as_mut().poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                taken => self.taken = self.taken.saturating_add(taken),
            }
        }
        *self = Outbox::default();
        Poll::Ready(Ok(()))
    }
}

// === impl Wire ===

impl<S> Wire<S> {
    pub(super) fn new(socket: S) -> Self {
        let out = Outbox::default();
        Wire { socket, out }
    }
}

impl<S: AsyncWrite + Unpin> Wire<S> {
    /// Sends all frames. What is lost with its caller is there at the next call.
    pub(super) fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.out.is_empty() {
            true => Poll::Ready(Ok(())),
            false => self.out.poll_send(&mut self.socket, cx),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    /// Takes whole frames at once, so that ours and the protocol's stand one behind the other.
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, frame: &[u8]) -> Poll<io::Result<usize>> {
        self.out.bytes.extend_from_slice(frame);
        self.out.replies = self.out.replies.saturating_add(1);
        Poll::Ready(Ok(frame.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
