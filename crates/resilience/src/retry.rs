//! Which failures are tried again, how often and after what pause. Only before the first token: what a client may have
//! heard is never begun anew.

use crate::{Config, backoff::Backoff};
use orchestrator_core::{Code, Failure, Retry};
use rand::Rng;
use std::time::Duration;
use tokio::time::Instant;

/// The tries that one request has left.
#[derive(Clone, Copy, Debug)]
pub struct Attempts {
    made: u32,
    retries: u32,
    allowed: u32,
    backoff: Backoff,
}

/// Whether and when to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// After this long.
    For(Duration),
    /// Not at all: the failure is final.
    Never,
}

// === impl Attempts ===

impl Attempts {
    /// The tries that the configuration allows.
    pub fn new(config: &Config) -> Self {
        Attempts {
            made: 0,
            retries: 0,
            allowed: config.retry_attempts,
            backoff: Backoff::new(config),
        }
    }

    /// A call is made.
    pub fn begin(&mut self) {
        self.made = self.made.saturating_add(1);
    }

    /// Calls that may still be made.
    pub fn left(&self) -> u32 {
        self.allowed.saturating_sub(self.made)
    }

    /// Calls made so far.
    pub fn made(&self) -> u32 {
        self.made
    }

    /// What to do about a failure. No sleep follows the last try, none reaches past `deadline`, and a worker that asks for
    /// a longer rest than the longest pause is not slept through. A refusal by breaker or rest has cost no try.
    pub fn after(&mut self, failure: &Failure, now: Instant, deadline: Instant, rng: &mut impl Rng) -> Pause {
        if self.made >= self.allowed {
            return Pause::Never;
        }
        let pause = match failure.code().retry() {
            Retry::Now => self.backoff.pause(self.retries, rng),
            Retry::After if failure.code() == Code::RateLimited => failure.retry_after().unwrap_or(Duration::MAX),
            Retry::After | Retry::Never => return Pause::Never,
        };
        let left = deadline.saturating_duration_since(now);
        if pause > self.backoff.longest() || pause >= left {
            return Pause::Never;
        }
        self.retries = self.retries.saturating_add(1);
        Pause::For(pause)
    }
}

#[cfg(test)]
mod tests;
