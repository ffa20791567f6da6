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
    /// Failures in a row that open a worker's breaker. Twenty calls in a row that end before their first token open it too,
    /// whoever ended them. 0: no row does, neither the one nor the other.
    #[schemars(range(min = 0, max = 10_000))]
    pub circuit_breaker_threshold: u32,
    /// The share of failures among the last calls that opens a breaker, 0 to 1; 0: none does.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub failure_rate: f64,
    /// The share of 429s among the last calls that opens a breaker, 0 to 1; 0: none does.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub rate_limit_rate: f64,
    /// The time to the first token that opens a breaker when one call in twenty of the last takes as long, in
    /// milliseconds; 0: none does.
    #[schemars(range(min = 0, max = 600_000))]
    pub latency_p95_ms: u64,
    /// The last calls over which a breaker looks at rates and latency.
    #[schemars(range(min = 1, max = 10_000))]
    pub window_calls: u32,
    /// How old those calls may be, in seconds.
    #[schemars(range(min = 1, max = 3_600))]
    pub window_s: u64,
    /// The fewest of those calls that open a breaker; never more than it looks at.
    #[schemars(range(min = 1, max = 10_000))]
    pub min_calls: u32,
    /// Whether the two shares and the time above follow what is usual of each worker: a share is the usual one and half of
    /// the fixed one beyond, at most half way from the fixed one to 1; the time is twice the usual one, from half to twice
    /// the fixed one. An outage does not become usual.
    pub adaptive_thresholds: bool,
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
    /// Seconds over which a worker whose breaker has closed gets its full share of calls back, from a tenth on; 0: at once.
    #[schemars(range(min = 0, max = 3_600))]
    pub slow_start_s: u64,
    /// Calls that a worker is sent a minute at most; 0: as many as there are.
    #[schemars(range(min = 0, max = 10_000_000))]
    pub requests_per_minute: u32,
    /// Calls of that limit that may come at once.
    #[schemars(range(min = 1, max = 100_000))]
    pub requests_burst: u32,
    /// Tokens that a worker is asked for a minute at most, prompts and answers together; 0: as many as there are. A call takes
    /// an estimate before, and what it has really cost counts when it is over.
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub tokens_per_minute: u32,
    /// Tokens of that limit that may come at once; a call that is larger waits for all of them.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub tokens_burst: u32,
    /// Whether to find out, between 1 and `max_concurrent`, how many calls at once a worker takes before it slows down.
    pub adaptive_concurrency: bool,
}

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        Config {
            retry_attempts: 3,
            retry_base_ms: 100,
            retry_max_ms: 5_000,
            circuit_breaker_threshold: 5,
            failure_rate: 0.5,
            rate_limit_rate: 0.0,
            latency_p95_ms: 0,
            window_calls: 50,
            window_s: 60,
            min_calls: 10,
            adaptive_thresholds: false,
            circuit_breaker_timeout_s: 60,
            half_open_probes: 3,
            close_after: 2,
            open_max_s: 300,
            slow_start_s: 10,
            requests_per_minute: 0,
            requests_burst: 10,
            tokens_per_minute: 0,
            tokens_burst: 10_000,
            adaptive_concurrency: false,
        }
    }
}
