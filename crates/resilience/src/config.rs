//! How calls are retried, and when a worker is left alone.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Retries and breakers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Calls that one request may cost in all; 1 never tries again.
    #[schemars(range(min = 1, max = 20))]
    pub retry_attempts: u32,
    /// The longest first pause between two calls, in milliseconds; the pause itself is drawn from 0 to it.
    #[schemars(range(min = 1, max = 60_000))]
    pub retry_base_ms: u64,
    /// The longest pause between two calls, in milliseconds; each retry doubles up to it.
    #[schemars(range(min = 1, max = 600_000))]
    pub retry_max_ms: u64,
    /// Failures in a row that open a worker's breaker; 0 never opens it.
    #[schemars(range(min = 0, max = 10_000))]
    pub circuit_breaker_threshold: u32,
    /// Seconds that a breaker stays open at first; each failed probe doubles it.
    #[schemars(range(min = 1, max = 86_400))]
    pub circuit_breaker_timeout_s: u64,
    /// Calls that a half-open breaker lets through at once.
    #[schemars(range(min = 1, max = 1_000))]
    pub half_open_probes: u32,
    /// Successes in a row that close a half-open breaker.
    #[schemars(range(min = 1, max = 1_000))]
    pub close_after: u32,
    /// The longest time that a breaker stays open, in seconds.
    #[schemars(range(min = 1, max = 86_400))]
    pub open_max_s: u64,
}

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        Config {
            retry_attempts: 3,
            retry_base_ms: 100,
            retry_max_ms: 5_000,
            circuit_breaker_threshold: 5,
            circuit_breaker_timeout_s: 60,
            half_open_probes: 3,
            close_after: 2,
            open_max_s: 300,
        }
    }
}
