//! Which requests share an answer, and for how long.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which requests share an answer, and for how long.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Whether equal requests share one answer at all.
    pub enabled: bool,
    /// Seconds for which a finished answer is replayed, from its end; 0 shares running ones only.
    #[schemars(range(min = 0, max = 86_400))]
    pub window_s: u64,
    /// Answers that are known at once; the one used longest ago goes first.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub max_entries: usize,
    /// Whether requests of different sessions share an answer.
    pub share_across_sessions: bool,
    /// Which requests share.
    pub scope: Scope,
}

/// Which requests share an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// All that are equal.
    #[default]
    All,
    /// Only those whose temperature is 0, so that whoever samples gets an answer of their own.
    Deterministic,
}

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        Config {
            enabled: true,
            window_s: 0,
            max_entries: 10_000,
            share_across_sessions: true,
            scope: Scope::All,
        }
    }
}
