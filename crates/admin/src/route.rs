//! Routes as operators see them: what was declared, and what runs on them.

use orchestrator_core::Tier;
use orchestrator_routing::{Complexity, RouteConfig};
use serde::Serialize;

/// A route.
#[derive(Debug, Serialize)]
pub(crate) struct Route<'a> {
    name: &'a str,
    models: Vec<String>,
    tiers: Tiers<Vec<Seat<'a>>>,
    balance: &'static str,
    limits: Limits,
    /// What makes a request complex, and where that sends it first; null where it does not matter.
    complexity: Option<Complexity>,
    /// Calls by tier.
    running: Tiers<usize>,
    /// Requests that the gate has let on and that are not answered yet.
    requests: usize,
}

/// Something of each tier.
#[derive(Debug, Serialize)]
struct Tiers<T> {
    primary: T,
    secondary: T,
    backup: T,
}

/// A worker in a tier.
#[derive(Debug, Serialize)]
struct Seat<'a> {
    worker: &'a str,
    weight: u32,
}

/// The limits of a route; null where there is none.
#[derive(Debug, Serialize)]
struct Limits {
    soft_limit: Option<usize>,
    hard_limit: Option<usize>,
    stream_soft_limit: Option<usize>,
    stream_hard_limit: Option<usize>,
    overflow_after_ms: u64,
    latency_budget_ms: Option<u64>,
}

// === impl Route ===

impl<'a> From<&'a orchestrator_routing::Route> for Route<'a> {
    fn from(route: &'a orchestrator_routing::Route) -> Self {
        let config = route.config();
        let [primary, secondary, backup] = route.calls();
        Route {
            name: route.name(),
            models: config.models.clone(),
            tiers: Tiers {
                primary: seats(route, Tier::Primary, &config),
                secondary: seats(route, Tier::Secondary, &config),
                backup: seats(route, Tier::Backup, &config),
            },
            balance: config.balance.as_str(),
            limits: (&*config).into(),
            complexity: config.complexity.clone(),
            running: Tiers {
                primary,
                secondary,
                backup,
            },
            requests: route.requests(),
        }
    }
}

// === impl Limits ===

impl From<&RouteConfig> for Limits {
    fn from(config: &RouteConfig) -> Self {
        Limits {
            soft_limit: config.soft_limit,
            hard_limit: config.hard_limit,
            stream_soft_limit: config.stream_soft_limit,
            stream_hard_limit: config.stream_hard_limit,
            overflow_after_ms: config.overflow_after_ms,
            latency_budget_ms: config.latency_budget_ms,
        }
    }
}

/// The workers of a tier.
fn seats<'a>(route: &'a orchestrator_routing::Route, tier: Tier, config: &RouteConfig) -> Vec<Seat<'a>> {
    let members = route.members(tier);
    members
        .map(|member| Seat {
            worker: member.name(),
            weight: config.weight(member.name()),
        })
        .collect()
}
