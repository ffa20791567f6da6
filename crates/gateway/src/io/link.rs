//! What a connection's socket, its requests and its session tell each other.

use crate::socket::Handshake;
use orchestrator_core::InFlight;
use parking_lot::Mutex;
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
};

/// Bytes of an answer that hyper is given before it has written all of them. It copies them into a buffer that it keeps for
/// as long as the connection lasts; so that stays small, however long the answer and however slow its client.
pub(crate) const MAX_UNWRITTEN: usize = 16 << 10;

/// What a connection's socket, its requests and its session tell each other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Link(Arc<State>);

#[derive(Debug, Default)]
struct State {
    /// Whether a request is being answered; its client may then be silent.
    at_work: AtomicBool,
    /// Whether that request has been read to its end; what comes then belongs to later ones.
    received: AtomicBool,
    /// Requests, and messages of a WebSocket, that came whole so far.
    given: AtomicUsize,
    upgraded: AtomicBool,
    /// What was agreed on with the client of a WebSocket.
    handshake: Mutex<Option<Box<Handshake>>>,
    /// Bytes that came so far, wrapping.
    heard: AtomicUsize,
    /// Bytes of the answer that hyper was given since it last had written all.
    unwritten: AtomicUsize,
    /// Whether the answer waits for that.
    waits: AtomicBool,
    /// The place of an answer whose last bytes may not have left yet.
    unsent: Mutex<Option<InFlight>>,
}

/// A request that is being answered; dropping it makes the connection idle.
#[derive(Debug)]
pub(crate) struct Work {
    link: Link,
    place: Option<InFlight>,
}

// === impl Link ===

impl Link {
    /// A request has been read and is being answered.
    pub(crate) fn work(self) -> Work {
        self.0.at_work.store(true, Relaxed);
        self.took();
        Work {
            link: self,
            place: None,
        }
    }

    /// The request that is being answered has been read to the end of its body.
    pub(crate) fn received(&self) {
        self.0.received.store(true, Relaxed);
    }

    /// A request or a message came whole.
    pub(crate) fn took(&self) {
        self.0.given.fetch_add(1, Relaxed);
    }

    /// The connection is to become a WebSocket, once hyper has sent what says so.
    pub(crate) fn agree(&self, handshake: Handshake) {
        *self.0.handshake.lock() = Some(Box::new(handshake));
    }

    /// What was agreed on, if the connection is a WebSocket now.
    pub(crate) fn handshake(&self) -> Option<Box<Handshake>> {
        self.is_upgraded().then(|| self.0.handshake.lock().take()).flatten()
    }

    /// The connection is a WebSocket now: its silence is the session's affair.
    pub(crate) fn upgrade(&self) {
        self.0.upgraded.store(true, Relaxed);
    }

    /// Whether a request is being answered.
    pub(crate) fn is_at_work(&self) -> bool {
        self.0.at_work.load(Relaxed)
    }

    /// Whether the connection has brought a request.
    pub(crate) fn has_worked(&self) -> bool {
        self.given() > 0
    }

    /// Bytes that came so far; only good to see that more came.
    pub(crate) fn heard(&self) -> usize {
        self.0.heard.load(Relaxed)
    }

    /// Whether a request is being answered that has been read to its end.
    pub(super) fn has_received(&self) -> bool {
        self.0.received.load(Relaxed)
    }

    pub(super) fn given(&self) -> usize {
        self.0.given.load(Relaxed)
    }

    pub(super) fn is_upgraded(&self) -> bool {
        self.0.upgraded.load(Relaxed)
    }

    pub(super) fn hear(&self, bytes: usize) {
        self.0.heard.fetch_add(bytes, Relaxed);
    }

    /// All that was to be written has left. Whether the answer that is being given has waited for that.
    pub(crate) fn flushed(&self) -> bool {
        drop(self.0.unsent.lock().take());
        self.0.unwritten.store(0, Relaxed);
        self.0.waits.swap(false, Relaxed)
    }
}

// === impl Work ===

impl Work {
    /// The answer's place among the requests in flight, which lasts until its last byte has left.
    pub(crate) fn carry(&mut self, place: InFlight) {
        self.place = Some(place);
    }

    /// Whether more of the answer may be given to hyper; if not, the connection's task is woken once more may.
    pub(crate) fn may_give(&self) -> bool {
        let state = &self.link.0;
        let may = state.unwritten.load(Relaxed) < MAX_UNWRITTEN;
        if !may {
            state.waits.store(true, Relaxed);
        }
        may
    }

    /// So many bytes of the answer are given to hyper.
    pub(crate) fn gave(&self, bytes: usize) {
        self.link.0.unwritten.fetch_add(bytes, Relaxed);
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.link.0.received.store(false, Relaxed);
        self.link.0.at_work.store(false, Relaxed);
        if let Some(place) = self.place.take() {
            *self.link.0.unsent.lock() = Some(place);
        }
    }
}
