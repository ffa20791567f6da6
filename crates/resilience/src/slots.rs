//! Slots: how many of something may be under way at once, over all cores. Their number can be changed meanwhile.
//!
//! Two counts and no queue: whoever finds none free is told so at once. Of N + M racers at N free slots exactly N get one.
//! A take that races with a change of their number may still obey the old one; every take after the change obeys the new.

use orchestrator_core::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::Arc;

/// Places for things under way, such as the calls of a worker. A clone is the same places.
#[derive(Clone, Debug)]
pub struct Slots(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    taken: AtomicUsize,
    max: AtomicUsize,
}

/// One place; dropping it gives it back, once, whatever way that comes about.
#[derive(Debug)]
pub struct Slot(Arc<Shared>);

// === impl Slots ===

impl Slots {
    /// So many slots; with none, nothing is let through.
    pub fn new(max: usize) -> Self {
        Slots(Arc::new(Shared {
            taken: AtomicUsize::new(0),
            max: AtomicUsize::new(max),
        }))
    }

    /// Takes a slot, if one is free.
    pub fn try_take(&self) -> Option<Slot> {
        let one_more = |taken: usize| (taken < self.max()).then(|| taken.saturating_add(1));
        self.0.taken.fetch_update(SeqCst, SeqCst, one_more).ok()?;
        Some(Slot(self.0.clone()))
    }

    /// Changes how many there are. What is under way goes on; where there are fewer slots than that, nobody is let through
    /// until enough have ended.
    pub fn resize(&self, max: usize) {
        self.0.max.store(max, SeqCst);
    }

    /// Whether these are the same places as those.
    pub fn is_same(&self, other: &Slots) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// How many are taken.
    pub fn taken(&self) -> usize {
        self.0.taken.load(SeqCst)
    }

    /// How many there are.
    pub fn max(&self) -> usize {
        self.0.max.load(SeqCst)
    }

    /// How many could be taken now.
    pub fn free(&self) -> usize {
        self.max().saturating_sub(self.taken())
    }
}

// === impl Slot ===

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, SeqCst);
    }
}

#[cfg(all(test, sim_loom))]
mod interleavings;
#[cfg(test)]
#[cfg(not(sim_loom))]
mod tests;
