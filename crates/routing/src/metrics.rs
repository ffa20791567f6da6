//! What routes show: where requests went and why, and what is left of their budgets.

use crate::{Reason, Refused, Routes};
use orchestrator_core::{Code, Tier};
use parking_lot::Mutex;
use prometheus::{
    IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry,
    core::{Collector, Desc},
    proto::MetricFamily,
};
use std::{
    fmt,
    sync::{Arc, Weak},
};
use tokio::time::Instant;

/// `orchestrator_route_decisions_total`, `orchestrator_route_refusals_total`, `orchestrator_retries_total`,
/// `orchestrator_retry_budget_spent_total`, `orchestrator_retry_budget_left`, `orchestrator_route_calls` and
/// `orchestrator_worker_healthy`.
#[derive(Clone, Debug)]
pub struct Metrics {
    decisions: IntCounterVec,
    refusals: IntCounterVec,
    retries: IntCounterVec,
    spent: IntCounterVec,
    /// Of the refusals those that have no route.
    unknown_model: IntCounter,
    live: Live,
}

/// The counters of one route.
#[derive(Clone, Debug)]
pub(crate) struct RouteMetrics {
    decisions: Vec<(Reason, IntCounter)>,
    refusals: Vec<(Refused, IntCounter)>,
    retries: IntCounterVec,
    spent: IntCounter,
}

/// What is read when somebody looks.
#[derive(Clone)]
struct Live {
    left: IntGaugeVec,
    calls: IntGaugeVec,
    healthy: IntGaugeVec,
    routes: Arc<Mutex<Weak<Routes>>>,
}

// === impl Metrics ===

impl Metrics {
    /// Registers the families.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let decisions = Opts::new(
            "orchestrator_route_decisions_total",
            "Calls by route and by the reason for the worker that was called",
        );
        let refusals = Opts::new(
            "orchestrator_route_refusals_total",
            "Requests that no worker could be called for, by route and reason; those for a model that no route serves have none",
        );
        let retries = Opts::new(
            "orchestrator_retries_total",
            "Calls beyond a request's first, by the worker whose call had failed before and by how",
        );
        let spent = Opts::new(
            "orchestrator_retry_budget_spent_total",
            "Requests that were not tried again because their route's retry budget was spent",
        );
        let left = Opts::new(
            "orchestrator_retry_budget_left",
            "Calls beyond a request's first that a route may still make in these 10 seconds",
        );
        let calls = Opts::new("orchestrator_route_calls", "Running calls of a route, by tier");
        let healthy = Opts::new(
            "orchestrator_worker_healthy",
            "Whether a worker's server is well, 1 or 0; absent while that is unknown",
        );
        let refusals = IntCounterVec::new(refusals, &["route", "reason"])?;
        let metrics = Metrics {
            decisions: IntCounterVec::new(decisions, &["route", "reason"])?,
            unknown_model: refusals.with_label_values(&["", Refused::UnknownModel.as_str()]),
            refusals,
            retries: IntCounterVec::new(retries, &["worker", "reason"])?,
            spent: IntCounterVec::new(spent, &["route"])?,
            live: Live {
                left: IntGaugeVec::new(left, &["route"])?,
                calls: IntGaugeVec::new(calls, &["route", "tier"])?,
                healthy: IntGaugeVec::new(healthy, &["worker"])?,
                routes: Arc::default(),
            },
        };
        registry.register(Box::new(metrics.decisions.clone()))?;
        registry.register(Box::new(metrics.refusals.clone()))?;
        registry.register(Box::new(metrics.retries.clone()))?;
        registry.register(Box::new(metrics.spent.clone()))?;
        registry.register(Box::new(metrics.live.clone()))?;
        Ok(metrics)
    }

    pub(crate) fn route(&self, route: &str) -> RouteMetrics {
        let decided = |reason: Reason| {
            let counter = self.decisions.with_label_values(&[route, reason.as_str()]);
            (reason, counter)
        };
        let refused = |reason: Refused| {
            let counter = self.refusals.with_label_values(&[route, reason.as_str()]);
            (reason, counter)
        };
        RouteMetrics {
            decisions: Reason::ALL.map(decided).into(),
            refusals: Refused::FINAL.map(refused).into(),
            retries: self.retries.clone(),
            spent: self.spent.with_label_values(&[route]),
        }
    }

    /// A request is for a model that no route serves.
    pub(crate) fn unknown_model(&self) {
        self.unknown_model.inc();
    }

    pub(crate) fn watch(&self, routes: &Arc<Routes>) {
        *self.live.routes.lock() = Arc::downgrade(routes);
    }
}

// === impl RouteMetrics ===

impl RouteMetrics {
    /// A worker is called for this reason.
    pub(crate) fn decided(&self, reason: Reason) {
        count(&self.decisions, reason);
    }

    /// No worker can be called.
    pub(crate) fn refused(&self, reason: Refused) {
        count(&self.refusals, reason);
    }

    /// A call is made because one of this worker has failed.
    pub(crate) fn retried(&self, worker: &str, reason: Code) {
        self.retries.with_label_values(&[worker, reason.as_str()]).inc();
    }

    /// A request is not tried again, since the route's budget is spent.
    pub(crate) fn budget_spent(&self) {
        self.spent.inc();
    }
}

fn count<T: PartialEq>(counters: &[(T, IntCounter)], reason: T) {
    let counter = counters.iter().find(|(known, _)| *known == reason);
    counter.into_iter().for_each(|(_, counter)| counter.inc());
}

// === impl Live ===

impl Collector for Live {
    fn desc(&self) -> Vec<&Desc> {
        let families = [&self.left, &self.calls, &self.healthy];
        families.into_iter().flat_map(Collector::desc).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        // Held to the end, so that two who look at once do not reset what the other has set.
        let watched = self.routes.lock();
        let (routes, now) = (watched.upgrade(), Instant::now());
        let families = [&self.left, &self.calls, &self.healthy];
        // What is gone is shown no more.
        families.into_iter().for_each(IntGaugeVec::reset);
        for route in routes.iter().flat_map(|routes| routes.all()) {
            let left = self.left.with_label_values(&[&*route.name]);
            left.set(i64::try_from(route.retries_left(now)).unwrap_or(i64::MAX));
            for (tier, calls) in Tier::ALL.into_iter().zip(route.calls()) {
                let running = self.calls.with_label_values(&[&*route.name, tier.as_str()]);
                running.set(i64::try_from(calls).unwrap_or(i64::MAX));
            }
        }
        for member in routes.iter().flat_map(|routes| routes.members().into_values()) {
            if let Some(healthy) = member.healthy(now) {
                self.healthy.with_label_values(&[&**member.name()]).set(healthy.into());
            }
        }
        families.into_iter().flat_map(Collector::collect).collect()
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
