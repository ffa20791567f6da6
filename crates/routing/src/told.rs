//! A plan as people and programs read it.

use crate::{Plan, Reject, Skipped, route::Route};
use orchestrator_core::Request;
use serde::Serialize;
use std::time::Duration;
use tokio::time::Instant;

/// A plan in the words of the configuration.
#[derive(Debug, Serialize)]
pub(crate) struct Told<'a> {
    route: &'a str,
    balance: &'static str,
    /// In the order in which they would be called.
    candidates: Vec<Called<'a>>,
    skipped: Vec<Passed<'a>>,
    /// Why nobody would be called.
    refused: Option<Refusal>,
    limits: Limits,
    deadline_ms: u64,
}

#[derive(Debug, Serialize)]
struct Called<'a> {
    worker: &'a str,
    tier: &'static str,
    reason: &'static str,
}

#[derive(Debug, Serialize)]
struct Passed<'a> {
    worker: &'a str,
    tier: &'static str,
    reason: &'static str,
}

#[derive(Debug, Serialize)]
struct Refusal {
    reason: &'static str,
    retry_after_ms: u64,
}

#[derive(Debug, Serialize)]
struct Limits {
    /// Requests that the gate has let on, which hard limits bound.
    requests: usize,
    /// Calls on all tiers, each of which a soft limit bounds.
    running: usize,
    soft_limit: Option<usize>,
    hard_limit: Option<usize>,
    stream_soft_limit: Option<usize>,
    stream_hard_limit: Option<usize>,
    attempts: u32,
    retries_left: u64,
}

// === impl Told ===

impl<'a> Told<'a> {
    /// The plan that a request would have on this route now.
    pub(crate) fn of(route: &'a Route, request: &Request) -> Self {
        let now = Instant::now();
        let plan = route.preview(request, now);
        let Plan {
            candidates,
            skipped,
            reject,
            ..
        } = plan;
        let called = candidates.iter().map(|candidate| Called {
            worker: name(route, candidate.worker),
            tier: candidate.tier.as_str(),
            reason: candidate.reason.as_str(),
        });
        let passed = skipped.iter().map(|skipped: &Skipped| Passed {
            worker: name(route, skipped.worker),
            tier: skipped.tier.as_str(),
            reason: skipped.code(),
        });
        Told {
            route: &route.name,
            balance: route.config().balance.as_str(),
            candidates: called.collect(),
            skipped: passed.collect(),
            refused: reject.map(Refusal::from),
            limits: Limits::of(route, now),
            deadline_ms: millis(request.deadline.saturating_duration_since(now)),
        }
    }
}

// === impl Limits ===

impl Limits {
    fn of(route: &Route, now: Instant) -> Self {
        let config = route.config();
        Limits {
            requests: route.requests(),
            running: route.running(),
            soft_limit: config.soft_limit,
            hard_limit: config.hard_limit,
            stream_soft_limit: config.stream_soft_limit,
            stream_hard_limit: config.stream_hard_limit,
            attempts: route.resilience().retry_attempts,
            retries_left: route.retries_left(now),
        }
    }
}

// === impl Refusal ===

impl From<Reject> for Refusal {
    fn from(reject: Reject) -> Self {
        Refusal {
            reason: reject.refused.as_str(),
            retry_after_ms: millis(reject.after),
        }
    }
}

fn name(route: &Route, worker: usize) -> &str {
    route.member(worker).map_or("", |member| member.name())
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
