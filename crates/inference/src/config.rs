//! The stage that calls workers, and how each worker is reached.

mod health;

pub use health::Health;

use orchestrator_core::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The stage that calls a worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The worker of all requests where there are no `[routes]`: the name of a `[workers]` section, or a provider with its
    /// usual environment variables.
    #[schemars(length(min = 1))]
    pub worker: String,
    /// The model for requests that name none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The most tokens of an answer, for requests that do not say.
    #[schemars(range(min = 1, max = 10_000_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
    /// The temperature for requests that do not say.
    #[schemars(range(min = 0.0, max = 2.0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Calls that the stage makes at once, per line.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub width: usize,
    /// Requests that the edge into the stage holds, per line.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub capacity: usize,
}

/// A worker: a model server, and how to treat it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkerConfig {
    /// What the server speaks.
    pub provider: ProviderName,
    /// Where it is; by default the provider's own place or its usual environment variable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// Its key; by default from the provider's usual environment variable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key: Option<Secret>,
    /// The model's name at this server, whatever the client called it; by default the client's name goes through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Calls that it takes at once, over all cores.
    #[serde(default = "WorkerConfig::default_max_concurrent")]
    #[schemars(range(min = 1, max = 100_000), extend("x-live" = true))]
    pub max_concurrent: usize,
    /// The pool of `[pools]` that its calls count against as well; by default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<PoolName>,
    /// The longest time to connect, in milliseconds.
    #[serde(default = "WorkerConfig::default_connect_timeout")]
    #[schemars(range(min = 1, max = 600_000))]
    pub connect_timeout_ms: u64,
    /// The longest wait for the first token of a stream, in milliseconds; reasoning may be hidden and long.
    #[serde(default = "WorkerConfig::default_first_token_timeout")]
    #[schemars(range(min = 1, max = 86_400_000))]
    pub first_token_timeout_ms: u64,
    /// The longest silence in a stream, in milliseconds; any byte counts.
    #[serde(default = "WorkerConfig::default_idle_timeout")]
    #[schemars(range(min = 1, max = 86_400_000))]
    pub idle_timeout_ms: u64,
    /// Whether to ask for a stream as the client did, or always.
    #[serde(default)]
    pub upstream_stream: UpstreamStream,
    /// For `echo` only: the pause before each token, in milliseconds.
    #[serde(default)]
    #[schemars(range(min = 0, max = 60_000))]
    pub delay_ms: u64,
    /// How this worker differs from `[pipeline.resilience]`.
    #[serde(default)]
    pub resilience: Resilience,
    /// How its server is asked for signs of life. `echo` has none.
    #[serde(default)]
    pub health: Health,
}

/// What a model server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProviderName {
    /// OpenAI's API, or a server that speaks it.
    #[serde(rename = "openai")]
    OpenAi,
    /// Anthropic's Messages API.
    Anthropic,
    /// The server of llama.cpp.
    LlamaCpp,
    /// An Ollama server.
    Ollama,
    /// A vLLM server.
    Vllm,
    /// No server: answers with the last user message, word by word.
    Echo,
}

/// The pools whose slots workers share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PoolName {
    /// For workers that answer quickly.
    Fast,
    /// For workers that take their time.
    Slow,
}

/// Whether a worker is asked for a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UpstreamStream {
    /// As the client that came first asked.
    #[default]
    AsAsked,
    /// In any case.
    Always,
}

/// The keys of `[pipeline.resilience]` for one worker alone, but for how requests are tried again, since that takes other
/// workers too; those left out are as there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Resilience {
    /// Failures in a row that open the breaker, as do twenty calls in a row without a first token; 0: no row does.
    #[schemars(range(min = 0, max = 10_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub circuit_breaker_threshold: Option<u32>,
    /// The share of failures among the last calls that opens the breaker; 0: none does.
    #[schemars(range(min = 0.0, max = 1.0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_rate: Option<f64>,
    /// The share of 429s among the last calls that opens the breaker; 0: none does.
    #[schemars(range(min = 0.0, max = 1.0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_limit_rate: Option<f64>,
    /// The time to the first token that opens the breaker when one call in twenty takes as long, in milliseconds.
    #[schemars(range(min = 0, max = 600_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_p95_ms: Option<u64>,
    /// The last calls over which the breaker looks at rates and latency.
    #[schemars(range(min = 1, max = 10_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window_calls: Option<u32>,
    /// How old those calls may be, in seconds.
    #[schemars(range(min = 1, max = 3_600))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window_s: Option<u64>,
    /// The fewest of those calls that open the breaker.
    #[schemars(range(min = 1, max = 10_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_calls: Option<u32>,
    /// Whether these shares and this time follow what is usual of the worker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adaptive_thresholds: Option<bool>,
    /// Seconds that the breaker stays open at first.
    #[schemars(range(min = 1, max = 86_400))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub circuit_breaker_timeout_s: Option<u64>,
    /// Calls that the half-open breaker lets through at once.
    #[schemars(range(min = 1, max = 1_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub half_open_probes: Option<u32>,
    /// Successes in a row that close the half-open breaker.
    #[schemars(range(min = 1, max = 1_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub close_after: Option<u32>,
    /// The longest time that the breaker stays open, in seconds.
    #[schemars(range(min = 1, max = 86_400))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_max_s: Option<u64>,
    /// Seconds over which the worker gets its full share of calls back after its breaker has closed; 0: at once.
    #[schemars(range(min = 0, max = 3_600))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slow_start_s: Option<u64>,
    /// Calls that the worker is sent a minute at most; 0: as many as there are.
    #[schemars(range(min = 0, max = 10_000_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<u32>,
    /// Calls of that limit that may come at once.
    #[schemars(range(min = 1, max = 100_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_burst: Option<u32>,
    /// Tokens that the worker is asked for a minute at most, prompts and answers together; 0: as many as there are.
    #[schemars(range(min = 0, max = 1_000_000_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_per_minute: Option<u32>,
    /// Tokens of that limit that may come at once.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_burst: Option<u32>,
    /// Whether to find out how many calls at once the worker takes before it slows down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adaptive_concurrency: Option<bool>,
}

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        Config {
            worker: "echo".to_owned(),
            model: None,
            max_tokens: None,
            temperature: None,
            width: 1024,
            capacity: 64,
        }
    }
}

