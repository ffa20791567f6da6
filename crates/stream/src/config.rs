//! `[pipeline.stages.stream]`: how many replies are driven at once.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The stage that drives replies into their answers. A job lasts as long as its call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Replies that are driven at once, per line.
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
            width: 16_384,
            capacity: 64,
        }
    }
}

#[cfg(test)]
mod tests;
