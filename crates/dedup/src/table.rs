//! Which answers may be shared: running ones, and finished ones within the window.
//!
//! The table keeps the logs that it knows, not the work on them: an answer that nobody listens to is given up even while
//! it stands here, and then cannot be joined. When an answer ended is learnt from its log, so nothing has to tell the
//! table and no timer runs: each request that leads looks at the few entries used longest ago and drops those whose time is
//! over. Running ones that it meets count as just used, so that they neither hide others nor go before them.

use crate::{Config, Metrics};
use lru::LruCache;
use orchestrator_core::{Answer, AnswerRef, Cache, Fingerprint, Ledger, Priority, WeakAnswer};
use std::time::Duration;
use tokio::time::Instant;

/// Entries that a request looks at. It adds one, so those that are over do not grow beyond a seventh of those that run.
const LOOKED_AT: usize = 8;

/// Answers by what was asked.
#[derive(Debug)]
pub(crate) struct Table {
    answers: LruCache<Fingerprint, Known>,
    metrics: Metrics,
}

/// An answer that others may share.
#[derive(Debug)]
enum Known {
    /// Kept for replay once it has ended.
    Kept(AnswerRef),
    /// Shared while it runs; its memory goes with its last listener.
    Running(WeakAnswer),
}

/// Someone who asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asker {
    pub(crate) until: Instant,
    pub(crate) priority: Priority,
}

// === impl Table ===

impl Table {
    pub(crate) fn new(metrics: Metrics) -> Self {
        Table {
            answers: LruCache::unbounded(),
            metrics,
        }
    }

    /// Joins the answer to an equal request, or makes `own` the one that others join.
    pub(crate) fn join_or_lead(
        &mut self,
        what: Fingerprint,
        asker: Asker,
        own: AnswerRef,
        config: &Config,
    ) -> Option<(Answer, Cache)> {
        let known = self
            .answers
            .get(&what)
            .and_then(Known::get)
            .filter(|answer| may_share(answer, config));
        if let Some(joined) = known.and_then(|answer| answer.join(asker.until, asker.priority)) {
            return Some(joined);
        }
        self.lead(what, own, config);
        None
    }

    /// Makes `own` the answer that others join.
    pub(crate) fn lead(&mut self, what: Fingerprint, own: AnswerRef, config: &Config) {
        let known = match config.window_s {
            0 => Known::Running(own.weak()),
            _ => Known::Kept(own),
        };
        self.answers.push(what, known);
        self.tidy(config);
        while self.answers.len() > config.max_entries {
            self.evict();
        }
        self.show();
    }

    /// Drops finished answers, those used longest ago first, until the ledger has room.
    pub(crate) fn relieve(&mut self, ledger: &Ledger) {
        let finished: Vec<Fingerprint> = self
            .answers
            .iter()
            .rev()
            .filter(|(_, known)| known.is_kept())
            .map(|(what, _)| *what)
            .collect();
        for what in finished {
            if !ledger.is_full() {
                break;
            }
            self.answers.pop(&what);
            self.metrics.evictions.inc();
        }
        self.show();
    }

    /// Looks at the entries used longest ago: drops what cannot be shared any more, passes by what runs, and drops what is
    /// kept for replay only while there are too many.
    fn tidy(&mut self, config: &Config) {
        for _ in 0..LOOKED_AT.min(self.answers.len()) {
            let Some((what, known)) = self.answers.peek_lru() else {
                return;
            };
            let (what, answer) = (*what, known.get().filter(|answer| may_share(answer, config)));
            match answer.map(|answer| answer.ended().is_some()) {
                None => drop(self.answers.pop_lru()),
                Some(false) => {
                    self.answers.promote(&what);
                }
                Some(true) if self.answers.len() > config.max_entries => self.evict(),
                Some(true) => return,
            }
        }
    }

    fn evict(&mut self) {
        if self.answers.pop_lru().is_some_and(|(_, known)| known.is_kept()) {
            self.metrics.evictions.inc();
        }
    }

    fn show(&self) {
        self.metrics
            .entries
            .set(i64::try_from(self.answers.len()).unwrap_or(i64::MAX));
    }
}

// === impl Known ===

impl Known {
    fn get(&self) -> Option<AnswerRef> {
        match self {
            Known::Kept(answer) => Some(answer.clone()),
            Known::Running(answer) => answer.upgrade(),
        }
    }

    /// Whether the table alone may be what keeps the log.
    fn is_kept(&self) -> bool {
        matches!(self, Known::Kept(answer) if answer.ended().is_some())
    }
}

/// Running answers are shared; finished ones within the window; failed ones, those that a limit of ours cut and those that
/// only stand in for a better one never.
fn may_share(answer: &AnswerRef, config: &Config) -> bool {
    let is_degraded = || answer.head().is_some_and(|head| head.degraded.is_some());
    match answer.ended() {
        None => true,
        Some(Ok(end)) if !end.cut && !is_degraded() => answer
            .ended_at()
            .is_some_and(|at| at.elapsed() < Duration::from_secs(config.window_s)),
        Some(_) => false,
    }
}

#[cfg(test)]
mod tests;
