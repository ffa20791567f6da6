//! The slots of one worker: how many calls it takes at once, over all cores.

use orchestrator_core::{Code, Failure};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Calls that a worker takes at once.
#[derive(Clone, Debug)]
pub struct Slots {
    free: Arc<Semaphore>,
    max: usize,
}

/// The place of one call; dropping it gives it back, once, whatever way the call ends.
#[derive(Debug)]
pub struct Slot {
    _permit: OwnedSemaphorePermit,
}

// === impl Slots ===

impl Slots {
    /// Slots for `max` calls, at least one.
    pub fn new(max: usize) -> Self {
        let max = max.clamp(1, Semaphore::MAX_PERMITS);
        Slots {
            free: Arc::new(Semaphore::new(max)),
            max,
        }
    }

    /// Takes a slot if one is free.
    pub fn try_take(&self) -> Option<Slot> {
        self.free
            .clone()
            .try_acquire_owned()
            .ok()
            .map(|permit| Slot { _permit: permit })
    }

    /// Takes a slot, waiting for one in order of arrival. Dropping the future leaves the queue.
    pub async fn take(&self) -> Result<Slot, Failure> {
        let closed = |error| Failure::new(Code::Internal, "The worker takes no calls any more.").with_source(error);
        let permit = self.free.clone().acquire_owned().await.map_err(closed)?;
        Ok(Slot { _permit: permit })
    }

    /// Calls that are running.
    pub fn taken(&self) -> usize {
        self.max.saturating_sub(self.free.available_permits())
    }

    /// Calls that may run at once.
    pub fn max(&self) -> usize {
        self.max
    }
}

#[cfg(test)]
mod tests;
