//! What breakers, slots and retries show, by worker.

use crate::{Guard, State};
use parking_lot::Mutex;
use prometheus::{
    IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry,
    core::{Collector, Desc},
    proto::MetricFamily,
};
use std::{fmt, sync::Arc};

/// `orchestrator_breaker_state`, `orchestrator_breaker_transitions_total`, `orchestrator_worker_in_flight` and
/// `orchestrator_retries_total`.
#[derive(Clone, Debug)]
pub struct Metrics {
    transitions: IntCounterVec,
    retries: IntCounterVec,
    live: Live,
}

/// The counters of one worker.
#[derive(Clone, Debug)]
pub(crate) struct WorkerMetrics {
    closed: IntCounter,
    half_open: IntCounter,
    open: IntCounter,
}

/// What is read when somebody looks: a breaker's state is a function of the clock.
#[derive(Clone)]
struct Live {
    state: IntGaugeVec,
    in_flight: IntGaugeVec,
    guards: Arc<Mutex<Vec<Guard>>>,
}

// === impl Metrics ===

impl Metrics {
    /// Registers the families.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let transitions = Opts::new(
            "orchestrator_breaker_transitions_total",
            "Changes of a worker's breaker, by new state",
        );
        let retries = Opts::new(
            "orchestrator_retries_total",
            "Calls that were made again, by what had failed",
        );
        let state = Opts::new(
            "orchestrator_breaker_state",
            "A worker's breaker: 0 closed, 1 half-open, 2 open",
        );
        let in_flight = Opts::new("orchestrator_worker_in_flight", "Calls that a worker is answering");
        let metrics = Metrics {
            transitions: IntCounterVec::new(transitions, &["worker", "to"])?,
            retries: IntCounterVec::new(retries, &["worker", "reason"])?,
            live: Live {
                state: IntGaugeVec::new(state, &["worker"])?,
                in_flight: IntGaugeVec::new(in_flight, &["worker"])?,
                guards: Arc::default(),
            },
        };
        registry.register(Box::new(metrics.transitions.clone()))?;
        registry.register(Box::new(metrics.retries.clone()))?;
        registry.register(Box::new(metrics.live.clone()))?;
        Ok(metrics)
    }

    /// Counts a call that is made again because of `reason`.
    pub fn retried(&self, worker: &str, reason: &str) {
        self.retries.with_label_values(&[worker, reason]).inc();
    }

    pub(crate) fn worker(&self, worker: &str) -> WorkerMetrics {
        let to = |state: State| self.transitions.with_label_values(&[worker, state.as_str()]);
        WorkerMetrics {
            closed: to(State::Closed),
            half_open: to(State::HalfOpen),
            open: to(State::Open),
        }
    }

    pub(crate) fn watch(&self, guard: Guard) {
        self.live.guards.lock().push(guard);
    }
}

// === impl WorkerMetrics ===

impl WorkerMetrics {
    pub(crate) fn changed(&self, to: State) {
        match to {
            State::Closed => self.closed.inc(),
            State::HalfOpen => self.half_open.inc(),
            State::Open => self.open.inc(),
        }
    }
}

// === impl Live ===

impl Collector for Live {
    fn desc(&self) -> Vec<&Desc> {
        self.state.desc().into_iter().chain(self.in_flight.desc()).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        for guard in self.guards.lock().iter() {
            let label = [guard.worker()];
            self.state.with_label_values(&label).set(guard.state().as_gauge());
            self.in_flight
                .with_label_values(&label)
                .set(i64::try_from(guard.slots().taken()).unwrap_or(i64::MAX));
        }
        self.state
            .collect()
            .into_iter()
            .chain(self.in_flight.collect())
            .collect()
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live")
            .field("guards", &self.guards.lock().len())
            .finish()
    }
}
