//! Workers as operators see them: where they stand, and how they do.

use crate::breaker::millis;
use orchestrator_core::Tier;
use orchestrator_routing::{Member, Route};
use serde::Serialize;
use std::{collections::BTreeMap, sync::Arc};
use tokio::time::Instant;

/// A worker. What is not known of it is null.
#[derive(Debug, Serialize)]
pub(crate) struct Worker<'a> {
    name: &'a str,
    routes: Vec<Seat<'a>>,
    /// Of its breaker.
    state: &'static str,
    running: usize,
    /// As its breaker shows it, but no more than its pool has, and none while an operator holds it open.
    free: usize,
    max_concurrent: usize,
    /// As many of them as may run now: fewer where its slots adapt.
    slots: usize,
    /// The estimate of the time to the first token of streams.
    stream_latency_ms: Option<u64>,
    /// The same of whole answers.
    whole_latency_ms: Option<u64>,
    healthy: Option<bool>,
}

/// A place of a worker in a route.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Seat<'a> {
    route: &'a str,
    tier: &'static str,
}

// === impl Worker ===

impl<'a> Worker<'a> {
    /// These workers at `now`, with their places in `routes`.
    pub(crate) fn all(
        members: impl Iterator<Item = &'a Arc<Member>>,
        routes: &'a [Arc<Route>],
        now: Instant,
    ) -> Vec<Self> {
        let mut seats = seats(routes);
        let worker = |member: &'a Arc<Member>| {
            let routes = seats.remove(&**member.name()).unwrap_or_default();
            Worker::of(member, routes, now)
        };
        members.map(worker).collect()
    }

    /// One worker at `now`.
    pub(crate) fn one(member: &'a Member, routes: &'a [Arc<Route>], now: Instant) -> Self {
        let seats = seats(routes).remove(&**member.name());
        Worker::of(member, seats.unwrap_or_default(), now)
    }

    fn of(member: &'a Member, routes: Vec<Seat<'a>>, now: Instant) -> Self {
        let seen = member.guard().view(now);
        let latency = |is_stream| member.estimate(is_stream, now).map(millis);
        Worker {
            name: member.name(),
            routes,
            state: seen.state.as_str(),
            running: seen.running,
            free: member.free(&seen),
            max_concurrent: member.guard().max_concurrent(),
            slots: member.guard().slots().max(),
            stream_latency_ms: latency(true),
            whole_latency_ms: latency(false),
            healthy: member.healthy(now),
        }
    }
}

/// Which workers stand where.
fn seats(routes: &[Arc<Route>]) -> BTreeMap<&str, Vec<Seat<'_>>> {
    let mut seats: BTreeMap<&str, Vec<Seat<'_>>> = BTreeMap::new();
    for route in routes {
        for tier in Tier::ALL {
            let seat = Seat {
                route: route.name(),
                tier: tier.as_str(),
            };
            for member in route.members(tier) {
                seats.entry(&**member.name()).or_default().push(seat.clone());
            }
        }
    }
    seats
}
