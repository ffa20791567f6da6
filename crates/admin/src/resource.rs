//! What a path names, and which methods it takes.

use crate::problem::Problem;
use http::Method;
use orchestrator_core::near;
use percent_encoding::percent_decode_str;

/// Where all resources stand.
const ROOT: &str = "/api/v1/";

/// The resources that have no name of their own.
const LISTS: [&str; 6] = [
    "circuit-breakers",
    "workers",
    "routes",
    "retry",
    "load-balancing",
    "chaos",
];

/// What can be read or done of one breaker.
const OF_A_BREAKER: [&str; 3] = ["history", "reset", "force-open"];

/// What a path names; breakers by the names of their workers.
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
    /// All routes.
    Routes,
    /// How routes try again.
    Retry,
    /// How routes spread their calls.
    LoadBalancing,
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
            ["routes"] => Resource::Routes,
            ["retry"] => Resource::Retry,
            ["load-balancing"] => Resource::LoadBalancing,
            ["chaos"] => Resource::Chaos,
            other => return Err(unknown(other)),
        })
    }

    /// Whether it takes this method.
    pub(crate) fn check(&self, method: &Method) -> Result<(), Problem> {
        let (takes, allowed) = match self {
            Resource::Reset(_) | Resource::ForceOpen(_) => (method == Method::POST, "POST"),
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
        [list, ..] => near(list, LISTS).map(|list| format!("{ROOT}{list}")),
        [] => None,
    };
    Problem::not_found("Nothing is served at this path.", meant.as_deref())
}

#[cfg(test)]
mod tests;
