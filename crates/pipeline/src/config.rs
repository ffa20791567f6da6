//! How wide the line is, how long a request may wait at the gate, and how much answers may hold.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How many requests a stage works on at once, and how many the edge into it holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StageConfig {
    /// Requests that the stage works on at once, per line.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub width: usize,
    /// Requests that the edge into the stage holds, per line.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub capacity: usize,
}

/// The gate: where a request waits for a worker, and for how long.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LanesConfig {
    /// How many requests each lane may send on in a round, while all lanes wait.
    pub weights: Weights,
    /// Requests that may wait in the lane that they asked for, over all cores; the next is refused.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub capacity: usize,
    /// The longest wait in milliseconds; a request that would wait longer is refused at once.
    #[schemars(range(min = 1, max = 3_600_000))]
    pub max_wait_ms: u64,
    /// Seconds after which a low request that waits is called before higher ones, a normal one after half of them; every
    /// fourth call at most goes to such a request.
    #[schemars(range(min = 1, max = 3_600))]
    pub starvation_s: u64,
}

/// The shares of the lanes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Weights {
    /// The share of the high lane.
    #[schemars(range(min = 1, max = 1_000))]
    pub high: u32,
    /// The share of the normal lane.
    #[schemars(range(min = 1, max = 1_000))]
    pub normal: u32,
    /// The share of the low lane.
    #[schemars(range(min = 1, max = 1_000))]
    pub low: u32,
}

/// How many bytes answers may hold while they run and while they are kept for replay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AnswersConfig {
    /// Bytes that one answer may hold; it ends with the finish reason `length` beyond.
    #[schemars(range(min = 1_024, max = 1_073_741_824))]
    pub max_answer_bytes: usize,
    /// Bytes that all answers together may hold; kept ones go first, then new requests are refused.
    #[schemars(range(min = 1_024, max = 1_099_511_627_776_u64))]
    pub max_log_bytes: usize,
}

// === impl StageConfig ===

impl Default for StageConfig {
    fn default() -> Self {
        StageConfig {
            width: 64,
            capacity: 64,
        }
    }
}

// === impl LanesConfig ===

impl Default for LanesConfig {
    fn default() -> Self {
        LanesConfig {
            weights: Weights::default(),
            capacity: 1000,
            max_wait_ms: 10_000,
            starvation_s: 5,
        }
    }
}

// === impl Weights ===

impl Default for Weights {
    fn default() -> Self {
        Weights {
            high: 16,
            normal: 4,
            low: 1,
        }
    }
}

// === impl AnswersConfig ===

impl Default for AnswersConfig {
    fn default() -> Self {
        AnswersConfig {
            max_answer_bytes: 8 << 20,
            max_log_bytes: 512 << 20,
        }
    }
}
