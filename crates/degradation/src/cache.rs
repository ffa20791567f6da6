//! Answers that are kept for the time when the workers cannot give them. A pure machine that takes `now`.

use crate::CacheConfig;
use lru::LruCache;
use orchestrator_core::{Chunk, Degraded, Fingerprint, Head};
use std::sync::Arc;
use tokio::time::Instant;

/// The part of all bytes that one answer may take: so that a few long ones do not displace all others.
const PARTS: usize = 16;

/// Answers by what was asked, the ones used longest ago first to go.
#[derive(Debug)]
pub(crate) struct Cache {
    config: CacheConfig,
    answers: LruCache<Fingerprint, Kept>,
    bytes: usize,
}

/// An answer of a worker, whole, in memory of its own.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) head: Head,
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
        }
    }

    /// The bytes that one answer may take.
    pub(crate) fn most(&self) -> usize {
        self.config.max_bytes.div_ceil(PARTS)
    }

    /// Keeps an answer, instead of an older one to the same question.
    pub(crate) fn keep(&mut self, what: Fingerprint, kept: Kept) {
        if kept.bytes > self.most() {
            return;
        }
        self.bytes = self.bytes.saturating_add(kept.bytes);
        if let Some((_, gone)) = self.answers.push(what, kept) {
            self.bytes = self.bytes.saturating_sub(gone.bytes);
        }
        while self.bytes > self.config.max_bytes || self.answers.len() > self.config.max_entries {
            let gone = self.answers.pop_lru().map_or(self.bytes, |(_, gone)| gone.bytes);
            self.bytes = self.bytes.saturating_sub(gone);
        }
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

    /// Answers that are kept, and their bytes.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.answers.len(), self.bytes)
    }
}

#[cfg(test)]
mod tests;
