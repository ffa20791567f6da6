//! How routes try again, as operators see it.

use orchestrator_routing::Route;
use serde::Serialize;
use tokio::time::Instant;

/// Tries and retry budget of a route, by the names of their settings.
#[derive(Debug, Serialize)]
pub(crate) struct Retry<'a> {
    route: &'a str,
    retry_attempts: u32,
    retry_base_ms: u64,
    retry_max_ms: u64,
    retry_budget_percent: u32,
    retry_budget_min: u32,
    /// Calls beyond a request's first that may be made now.
    retry_budget_left: u64,
}

// === impl Retry ===

impl<'a> Retry<'a> {
    /// How a route tries again, and what is left of its budget at `now`.
    pub(crate) fn of(route: &'a Route, now: Instant) -> Self {
        let (config, resilience) = (route.config(), route.resilience());
        Retry {
            route: route.name(),
            retry_attempts: resilience.retry_attempts,
            retry_base_ms: resilience.retry_base_ms,
            retry_max_ms: resilience.retry_max_ms,
            retry_budget_percent: config.retry_budget_percent,
            retry_budget_min: config.retry_budget_min,
            retry_budget_left: route.retries_left(now),
        }
    }
}
