//! Whether, how long and for how much text passages are looked for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Retrieval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Whether passages are looked for.
    pub enabled: bool,
    /// How long they are looked for, in milliseconds; then the request goes on without.
    #[schemars(range(min = 1, max = 600_000))]
    pub timeout_ms: u64,
    /// Tokens that passages may add to a prompt, taken as four bytes each.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub max_context_tokens: usize,
    /// Passages that are used at most.
    #[schemars(range(min = 1, max = 1_000))]
    pub top_k: usize,
    /// Whether a request fails when retrieval does.
    pub required: bool,
    /// Requests that the stage works on at once, per line.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub width: usize,
    /// Requests that the edge into the stage holds, per line.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub capacity: usize,
}

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        Config {
            enabled: true,
            timeout_ms: 5_000,
            max_context_tokens: 2_048,
            top_k: 4,
            required: false,
            width: 64,
            capacity: 64,
        }
    }
}

impl Config {
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}
