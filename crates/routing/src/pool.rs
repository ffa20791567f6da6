//! The pools at work: calls that the workers of a class make at once, together. All cores share them.

use crate::Pools;
use orchestrator_resilience::Slots;

/// The slots of the pools. A clone is the same slots.
#[derive(Clone, Debug)]
pub struct PoolSlots {
    /// Of all workers with `pool = "fast"`.
    pub fast: Slots,
    /// Of all workers with `pool = "slow"`.
    pub slow: Slots,
}

// === impl PoolSlots ===

impl PoolSlots {
    /// As many as are configured.
    pub fn new(config: &Pools) -> Self {
        PoolSlots {
            fast: Slots::new(config.fast),
            slow: Slots::new(config.slow),
        }
    }

    /// Changes how many there are. Calls that run go on.
    pub fn change(&self, config: &Pools) {
        self.fast.resize(config.fast);
        self.slow.resize(config.slow);
    }
}

#[cfg(test)]
mod tests;
