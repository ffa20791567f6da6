//! Which answers a WebSocket may come back to.
//!
//! The table keeps no answer alive: it finds one for as long as somebody listens to it, a socket that broke off waits for
//! its return, or dedup keeps it for replay.

use lru::LruCache;
use orchestrator_core::{AnswerRef, Code, Failure, RequestId, WeakAnswer};
use parking_lot::Mutex;
use std::num::NonZeroUsize;

/// The last answers by our name for their requests.
#[derive(Debug)]
pub(crate) struct Resumable(Mutex<LruCache<RequestId, WeakAnswer>>);

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
        self.0.lock().push(id, answer.weak());
    }

    /// The answer of a request.
    pub(crate) fn find(&self, id: RequestId) -> Result<AnswerRef, Failure> {
        let found = self.0.lock().get(&id).and_then(WeakAnswer::upgrade);
        found.ok_or_else(|| {
            let text = "The answer is not kept any more, or never was: submit the request again.";
            Failure::new(Code::ResumeNotPossible, text).at("request_id")
        })
    }
}

#[cfg(test)]
mod tests;