// === impl WorkerConfig ===

impl WorkerConfig {
    /// A worker of this provider with its usual place and key.
    pub fn usual(provider: ProviderName) -> Self {
        WorkerConfig {
            provider,
            base_url: None,
            api_key: None,
            model: None,
            max_concurrent: Self::default_max_concurrent(),
            pool: None,
            connect_timeout_ms: Self::default_connect_timeout(),
            first_token_timeout_ms: Self::default_first_token_timeout(),
            idle_timeout_ms: Self::default_idle_timeout(),
            upstream_stream: UpstreamStream::default(),
            delay_ms: 0,
            resilience: Resilience::default(),
            health: Health::default(),
        }
    }

    fn default_max_concurrent() -> usize {
        95
    }

    fn default_connect_timeout() -> u64 {
        5_000
    }

    fn default_first_token_timeout() -> u64 {
        120_000
    }

    fn default_idle_timeout() -> u64 {
        60_000
    }

    pub(crate) fn connect_timeout(&self) -> Duration {
        Duration::from_millis(self.connect_timeout_ms)
    }

    pub(crate) fn first_token_timeout(&self) -> Duration {
        Duration::from_millis(self.first_token_timeout_ms)
    }

    pub(crate) fn idle_timeout(&self) -> Duration {
        Duration::from_millis(self.idle_timeout_ms)
    }
}

// === impl ProviderName ===

impl ProviderName {
    /// All providers.
    pub const ALL: [ProviderName; 6] = [
        ProviderName::Anthropic,
        ProviderName::Ollama,
        ProviderName::OpenAi,
        ProviderName::LlamaCpp,
        ProviderName::Vllm,
        ProviderName::Echo,
    ];

    /// The name in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            ProviderName::OpenAi => "openai",
            ProviderName::Anthropic => "anthropic",
            ProviderName::LlamaCpp => "llama_cpp",
            ProviderName::Ollama => "ollama",
            ProviderName::Vllm => "vllm",
            ProviderName::Echo => "echo",
        }
    }

    /// Reads a provider's name; `None` for any other word.
    pub fn parse(text: &str) -> Option<Self> {
        ProviderName::ALL.into_iter().find(|name| name.as_str() == text)
    }
}

// === impl Resilience ===

impl Resilience {
    /// The general settings with this worker's own in place.
    pub fn over(&self, general: &orchestrator_resilience::Config) -> orchestrator_resilience::Config {
        orchestrator_resilience::Config {
            retry_attempts: general.retry_attempts,
            retry_base_ms: general.retry_base_ms,
            retry_max_ms: general.retry_max_ms,
            circuit_breaker_threshold: self
                .circuit_breaker_threshold
                .unwrap_or(general.circuit_breaker_threshold),
            failure_rate: self.failure_rate.unwrap_or(general.failure_rate),
            rate_limit_rate: self.rate_limit_rate.unwrap_or(general.rate_limit_rate),
            latency_p95_ms: self.latency_p95_ms.unwrap_or(general.latency_p95_ms),
            window_calls: self.window_calls.unwrap_or(general.window_calls),
            window_s: self.window_s.unwrap_or(general.window_s),
            min_calls: self.min_calls.unwrap_or(general.min_calls),
            adaptive_thresholds: self.adaptive_thresholds.unwrap_or(general.adaptive_thresholds),
            circuit_breaker_timeout_s: self
                .circuit_breaker_timeout_s
                .unwrap_or(general.circuit_breaker_timeout_s),
            half_open_probes: self.half_open_probes.unwrap_or(general.half_open_probes),
            close_after: self.close_after.unwrap_or(general.close_after),
            open_max_s: self.open_max_s.unwrap_or(general.open_max_s),
            slow_start_s: self.slow_start_s.unwrap_or(general.slow_start_s),
            requests_per_minute: self.requests_per_minute.unwrap_or(general.requests_per_minute),
            requests_burst: self.requests_burst.unwrap_or(general.requests_burst),
            tokens_per_minute: self.tokens_per_minute.unwrap_or(general.tokens_per_minute),
            tokens_burst: self.tokens_burst.unwrap_or(general.tokens_burst),
            adaptive_concurrency: self.adaptive_concurrency.unwrap_or(general.adaptive_concurrency),
        }
    }
}

#[cfg(test)]
mod tests;
