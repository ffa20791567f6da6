//! References that keep an answer, but not the work on it.

use super::Answer;
use crate::{
    Cache, End, Failure, Head, Priority,
    log::{Joined, Log},
    sync::Arc,
};
use tokio::time::Instant;

/// Keeps the log of an answer, not the work on it.
#[derive(Clone, Debug)]
pub struct AnswerRef(pub(super) Arc<Log>);

/// Finds the log of an answer for as long as somebody else keeps it.
#[cfg(not(sim_loom))]
#[derive(Clone, Debug)]
pub struct WeakAnswer(std::sync::Weak<Log>);

// === impl AnswerRef ===

impl AnswerRef {
    /// Listens too, if the work has ended or is still wanted by somebody; from then on it waits in the higher lane of
    /// both. Says whether the listener was sent to a running answer or to a finished one.
    pub fn join(&self, until: Instant, priority: Priority) -> Option<(Answer, Cache)> {
        let mut log = self.0.clone();
        loop {
            match log.join(until, priority, Instant::now()) {
                Joined::Here { listener, running } => {
                    let cache = if running { Cache::Coalesced } else { Cache::Hit };
                    return Some((Answer::new(log, listener, until), cache));
                }
                Joined::Elsewhere(to) => log = to,
                Joined::Nowhere => return None,
            }
        }
    }

    /// A reference that keeps nothing.
    #[cfg(not(sim_loom))]
    pub fn weak(&self) -> WeakAnswer {
        WeakAnswer(Arc::downgrade(&self.0))
    }

    /// How the answer ended; `None` while it runs and once it was sent over to another.
    pub fn ended(&self) -> Option<Result<End, Failure>> {
        self.0.ended()
    }

    /// What is known of the answer; `None` before its first token, and once it was sent over to another.
    pub fn head(&self) -> Option<std::sync::Arc<Head>> {
        self.0.head()
    }

    /// When the answer ended, or was sent over to another.
    pub fn ended_at(&self) -> Option<Instant> {
        self.0.ended_at()
    }
}

// === impl WeakAnswer ===

#[cfg(not(sim_loom))]
impl WeakAnswer {
    /// The answer, if its log is still kept.
    pub fn upgrade(&self) -> Option<AnswerRef> {
        self.0.upgrade().map(AnswerRef)
    }
}
