//! The slots of one worker: how many calls it takes at once, over all cores. Their number can be changed while calls run.
//!
//! Tokio's semaphore keeps the queue, first in, first out. Where there are fewer slots than calls that run, the difference
//! is a debt: as many calls give their slot back to nobody. At all times the semaphore's permits and those that are out,
//! less the debt, are the slots there are; a change enters the debt first, so meanwhile there are too few and never too many.

use parking_lot::Mutex;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tokio::sync::Semaphore;

/// Calls that a worker takes at once.
#[derive(Clone, Debug)]
pub struct Slots(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    free: Semaphore,
    taken: AtomicUsize,
    max: AtomicUsize,
    debt: AtomicUsize,
    /// Held while their number changes.
    resizing: Mutex<()>,
}

/// The place of one call; dropping it gives it back, once, whatever way the call ends.
#[derive(Debug)]
pub struct Slot(Arc<Shared>);

// === impl Slots ===

impl Slots {
    /// Slots for `max` calls, at least one.
    pub fn new(max: usize) -> Self {
        let max = bounded(max);
        Slots(Arc::new(Shared {
            free: Semaphore::new(max),
            taken: AtomicUsize::new(0),
            max: AtomicUsize::new(max),
            debt: AtomicUsize::new(0),
            resizing: Mutex::new(()),
        }))
    }

    /// Takes a slot if one is free and nobody waits.
    pub fn try_take(&self) -> Option<Slot> {
        let permit = self.0.free.try_acquire().ok()?;
        permit.forget();
        Some(self.slot())
    }

    /// Takes a slot, waiting for one in order of arrival. Dropping the future leaves the queue.
    pub async fn take(&self) -> Slot {
        match self.0.free.acquire().await {
            Ok(permit) => permit.forget(),
            // Nobody closes the semaphore.
            Err(_closed) => std::future::pending().await,
        }
        self.slot()
    }

    /// Changes how many there are, at least one. Calls that run go on; where there are fewer slots than they are, nobody
    /// is let through until enough of them have ended.
    pub fn resize(&self, max: usize) {
        let (shared, max) = (&self.0, bounded(max));
        let _resizing = shared.resizing.lock();
        let before = shared.max.swap(max, Ordering::Relaxed);
        shared.release(max.saturating_sub(before));
        let fewer = before.saturating_sub(max);
        if fewer > 0 {
            shared.debt.fetch_add(fewer, Ordering::AcqRel);
            shared.release(shared.free.forget_permits(fewer));
        }
    }

    /// Calls that are running.
    pub fn taken(&self) -> usize {
        self.0.taken.load(Ordering::Acquire)
    }

    /// Calls that may run at once.
    pub fn max(&self) -> usize {
        self.0.max.load(Ordering::Relaxed)
    }

    /// Calls that may begin now.
    pub fn free(&self) -> usize {
        self.max().saturating_sub(self.taken())
    }

    fn slot(&self) -> Slot {
        self.0.taken.fetch_add(1, Ordering::AcqRel);
        Slot(self.0.clone())
    }
}

// === impl Shared ===

impl Shared {
    /// Gives permits to those who wait, as far as none are owed.
    fn release(&self, permits: usize) {
        let pay = |debt: usize| Some(debt.saturating_sub(permits));
        let debt = self.debt.fetch_update(Ordering::AcqRel, Ordering::Acquire, pay);
        self.free.add_permits(permits.saturating_sub(debt.unwrap_or_default()));
    }
}

// === impl Slot ===

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::AcqRel);
        self.0.release(1);
    }
}

fn bounded(max: usize) -> usize {
    // A resize may briefly hold the permits of two sizes.
    max.clamp(1, Semaphore::MAX_PERMITS / 2)
}

#[cfg(test)]
mod tests;
