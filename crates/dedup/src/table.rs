//! Which answers may be shared: running ones, and finished ones within the window.
//!
//! The table keeps the logs that it knows, not the work on them: an answer that nobody listens to is given up even while
//! it stands here, and then cannot be joined. When an answer ended is learnt from its log, so nothing has to tell the
//! table and no timer runs: an entry whose time is over is dropped when it is met, at the latest when it is the oldest.

use crate::{Config, Metrics};
use lru::LruCache;
use orchestrator_core::{Answer, AnswerRef, Cache, Fingerprint, Ledger, Priority, WeakAnswer};
use std::time::Duration;
use tokio::time::Instant;

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
        while self.answers.len() > config.max_entries {
            self.evict();
        }
        self.drop_stale(config);
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

    fn evict(&mut self) {
        if self.answers.pop_lru().is_some_and(|(_, known)| known.is_kept()) {
            self.metrics.evictions.inc();
        }
    }

    /// Drops the oldest entries as far as they cannot be shared any more: a few at a time, which is enough, since each
    /// request adds at most one.
    fn drop_stale(&mut self, config: &Config) {
        for _ in 0..4 {
            match self.answers.peek_lru() {
                Some((_, known)) if known.get().is_none_or(|answer| !may_share(&answer, config)) => {
                    self.answers.pop_lru();
                }
                _ => return,
            }
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

/// Running answers are shared; finished ones within the window; failed ones and those that a limit of ours cut never.
fn may_share(answer: &AnswerRef, config: &Config) -> bool {
    match answer.ended() {
        None => true,
        Some(Ok(end)) if !end.cut => answer
            .ended_at()
            .is_some_and(|at| at.elapsed() < Duration::from_secs(config.window_s)),
        Some(_) => false,
    }
}

#[cfg(test)]
mod tests;
