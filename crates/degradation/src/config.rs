//! What answers when the workers of a route cannot, and when it does so before they are asked.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The part of a cache's bytes that one answer may take: so that a few long ones do not displace all others.
const PARTS: usize = 16;

/// What answers when no worker of a route can. Without a chain that is a clear 503.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The steps that are tried one after the other once a request's workers cannot answer it.
    pub chain: Vec<Step>,
    /// What the step `message` answers.
    #[schemars(length(min = 1, max = 65_536))]
    pub message: String,
    /// Seconds without another such request after which an episode of degraded answers is over.
    #[schemars(range(min = 1, max = 86_400))]
    pub quiet_s: u64,
    /// What the step `cache` keeps.
    pub cache: CacheConfig,
    /// Whom the step `reduced` asks.
    pub reduced: ReducedConfig,
    /// When a step answers before the workers are asked.
    pub rules: Vec<RuleConfig>,
}

/// One way to answer without the workers of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The answer that an equal request was given before.
    Cache,
    /// A smaller model: without passages, and with a shorter answer.
    Reduced,
    /// A text that is always the same.
    Message,
}

/// Which answers are kept for the time when the workers cannot give them: those that deduplication may share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CacheConfig {
    /// Seconds for which an answer counts as fresh.
    #[schemars(range(min = 1, max = 2_592_000))]
    pub fresh_s: u64,
    /// The age in seconds up to which it may be given though it is stale, more than `fresh_s`; 0 gives no stale ones.
    #[schemars(range(min = 0, max = 2_592_000))]
    pub stale_s: u64,
    /// Answers that are kept; the one used longest ago goes first.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub max_entries: usize,
    /// Bytes that all of them may take, with those that are still heard, which leave them half of it. One that takes more than
    /// a sixteenth of it is not kept.
    #[schemars(range(min = 65_536, max = 1_099_511_627_776_u64))]
    pub max_bytes: usize,
}

/// Whom the step `reduced` asks, and for how much.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReducedConfig {
    /// The workers that are asked, as the primary ones of a route named `reduced`.
    pub workers: Vec<String>,
    /// The most tokens of an answer.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub max_tokens: u64,
    /// Milliseconds that they have for their first token, or for the whole of an answer that is not streamed. Less than
    /// `server.keepalive_ms`, so that the next step is still told in a header.
    #[schemars(range(min = 1, max = 3_600_000))]
    pub patience_ms: u64,
}

/// When a step answers before the workers are asked: while too many requests of a route fail, or are answered too slowly.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RuleConfig {
    /// The name in logs, metrics and episodes.
    #[schemars(length(min = 1, max = 64))]
    pub name: String,
    /// The step that answers while the rule holds. A request for which it has nothing is sent to the workers.
    pub mode: Step,
    /// The part of requests that fail from which on the rule holds; 0 asks nothing of it.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub failure_rate: f64,
    /// The time to the first token, in milliseconds, of the slowest twentieth of streams from which on the rule holds; 0 asks
    /// nothing of it. Answers that come as a whole do not tell it.
    #[schemars(range(min = 0, max = 3_600_000))]
    pub latency_p95_ms: u64,
    /// The part of its thresholds below which all is well again.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub recovered_at: f64,
    /// Seconds over which requests are counted.
    #[schemars(range(min = 1, max = 3_600))]
    pub window_s: u64,
    /// Requests within the window that say something; of streams, where their time is asked for.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub min_requests: u64,
    /// Seconds for which all must be well before the rule ends. Once a second a request goes to the workers to find out.
    #[schemars(range(min = 1, max = 3_600))]
    pub hold_s: u64,
}

// === impl Config ===

impl Config {
    /// Whether anything of it is on.
    pub fn is_on(&self) -> bool {
        !self.chain.is_empty()
    }

    /// Whether the chain has this step.
    pub fn has(&self, step: Step) -> bool {
        self.chain.contains(&step)
    }
}

impl Default for Config {
    fn default() -> Self {
        Config {
            chain: Vec::new(),
            message: "The service is temporarily unavailable.".to_owned(),
            quiet_s: 30,
            cache: CacheConfig::default(),
            reduced: ReducedConfig::default(),
            rules: Vec::new(),
        }
    }
}

// === impl Step ===

impl Step {
    /// The name in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Step::Cache => "cache",
            Step::Reduced => "reduced",
            Step::Message => "message",
        }
    }
}

// === impl CacheConfig ===

impl CacheConfig {
    /// The bytes that one answer may take.
    pub(crate) fn most(&self) -> usize {
        self.max_bytes.div_ceil(PARTS)
    }

    pub(crate) fn fresh(&self) -> Duration {
        Duration::from_secs(self.fresh_s)
    }

    /// The age from which on an answer is not given any more.
    pub(crate) fn longest(&self) -> Duration {
        Duration::from_secs(self.fresh_s.max(self.stale_s))
    }
}

impl Default for CacheConfig {
    fn default() -> Self {
        CacheConfig {
            fresh_s: 300,
            stale_s: 3_600,
            max_entries: 10_000,
            max_bytes: 64 << 20,
        }
    }
}

// === impl ReducedConfig ===

impl Default for ReducedConfig {
    fn default() -> Self {
        ReducedConfig {
            workers: Vec::new(),
            max_tokens: 256,
            patience_ms: 8_000,
        }
    }
}

// === impl RuleConfig ===

impl Default for RuleConfig {
    fn default() -> Self {
        RuleConfig {
            name: "rule".to_owned(),
            mode: Step::Message,
            failure_rate: 0.0,
            latency_p95_ms: 0,
            recovered_at: 0.5,
            window_s: 60,
            min_requests: 20,
            hold_s: 30,
        }
    }
}

#[cfg(test)]
mod tests;
