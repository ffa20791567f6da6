//! From what on the last calls of a worker open its breaker.

use crate::Config;
use std::time::Duration;

/// From what on the last calls of a worker open its breaker. What is zero opens none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    /// The share of failures, 0 to 1.
    pub failure_rate: f64,
    /// The share of 429s, 0 to 1.
    pub rate_limit_rate: f64,
    /// The 95th percentile of the time to the first token.
    pub latency_p95: Duration,
}

// === impl Thresholds ===

impl Thresholds {
    /// Those that the configuration names.
    pub fn fixed(config: &Config) -> Self {
        Thresholds {
            failure_rate: config.failure_rate,
            rate_limit_rate: config.rate_limit_rate,
            latency_p95: Duration::from_millis(config.latency_p95_ms),
        }
    }

    /// The time from which on a first token is slow; none where nobody asks.
    pub(super) fn slow_from(&self) -> Option<Duration> {
        Some(self.latency_p95).filter(|time| !time.is_zero())
    }
}
