//! What breakers and slots show, by worker.

use crate::{Cause, Guard, Thresholds};
use parking_lot::Mutex;
use prometheus::{
    GaugeVec, IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry,
    core::{Collector, Desc},
    proto::MetricFamily,
};
use std::{fmt, sync::Arc};
use tokio::time::Instant;

/// `orchestrator_breaker_state`, `orchestrator_breaker_transitions_total`, `orchestrator_breaker_threshold_ratio`,
/// `orchestrator_breaker_threshold_seconds`, `orchestrator_worker_in_flight` and `orchestrator_worker_free_slots`.
#[derive(Clone, Debug)]
pub struct Metrics {
    transitions: IntCounterVec,
    live: Live,
}

/// The counters of one worker.
#[derive(Clone, Debug)]
pub(crate) struct WorkerMetrics {
    transitions: Vec<(Cause, IntCounter)>,
}

/// What is read when somebody looks: a breaker's state is a function of the clock.
#[derive(Clone)]
struct Live {
    state: IntGaugeVec,
    in_flight: IntGaugeVec,
    free: IntGaugeVec,
    ratio: GaugeVec,
    seconds: GaugeVec,
    guards: Arc<Mutex<Vec<Guard>>>,
}

// === impl Metrics ===

impl Metrics {
    /// Registers the families.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let transitions = Opts::new(
            "orchestrator_breaker_transitions_total",
            "Changes of a worker's breaker, by new state and cause",
        );
        let state = Opts::new(
            "orchestrator_breaker_state",
            "A worker's breaker: 0 closed, 1 half-open, 2 open",
        );
        let in_flight = Opts::new("orchestrator_worker_in_flight", "Calls that a worker is answering");
        let free = Opts::new(
            "orchestrator_worker_free_slots",
            "Calls that a worker could take beside those that it is answering",
        );
        let ratio = Opts::new(
            "orchestrator_breaker_threshold_ratio",
            "The share of a worker's last calls that opens its breaker, fixed and in force; 0: none does",
        );
        let seconds = Opts::new(
            "orchestrator_breaker_threshold_seconds",
            "The 95th percentile to the first token that opens a worker's breaker, fixed and in force; 0: none does",
        );
        let metrics = Metrics {
            transitions: IntCounterVec::new(transitions, &["worker", "to", "cause"])?,
            live: Live {
                state: IntGaugeVec::new(state, &["worker"])?,
                in_flight: IntGaugeVec::new(in_flight, &["worker"])?,
                free: IntGaugeVec::new(free, &["worker"])?,
                ratio: GaugeVec::new(ratio, &["worker", "rate", "kind"])?,
                seconds: GaugeVec::new(seconds, &["worker", "kind"])?,
                guards: Arc::default(),
            },
        };
        registry.register(Box::new(metrics.transitions.clone()))?;
        registry.register(Box::new(metrics.live.clone()))?;
        Ok(metrics)
    }

    pub(crate) fn worker(&self, worker: &str) -> WorkerMetrics {
        let transitions = Cause::ALL.into_iter().map(|cause| {
            let labels = [worker, cause.leads_to().as_str(), cause.as_str()];
            (cause, self.transitions.with_label_values(&labels))
        });
        WorkerMetrics {
            transitions: transitions.collect(),
        }
    }

    pub(crate) fn watch(&self, guard: Guard) {
        self.live.guards.lock().push(guard);
    }
}

// === impl WorkerMetrics ===

impl WorkerMetrics {
    pub(crate) fn changed(&self, why: Cause) {
        let counter = self.transitions.iter().find(|(cause, _)| *cause == why);
        if let Some((_, counter)) = counter {
            counter.inc();
        }
    }
}

// === impl Live ===

impl Collector for Live {
    fn desc(&self) -> Vec<&Desc> {
        self.families().into_iter().flat_map(Collector::desc).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let now = Instant::now();
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        for guard in self.guards.lock().iter() {
            let (label, slots) = ([guard.worker()], guard.slots());
            self.state.with_label_values(&label).set(guard.state().as_gauge());
            self.in_flight.with_label_values(&label).set(count(slots.taken()));
            self.free.with_label_values(&label).set(count(slots.free()));
            self.show("fixed", guard, &Thresholds::fixed(guard.config()));
            self.show("in_force", guard, &guard.thresholds(now));
        }
        self.families().into_iter().flat_map(Collector::collect).collect()
    }
}

impl Live {
    fn show(&self, kind: &str, guard: &Guard, thresholds: &Thresholds) {
        let ratio = |rate, value| self.ratio.with_label_values(&[guard.worker(), rate, kind]).set(value);
        ratio("failure", thresholds.failure_rate);
        ratio("rate_limit", thresholds.rate_limit_rate);
        let seconds = thresholds.latency_p95.as_secs_f64();
        self.seconds.with_label_values(&[guard.worker(), kind]).set(seconds);
    }

    fn families(&self) -> [&dyn Collector; 5] {
        [&self.state, &self.in_flight, &self.free, &self.ratio, &self.seconds]
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live")
            .field("guards", &self.guards.lock().len())
            .finish()
    }
}
