//! The slots of one worker as its guard counts them, under its lock.

/// How many calls a worker takes at once, and how many it is answering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    taken: usize,
    max: usize,
}

// === impl Room ===

impl Room {
    /// So many free slots.
    pub(super) fn new(max: usize) -> Self {
        Room { taken: 0, max }
    }

    /// A call begins.
    pub(super) fn enter(&mut self) {
        self.taken = self.taken.saturating_add(1);
    }

    /// A call has ended.
    pub(super) fn leave(&mut self) {
        self.taken = self.taken.saturating_sub(1);
    }

    /// Changes how many there are; what is under way goes on.
    pub(super) fn resize(&mut self, max: usize) {
        self.max = max;
    }

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
