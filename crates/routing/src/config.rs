//! What a route is: which requests take it, which workers it may call, and within which limits.
//!
//! What the schema marks with `x-live` may be changed while the program works; the rest is read once.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A route: the requests that take it, and the workers that may answer them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RouteConfig {
    /// The models that clients ask for: exact names, or a beginning with `*` after it; `*` alone means all. Only the route
    /// `reduced` of degradation has none.
    #[schemars(
        length(max = 1_000),
        inner(length(min = 1, max = 256), regex(pattern = r"^[^*]*\*?$"))
    )]
    pub models: Vec<String>,
    /// The workers that answer while they can.
    #[schemars(length(max = 10_000))]
    pub primary: Vec<String>,
    /// The workers that answer when no primary one can.
    #[schemars(length(max = 10_000))]
    pub secondary: Vec<String>,
    /// The workers that answer when no other can.
    #[schemars(length(max = 10_000))]
    pub backup: Vec<String>,
    /// How a tier's calls are spread over its workers.
    #[schemars(extend("x-live" = true))]
    pub balance: Balance,
    /// How much more than another a worker is given, by its name; 1 for those not named.
    #[schemars(with = "BTreeMap<String, Weight>", extend("x-live" = true))]
    pub weights: BTreeMap<String, u32>,
    /// Calls on one tier above which the next one is taken; unset, only the workers' own limits hold.
    #[schemars(range(min = 1, max = 1_000_000), extend("x-live" = true))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub soft_limit: Option<usize>,
    /// Requests that were let on to the route, until their answers are over, above which the next is refused at once; those
    /// that wait at the gate are none of them.
    #[schemars(range(min = 1, max = 1_000_000), extend("x-live" = true))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hard_limit: Option<usize>,
    /// As `soft_limit`, of calls that stream alone.
    #[schemars(range(min = 1, max = 1_000_000), extend("x-live" = true))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream_soft_limit: Option<usize>,
    /// As `hard_limit`, of requests that stream alone.
    #[schemars(range(min = 1, max = 1_000_000), extend("x-live" = true))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream_hard_limit: Option<usize>,
    /// How long a request waits for room on a tier before it goes on to the next, in milliseconds.
    #[schemars(range(min = 0, max = 600_000), extend("x-live" = true))]
    pub overflow_after_ms: u64,
    /// Calls beyond a request's first that the route makes, as a percentage of its requests in the last 10 seconds.
    #[schemars(range(min = 0, max = 1_000), extend("x-live" = true))]
    pub retry_budget_percent: u32,
    /// Calls beyond a request's first that the route may make in 10 seconds, however few its requests are.
    #[schemars(range(min = 0, max = 100_000), extend("x-live" = true))]
    pub retry_budget_min: u32,
}

/// How a tier's calls are spread over its workers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Balance {
    /// One after the other, each as often as its weight says.
    RoundRobin,
    /// Drawn by their weights.
    Weighted,
    /// To the one with the fewest running calls for its weight.
    LeastConnections,
    /// To the better of two drawn by chance: by latency, running calls and weight.
    #[default]
    P2cEwma,
    /// The calls of a session to the same worker as long as it can.
    ConsistentHash,
}

/// How many calls the workers of a class make at once, together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Pools {
    /// Calls of all workers with `pool = "fast"`.
    #[schemars(range(min = 1, max = 100_000), extend("x-live" = true))]
    pub fast: usize,
    /// Calls of all workers with `pool = "slow"`.
    #[schemars(range(min = 1, max = 100_000), extend("x-live" = true))]
    pub slow: usize,
    /// The most that either may be, so that no slip of the hand makes it too many.
    #[schemars(range(min = 1, max = 100_000))]
    pub ceiling: usize,
}

/// How well a route's patterns fit a model's name. The greater one is the closer one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// A beginning of this many bytes.
    Prefix(usize),
    /// The name itself.
    Exact,
}

/// The values of `weights`, for the schema.
#[derive(JsonSchema)]
struct Weight(
    #[schemars(range(min = 1, max = 1_000))]
    #[expect(dead_code, reason = "only the schema is made of it")]
    u32,
);

// === impl RouteConfig ===

impl RouteConfig {
    /// The workers of all tiers, the first tier first.
    pub fn workers(&self) -> impl Iterator<Item = &String> {
        self.primary.iter().chain(&self.secondary).chain(&self.backup)
    }

    /// The weight of the worker of this name.
    pub fn weight(&self, worker: &str) -> u32 {
        self.weights.get(worker).copied().unwrap_or(1)
    }
}

impl Default for RouteConfig {
    fn default() -> Self {
        RouteConfig {
            models: vec!["*".into()],
            primary: Vec::new(),
            secondary: Vec::new(),
            backup: Vec::new(),
            balance: Balance::P2cEwma,
            weights: BTreeMap::new(),
            soft_limit: None,
            hard_limit: None,
            stream_soft_limit: None,
            stream_hard_limit: None,
            overflow_after_ms: 0,
            retry_budget_percent: 20,
            retry_budget_min: 30,
        }
    }
}

// === impl Balance ===

impl Balance {
    /// Every way, in order.
    #[cfg(test)]
    pub(crate) const ALL: [Balance; 5] = [
        Balance::RoundRobin,
        Balance::Weighted,
        Balance::LeastConnections,
        Balance::P2cEwma,
        Balance::ConsistentHash,
    ];

    /// The way's name in the configuration and in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Balance::RoundRobin => "round_robin",
            Balance::Weighted => "weighted",
            Balance::LeastConnections => "least_connections",
            Balance::P2cEwma => "p2c_ewma",
            Balance::ConsistentHash => "consistent_hash",
        }
    }
}

// === impl Pools ===

impl Default for Pools {
    fn default() -> Self {
        Pools {
            fast: 100,
            slow: 100,
            ceiling: 1_000,
        }
    }
}

// === impl Fit ===

impl Fit {
    /// How well the closest of these patterns fits a request for `model`; `None` if none does.
    pub fn best(patterns: &[String], model: &str) -> Option<Fit> {
        patterns.iter().filter_map(|pattern| Fit::of(pattern, model)).max()
    }

    fn of(pattern: &str, model: &str) -> Option<Fit> {
        match pattern.strip_suffix('*') {
            Some(beginning) => model.starts_with(beginning).then_some(Fit::Prefix(beginning.len())),
            None => (pattern == model).then_some(Fit::Exact),
        }
    }
}

#[cfg(test)]
mod tests;
