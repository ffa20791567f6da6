//! What a path names, and which methods it takes.

use crate::problem::Problem;
use http::Method;
use orchestrator_core::near;
use percent_encoding::percent_decode_str;

/// Where all resources stand.
const ROOT: &str = "/api/v1/";

/// The resources that have no name of their own.
const LISTS: [&str; 9] = [
    "circuit-breakers",
    "workers",
    "routes",
    "retry",
    "load-balancing",
    "degradation",
    "pools",
    "pipeline",
    "chaos",
];

/// What can be read or done of one breaker.
const OF_A_BREAKER: [&str; 3] = ["history", "reset", "force-open"];

/// What can be read or done of degradation.
const OF_DEGRADATION: [&str; 2] = ["stats", "test"];

/// What a path names: breakers by the names of their workers, retries and balancing by those of their routes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Resource {
    /// All breakers.
    Breakers,
    /// One breaker.
    Breaker(String),
    /// Its last changes.
    History(String),
    /// To close it.
    Reset(String),
    /// To open it.
    ForceOpen(String),
    /// All workers.
    Workers,
    /// One worker.
    Worker(String),
    /// All routes.
    Routes,
    /// One route.
    Route(String),
    /// How routes try again.
    Retry,
    /// How one route does.
    RetryOf(String),
    /// How routes spread their calls.
    LoadBalancing,
    /// How one route does.
    LoadBalancingOf(String),
    /// What stands in for the workers, and when it did.
    Degradation,
    /// How often.
    DegradationStats,
    /// To see what would answer now.
    DegradationTest,
    /// The pools.
    Pools,
    /// The line of stages.
    Pipeline,
    /// Faults that are injected on purpose.
    Chaos,
}

// === impl Resource ===

impl Resource {
    /// What this path names.
    pub(crate) fn of(path: &str) -> Result<Self, Problem> {
        let below = path.strip_prefix(ROOT).unwrap_or_default();
        let parts: Vec<&str> = below.split('/').collect();
        Ok(match parts.as_slice() {
            ["circuit-breakers"] => Resource::Breakers,
            ["circuit-breakers", worker] => Resource::Breaker(name(worker)),
            ["circuit-breakers", worker, "history"] => Resource::History(name(worker)),
            ["circuit-breakers", worker, "reset"] => Resource::Reset(name(worker)),
            ["circuit-breakers", worker, "force-open"] => Resource::ForceOpen(name(worker)),
            ["workers"] => Resource::Workers,
            ["workers", worker] => Resource::Worker(name(worker)),
            ["routes"] => Resource::Routes,
            ["routes", route] => Resource::Route(name(route)),
            ["retry"] => Resource::Retry,
            ["retry", route] => Resource::RetryOf(name(route)),
            ["load-balancing"] => Resource::LoadBalancing,
            ["load-balancing", route] => Resource::LoadBalancingOf(name(route)),
            ["degradation"] => Resource::Degradation,
            ["degradation", "stats"] => Resource::DegradationStats,
            ["degradation", "test"] => Resource::DegradationTest,
            ["pools"] => Resource::Pools,
            ["pipeline"] => Resource::Pipeline,
            ["chaos"] => Resource::Chaos,
            other => return Err(unknown(other)),
        })
    }

    /// Whether it takes this method.
    pub(crate) fn check(&self, method: &Method) -> Result<(), Problem> {
        let (takes, allowed) = match self {
            Resource::Reset(_) | Resource::ForceOpen(_) | Resource::DegradationTest => (method == Method::POST, "POST"),
            Resource::Worker(_)
            | Resource::Route(_)
            | Resource::RetryOf(_)
            | Resource::LoadBalancingOf(_)
            | Resource::Pools => (reads(method) || method == Method::PATCH, "GET, HEAD, PATCH"),
            Resource::Chaos => {
                let changes = [Method::POST, Method::DELETE].contains(method);
                (changes || reads(method), "GET, HEAD, POST, DELETE")
            }
            _ => (reads(method), "GET, HEAD"),
        };
        takes.then_some(()).ok_or_else(|| Problem::not_allowed(allowed))
    }
}

fn reads(method: &Method) -> bool {
    [Method::GET, Method::HEAD].contains(method)
}

/// A name as it was before it became part of a path.
fn name(part: &str) -> String {
    percent_decode_str(part).decode_utf8_lossy().into_owned()
}

/// Nothing is served there, but perhaps nearby.
fn unknown(parts: &[&str]) -> Problem {
    let meant = match parts {
        ["circuit-breakers", worker, action] => {
            near(action, OF_A_BREAKER).map(|action| format!("{ROOT}circuit-breakers/{worker}/{action}"))
        }
        ["degradation", below] => near(below, OF_DEGRADATION).map(|below| format!("{ROOT}degradation/{below}")),
        [list, ..] => near(list, LISTS).map(|list| format!("{ROOT}{list}")),
        [] => None,
    };
    Problem::not_found("Nothing is served at this path.", meant.as_deref())
}

#[cfg(test)]
mod tests;
