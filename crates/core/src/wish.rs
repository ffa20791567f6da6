//! The faults that a client wishes its own request to meet, so that it can see what becomes of it.

use crate::Text;
use parking_lot::Mutex;
use std::{collections::BTreeMap, fmt, sync::Arc};

/// What a request's `x-orchestrator-chaos` says. Whoever injects faults reads its words; clones count as one.
#[derive(Clone)]
pub struct Wish(Arc<Inner>);

struct Inner {
    words: Text,
    /// The calls that this request has made, by whom it called.
    calls: Mutex<BTreeMap<Arc<str>, u64>>,
}

// === impl Wish ===

impl Wish {
    /// The wish of one request that has made no calls yet.
    pub fn new(words: Text) -> Self {
        Wish(Arc::new(Inner {
            words,
            calls: Mutex::default(),
        }))
    }

    /// What was wished, as it came.
    pub fn words(&self) -> &str {
        &self.0.words
    }

    /// Counts a call of `target` that this request makes, and tells how many there were before.
    pub fn next(&self, target: &Arc<str>) -> u64 {
        let mut calls = self.0.calls.lock();
        let count = calls.entry(target.clone()).or_default();
        let before = *count;
        *count = before.saturating_add(1);
        before
    }
}

impl fmt::Debug for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Wish").field(&self.0.words).finish()
    }
}

#[cfg(test)]
#[cfg(not(sim_loom))]
mod tests;
