//! How a worker's server is asked for signs of life.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When a worker's server is asked for its list of models, or for its health, and what follows from its answers. Only
/// failed connections, timeouts and 5xx are bad ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Health {
    /// Seconds from one question to the next, give or take a tenth; 0: it is never asked.
    #[schemars(range(min = 0, max = 86_400))]
    pub interval_s: u64,
    /// The longest wait for an answer, in milliseconds.
    #[schemars(range(min = 1, max = 600_000))]
    pub timeout_ms: u64,
    /// Bad answers in a row after which requests go to other workers.
    #[schemars(range(min = 1, max = 1_000))]
    pub down_after: u32,
    /// Good answers in a row after which they come back.
    #[schemars(range(min = 1, max = 1_000))]
    pub up_after: u32,
}

// === impl Health ===

impl Default for Health {
    fn default() -> Self {
        Health {
            interval_s: 30,
            timeout_ms: 5_000,
            down_after: 3,
            up_after: 2,
        }
    }
}
