//! Answers that are kept for the time when the workers cannot give them. A pure machine that takes `now`.

use crate::CacheConfig;
use lru::LruCache;
use orchestrator_core::{Chunk, Degraded, Fingerprint, Head};
use std::sync::Arc;
use tokio::time::Instant;

/// Answers by what was asked, the ones used longest ago first to go. Those that are still heard take of the same bytes.
#[derive(Debug)]
pub(crate) struct Cache {
    config: CacheConfig,
    answers: LruCache<Fingerprint, Kept>,
    bytes: usize,
    /// Bytes that are set apart for answers that are not whole yet.
    apart: usize,
}

/// An answer of a worker, whole, in memory of its own.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) head: Box<Head>,
    pub(crate) chunks: Arc<[Chunk]>,
    pub(crate) bytes: usize,
    /// When it was complete.
    pub(crate) at: Instant,
}

// === impl Cache ===

impl Cache {
    pub(crate) fn new(config: CacheConfig) -> Self {
        Cache {
            config,
            answers: LruCache::unbounded(),
            bytes: 0,
            apart: 0,
        }
    }

    /// Sets bytes apart for an answer that is not whole yet, if that leaves half of all to those that are.
    pub(crate) fn set_apart(&mut self, bytes: usize) -> bool {
        let apart = self.apart.saturating_add(bytes);
        let has_room = apart <= self.config.max_bytes.div_ceil(2);
        if has_room {
            self.apart = apart;
            self.make_room();
        }
        has_room
    }

    /// Takes bytes back that were set apart.
    pub(crate) fn take_back(&mut self, bytes: usize) {
        self.apart = self.apart.saturating_sub(bytes);
    }

    /// Keeps an answer, instead of an older one to the same question.
    pub(crate) fn keep(&mut self, what: Fingerprint, kept: Kept) {
        if kept.bytes > self.config.most() {
            return;
        }
        self.bytes = self.bytes.saturating_add(kept.bytes);
        if let Some((_, gone)) = self.answers.push(what, kept) {
            self.bytes = self.bytes.saturating_sub(gone.bytes);
        }
        self.make_room();
    }

    /// The answer to this question, if it is young enough.
    pub(crate) fn find(&mut self, what: &Fingerprint, now: Instant) -> Option<(Kept, Degraded)> {
        let kept = self.answers.get(what)?;
        let age = now.saturating_duration_since(kept.at);
        if age > self.config.longest() {
            let gone = self.answers.pop(what).map_or(0, |gone| gone.bytes);
            self.bytes = self.bytes.saturating_sub(gone);
            return None;
        }
        let degraded = match age > self.config.fresh() {
            true => Degraded::Stale { age },
            false => Degraded::Cache { age },
        };
        Some((kept.clone(), degraded))
    }

    /// Answers that are kept, and the bytes that they and those that are not whole yet take.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.answers.len(), self.bytes.saturating_add(self.apart))
    }

    fn make_room(&mut self) {
        while self.size().1 > self.config.max_bytes || self.answers.len() > self.config.max_entries {
            let Some((_, gone)) = self.answers.pop_lru() else {
                return;
            };
            self.bytes = self.bytes.saturating_sub(gone.bytes);
        }
    }
}

#[cfg(test)]
mod tests;
