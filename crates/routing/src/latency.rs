//! A worker's latency as a decaying peak (Finagle's peak EWMA, as it behaves when it is read often): it rises to a slower
//! sample at once, and is forgotten exponentially. So a worker that has become slow is left at once, and asked again
//! after a while.
//!
//! A pure machine: at any time the estimate is the greatest of its samples, each as far as it is not yet forgotten. A
//! wait that was given up is a lower bound: it raises the estimate like a sample, but where there is none it makes none,
//! since an impatient client does not make a worker fast.

use std::time::Duration;
use tokio::time::Instant;

/// The time in which a sample shrinks to 1/e.
const TAU: Duration = Duration::from_secs(10);

/// How long a worker is taken to be as it was when it was last heard of.
const MEMORY: Duration = Duration::from_secs(30);

/// What a failure or a 429 adds.
const PENALTY: Duration = Duration::from_secs(1);

/// A worker's latency for requests of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Latency {
    /// The greatest of samples and bounds.
    peak: Option<Peak>,
    /// Whether one of them was a sample.
    is_sampled: bool,
}

/// Seconds, as it was at a moment.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Peak {
    seconds: f64,
    at: Instant,
}

// === impl Latency ===

impl Latency {
    /// Takes a sample: the time to a stream's first token or to a whole answer.
    pub(crate) fn observe(&mut self, sample: Duration, now: Instant) {
        self.wait_at_least(sample, now);
        self.is_sampled = true;
    }

    /// Takes a lower bound: how long a first token or an answer was waited for in vain.
    pub(crate) fn wait_at_least(&mut self, bound: Duration, now: Instant) {
        self.set(self.seconds(now).max(bound.as_secs_f64()), now);
    }

    /// Takes a failure or a 429, whose own time would speak for the worker: it adds a second.
    pub(crate) fn penalize(&mut self, now: Instant) {
        self.set(self.seconds(now) + PENALTY.as_secs_f64(), now);
        self.is_sampled = true;
    }

    /// The estimate at `now`; none without a sample. Looking changes nothing, here and below.
    pub(crate) fn estimate(&self, now: Instant) -> Option<Duration> {
        self.is_sampled.then(|| self.at_least(now))
    }

    /// What it is at least, whether there is a sample or not.
    pub(crate) fn at_least(&self, now: Instant) -> Duration {
        Duration::try_from_secs_f64(self.seconds(now)).unwrap_or(Duration::MAX)
    }

    /// What the estimate was when it last changed; none once that is long ago. What is forgotten makes no worker fast.
    pub(crate) fn last(&self, now: Instant) -> Option<Duration> {
        let peak = self.peak.filter(|_| self.is_sampled)?;
        let is_known = now.saturating_duration_since(peak.at) <= MEMORY;
        is_known.then(|| Duration::try_from_secs_f64(peak.seconds).unwrap_or(Duration::MAX))
    }

    fn seconds(&self, now: Instant) -> f64 {
        self.peak.map_or(0.0, |peak| {
            let age = now.saturating_duration_since(peak.at);
            peak.seconds * (-age.div_duration_f64(TAU)).exp()
        })
    }

    fn set(&mut self, seconds: f64, now: Instant) {
        // Threads may report in another order than they looked at the clock.
        let at = self.peak.map_or(now, |peak| peak.at.max(now));
        self.peak = Some(Peak { seconds, at });
    }
}

#[cfg(test)]
mod tests;
