//! Pauses between tries: exponential with full jitter (Brooker, "Exponential Backoff and Jitter", AWS 2015), which spreads
//! the clients of a worker that has just failed all of them.

use crate::Config;
use rand::Rng;
use std::time::Duration;

/// Draws pauses from 0 to base x 2^n, at most to a longest one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Backoff {
    base: Duration,
    longest: Duration,
}

// === impl Backoff ===

impl Backoff {
    /// The pauses that the configuration asks for.
    pub(crate) fn new(config: &Config) -> Self {
        Backoff {
            base: Duration::from_millis(config.retry_base_ms),
            longest: Duration::from_millis(config.retry_max_ms),
        }
    }

    /// The pause before the retry number `retry`, from 0.
    pub(crate) fn pause(&self, retry: u32, rng: &mut impl Rng) -> Duration {
        self.ceiling(retry).mul_f64(rng.random_range(0.0..=1.0))
    }

    /// The longest that the pause before retry number `retry` may be.
    pub(crate) fn ceiling(&self, retry: u32) -> Duration {
        let factor = 2_u32.saturating_pow(retry);
        self.base.saturating_mul(factor).min(self.longest)
    }

    /// The longest pause of all.
    pub(crate) fn longest(&self) -> Duration {
        self.longest
    }
}

#[cfg(test)]
mod tests;
