//! Which faults are injected where, and how often.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The name in `workers` that stands for all workers without faults of their own.
pub const ALL: &str = "*";

/// Faults that are injected, to see what becomes of requests.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Whether the faults below are injected from the start. Operators may inject others for up to 15 minutes all the same.
    pub enabled: bool,
    /// What chance begins with: the n-th call of a worker meets the same faults in every run with the same seed.
    #[schemars(range(min = 0, max = 9_007_199_254_740_991_u64))]
    pub seed: u64,
    /// Whether a client may inject faults into its own request: `x-orchestrator-chaos`.
    pub allow_header: bool,
    /// Whether any of this is allowed under `profile = "prod"`; otherwise it is refused there.
    pub allow_in_prod: bool,
    /// The faults of calls, by worker; `*` stands for all workers that are not named.
    pub workers: BTreeMap<String, WorkerFaults>,
    /// The faults of searches for passages.
    pub retriever: RetrieverFaults,
}

/// The faults of a worker's calls, each drawn for itself. A probability of 0 never comes true, one of 1 always.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WorkerFaults {
    /// How probable it is that a call is held up before it begins, 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub latency: f64,
    /// The shortest time that it is held up, in milliseconds.
    #[schemars(range(min = 0, max = 600_000))]
    pub latency_min_ms: u64,
    /// The longest time, in milliseconds.
    #[schemars(range(min = 0, max = 600_000))]
    pub latency_max_ms: u64,
    /// How probable it is that a call fails instead of being made, 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub failure: f64,
    /// The status that a call which fails so pretends to have been answered with.
    #[schemars(range(min = 400, max = 599))]
    pub status: u16,
    /// How probable it is that an answer breaks off, 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub cut: f64,
    /// The tokens after which it does; an answer in one piece is lost whole.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub cut_after_tokens: u64,
    /// How probable it is that an answer comes slowly, 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub trickle: f64,
    /// The pause before each token that comes slowly, in milliseconds.
    #[schemars(range(min = 1, max = 600_000))]
    pub trickle_ms: u64,
}

/// The faults of searches for passages, each drawn for itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RetrieverFaults {
    /// How probable it is that a search is held up before it begins, 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub latency: f64,
    /// The shortest time that it is held up, in milliseconds.
    #[schemars(range(min = 0, max = 600_000))]
    pub latency_min_ms: u64,
    /// The longest time, in milliseconds.
    #[schemars(range(min = 0, max = 600_000))]
    pub latency_max_ms: u64,
    /// How probable it is that a search fails instead of being made, 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub failure: f64,
}

// === impl WorkerFaults ===

impl Default for WorkerFaults {
    fn default() -> Self {
        WorkerFaults {
            latency: 0.0,
            latency_min_ms: 500,
            latency_max_ms: 3_000,
            failure: 0.0,
            status: 503,
            cut: 0.0,
            cut_after_tokens: 10,
            trickle: 0.0,
            trickle_ms: 250,
        }
    }
}

// === impl RetrieverFaults ===

impl Default for RetrieverFaults {
    fn default() -> Self {
        RetrieverFaults {
            latency: 0.0,
            latency_min_ms: 200,
            latency_max_ms: 1_500,
            failure: 0.0,
        }
    }
}

impl From<&RetrieverFaults> for WorkerFaults {
    /// As far as a retriever can meet what a worker can.
    fn from(faults: &RetrieverFaults) -> Self {
        WorkerFaults {
            latency: faults.latency,
            latency_min_ms: faults.latency_min_ms,
            latency_max_ms: faults.latency_max_ms,
            failure: faults.failure,
            ..WorkerFaults::default()
        }
    }
}
