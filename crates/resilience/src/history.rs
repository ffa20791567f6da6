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
pub(crate) struct History(VecDeque<Change>);

// === impl History ===

impl History {
    /// Keeps a change, and forgets the oldest where there are too many.
    pub(crate) fn push(&mut self, change: Change) {
        if self.0.len() >= KEPT {
            self.0.pop_front();
        }
        self.0.push_back(change);
    }

    /// The changes, oldest first.
    pub(crate) fn changes(&self) -> impl ExactSizeIterator<Item = &Change> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests;
