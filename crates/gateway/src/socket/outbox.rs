//! Frames on their way to a client.
//!
//! Filling it never waits, so a session goes on to listen while its client takes nothing. Sending waits and may be given
//! up at any time: what the socket has not taken is still there.

use futures_util::{Sink, SinkExt};
use orchestrator_core::InFlight;
use std::{
    collections::VecDeque,
    future::poll_fn,
    task::{Poll, ready},
};
use tokio_tungstenite::tungstenite::{Error, Message};

/// Bytes of frames that are gathered for one write; beyond, answers wait in their logs.
const GATHER: usize = 64 << 10;

/// Frames that the socket has not taken yet.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    frames: VecDeque<Message>,
    /// Bytes that were put in since the socket last took everything.
    bytes: usize,
    /// Whether the socket holds frames that may not have left yet.
    unsent: bool,
    /// The places of requests whose last frames may not have left yet.
    places: Vec<InFlight>,
}

// === impl Outbox ===

impl Outbox {
    pub(super) fn push(&mut self, frame: Message) {
        self.bytes = self.bytes.saturating_add(frame.len());
        self.frames.push_back(frame);
    }

    /// Keeps a request's place among those in flight until all that was put in so far has left.
    pub(super) fn hold(&mut self, place: InFlight) {
        self.places.push(place);
    }

    /// Frames that wait for the socket.
    pub(super) fn len(&self) -> usize {
        self.frames.len()
    }

    /// Whether the socket has taken everything.
    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty() && !self.unsent
    }

    /// Whether more of the answers shall be put in.
    pub(super) fn has_room(&self) -> bool {
        self.bytes < GATHER
    }

    /// Sends all frames. Losing the future loses nothing.
    pub(super) async fn send<S>(&mut self, socket: &mut S) -> Result<(), Error>
    where
        S: Sink<Message, Error = Error> + Unpin,
    {
        poll_fn(|cx| {
            while !self.frames.is_empty() {
                ready!(socket.poll_ready_unpin(cx))?;
                if let Some(frame) = self.frames.pop_front() {
                    self.unsent = true;
                    socket.start_send_unpin(frame)?;
                }
            }
            ready!(socket.poll_flush_unpin(cx))?;
            (self.bytes, self.unsent) = (0, false);
            self.places.clear();
            Poll::Ready(Ok(()))
        })
        .await
    }
}

#[cfg(test)]
mod tests;
