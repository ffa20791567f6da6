//! How long calls hold their slots.

use parking_lot::Mutex;
use std::time::Duration;

/// The mean time for which a slot is held, over about the last 16 calls; zero before the first.
#[derive(Debug, Default)]
pub(crate) struct Hold(Mutex<Duration>);

// === impl Hold ===

impl Hold {
    pub(crate) fn mean(&self) -> Duration {
        *self.0.lock()
    }

    /// A call that held its slot for so long is over. One that served nobody does not say how long an answer takes, except
    /// where it took longer than that.
    pub(crate) fn is_over(&self, held: Duration, has_served: bool) {
        let mut mean = self.0.lock();
        if mean.is_zero() && has_served {
            *mean = held;
        } else if has_served || held > *mean {
            *mean = mean.mul_f64(15.0 / 16.0).saturating_add(held.mul_f64(1.0 / 16.0));
        }
    }
}

#[cfg(test)]
mod tests;
