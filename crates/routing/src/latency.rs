//! A worker's latency as a decaying peak (Finagle's peak EWMA, as it behaves when it is read often): it rises to a slower
//! sample at once, and is forgotten exponentially. So a worker that has become slow is left at once, and asked again
//! after a while.
//!
//! A pure machine: at any time the estimate is the greatest of its samples, each as far as it is not yet forgotten. A
//! wait that was given up is a sample too, a lower bound.

use std::time::Duration;
use tokio::time::Instant;

/// The time in which a sample shrinks to 1/e.
const TAU: Duration = Duration::from_secs(10);

/// What a failure or a 429 adds.
const PENALTY: Duration = Duration::from_secs(1);

/// A worker's latency for requests of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Latency(Option<Peak>);

/// An estimate in seconds, as it was at a moment.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Peak {
    seconds: f64,
    at: Instant,
}

// === impl Latency ===

impl Latency {
    /// Takes a sample: the time to a stream's first token or to a whole answer, or how long it was waited for in vain.
    pub(crate) fn observe(&mut self, sample: Duration, now: Instant) {
        self.set(self.seconds(now).unwrap_or(0.0).max(sample.as_secs_f64()), now);
    }

    /// Takes a failure or a 429, whose own time would speak for the worker: it adds a second.
    pub(crate) fn penalize(&mut self, now: Instant) {
        self.set(self.seconds(now).unwrap_or(0.0) + PENALTY.as_secs_f64(), now);
    }

    /// The estimate at `now`; none without a sample. Looking changes nothing.
    pub(crate) fn estimate(&self, now: Instant) -> Option<Duration> {
        Some(Duration::try_from_secs_f64(self.seconds(now)?).unwrap_or(Duration::MAX))
    }

    fn seconds(&self, now: Instant) -> Option<f64> {
        let peak = self.0?;
        let age = now.saturating_duration_since(peak.at);
        Some(peak.seconds * (-age.div_duration_f64(TAU)).exp())
    }

    fn set(&mut self, seconds: f64, now: Instant) {
        // Threads may report in another order than they looked at the clock.
        let at = self.0.map_or(now, |peak| peak.at.max(now));
        self.0 = Some(Peak { seconds, at });
    }
}

#[cfg(test)]
mod tests;
