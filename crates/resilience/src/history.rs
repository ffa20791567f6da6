//! What a breaker went through: its last changes, for whoever asks why a worker was left alone.

use crate::{Cause, State};
use std::collections::VecDeque;
use tokio::time::Instant;

/// Changes that are kept.
const KEPT: usize = 100;

/// One change of a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// When; for what the clock alone brings about, when it was first seen.
    pub at: Instant,
    /// The state before.
    pub from: State,
    /// The state since.
    pub to: State,
    /// Why.
    pub cause: Cause,
}

/// The last hundred changes of a breaker.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    kept: VecDeque<Change>,
    /// How many there were.
    all: u64,
}

// === impl History ===

impl History {
    /// Keeps a change, and forgets the oldest where there are too many.
    pub(crate) fn push(&mut self, change: Change) {
        if self.kept.len() >= KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(change);
        self.all = self.all.saturating_add(1);
    }

    /// How many changes there were, those among them that are forgotten.
    pub(crate) fn all(&self) -> u64 {
        self.all
    }

    /// The changes after the first `seen`, as far as they are kept; the newest first.
    pub(crate) fn since(&self, seen: u64) -> impl Iterator<Item = &Change> {
        let new = usize::try_from(self.all.saturating_sub(seen)).unwrap_or(usize::MAX);
        self.kept.iter().rev().take(new)
    }

    /// The changes, oldest first.
    pub(crate) fn changes(&self) -> impl ExactSizeIterator<Item = &Change> + DoubleEndedIterator {
        self.kept.iter()
    }
}

#[cfg(test)]
mod tests;
