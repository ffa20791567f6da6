//! Which answers a WebSocket may come back to.
//!
//! The table keeps no answer alive: it finds one for as long as somebody listens to it, a socket that broke off waits for
//! its return, or dedup keeps it for replay. Who comes back to a socket that waits has its place among the requests in
//! flight, too, and takes no second one.

use lru::LruCache;
use orchestrator_core::{AnswerRef, Code, Failure, InFlight, RequestId, WeakAnswer};
use parking_lot::Mutex;
use std::{
    num::NonZeroUsize,
    sync::{Arc, Weak},
};

/// The last answers by our name for their requests.
#[derive(Debug)]
pub(crate) struct Resumable(Mutex<LruCache<RequestId, Known>>);

/// A request's place among those in flight that a broken socket keeps for its client's return; dropping it gives the place
/// back, unless it has been taken over.
#[derive(Debug)]
pub(crate) struct Kept {
    _place: Arc<Mutex<Option<InFlight>>>,
}

#[derive(Debug)]
struct Known {
    answer: WeakAnswer,
    /// The place that the socket keeps which broke off last.
    place: Weak<Mutex<Option<InFlight>>>,
}

// === impl Resumable ===

impl Resumable {
    /// A table of at most `capacity` answers; the one named longest ago goes first.
    pub(crate) fn new(capacity: usize) -> Self {
        Resumable(Mutex::new(LruCache::new(
            NonZeroUsize::new(capacity).unwrap_or(NonZeroUsize::MIN),
        )))
    }

    /// Remembers where a request's answer is to be heard.
    pub(crate) fn remember(&self, id: RequestId, answer: &AnswerRef) {
        let (answer, place) = (answer.weak(), Weak::new());
        self.0.lock().push(id, Known { answer, place });
    }

    /// Keeps a request's place for whoever comes back to its answer.
    pub(crate) fn keep(&self, id: RequestId, place: InFlight) -> Kept {
        let place = Arc::new(Mutex::new(Some(place)));
        if let Some(known) = self.0.lock().get_mut(&id) {
            known.place = Arc::downgrade(&place);
        }
        Kept { _place: place }
    }

    /// Takes over the place that was kept for a request's answer.
    pub(crate) fn take(&self, id: RequestId) -> Option<InFlight> {
        let kept = self.0.lock().get(&id)?.place.upgrade()?;
        kept.lock().take()
    }

    /// The answer of a request.
    pub(crate) fn find(&self, id: RequestId) -> Result<AnswerRef, Failure> {
        let found = self.0.lock().get(&id).and_then(|known| known.answer.upgrade());
        found.ok_or_else(|| {
            let text = "The answer is not kept any more, or never was: submit the request again.";
            Failure::new(Code::ResumeNotPossible, text).at("request_id")
        })
    }
}

#[cfg(test)]
mod tests;
