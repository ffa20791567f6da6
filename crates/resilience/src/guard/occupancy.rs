//! The slots of one worker as its guard counts them: changed under its lock, and read without.

use orchestrator_core::sync::atomic::{AtomicUsize, Ordering};

/// The counts themselves. Whoever changes them holds the lock, so a load and a store are enough.
#[derive(Debug)]
pub(super) struct Counts {
    taken: AtomicUsize,
    max: AtomicUsize,
}

/// How many calls a worker takes at once, and how many it is answering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occupancy {
    taken: usize,
    max: usize,
}

// === impl Counts ===

impl Counts {
    /// So many free slots.
    pub(super) fn new(max: usize) -> Self {
        Counts {
            taken: AtomicUsize::new(0),
            max: AtomicUsize::new(max),
        }
    }

    /// What they are now.
    pub(super) fn read(&self) -> Occupancy {
        Occupancy {
            taken: self.taken.load(Ordering::Acquire),
            max: self.max.load(Ordering::Acquire),
        }
    }

    /// A call begins.
    pub(super) fn enter(&self) {
        self.taken.store(self.read().taken.saturating_add(1), Ordering::Release);
    }

    /// A call has ended.
    pub(super) fn leave(&self) {
        self.taken.store(self.read().taken.saturating_sub(1), Ordering::Release);
    }

    /// Changes how many there are; what is under way goes on.
    pub(super) fn resize(&self, max: usize) {
        self.max.store(max, Ordering::Release);
    }
}

// === impl Occupancy ===

impl Occupancy {
    /// How many are taken.
    pub fn taken(self) -> usize {
        self.taken
    }

    /// How many there are; fewer than are taken where their number has fallen.
    pub fn max(self) -> usize {
        self.max
    }

    /// How many could be taken now.
    pub fn free(self) -> usize {
        self.max.saturating_sub(self.taken)
    }
}
