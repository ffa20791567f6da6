//! What degradation shows: which requests something else than their workers answered, and which rules hold.

use crate::Degradation;
use orchestrator_core::Degraded;
use parking_lot::Mutex;
use prometheus::{
    IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    core::{Collector, Desc},
    proto::MetricFamily,
};
use std::{
    fmt,
    sync::{Arc, Weak},
};
use tokio::time::Instant;

/// `orchestrator_degraded_total`, `orchestrator_degradation_rule_holds`, `orchestrator_degradation_cache_entries` and
/// `orchestrator_degradation_cache_bytes`.
#[derive(Clone, Debug)]
pub struct Metrics {
    degraded: IntCounterVec,
    live: Live,
}

/// What is read when somebody looks.
#[derive(Clone)]
struct Live {
    holds: IntGaugeVec,
    entries: IntGauge,
    bytes: IntGauge,
    shared: Arc<Mutex<Weak<Degradation>>>,
}

// === impl Metrics ===

impl Metrics {
    /// Registers the families.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let degraded = Opts::new(
            "orchestrator_degraded_total",
            "Requests that the workers of their route did not answer, by what did: cache, stale, reduced, message or none",
        );
        let holds = Opts::new(
            "orchestrator_degradation_rule_holds",
            "Whether a rule holds for a route, 1 or 0",
        );
        let metrics = Metrics {
            degraded: IntCounterVec::new(degraded, &["route", "by"])?,
            live: Live {
                holds: IntGaugeVec::new(holds, &["route", "rule"])?,
                entries: IntGauge::new(
                    "orchestrator_degradation_cache_entries",
                    "Answers that are kept for the time when workers cannot give them",
                )?,
                bytes: IntGauge::new(
                    "orchestrator_degradation_cache_bytes",
                    "Bytes that kept answers take, with those that are still heard",
                )?,
                shared: Arc::default(),
            },
        };
        registry.register(Box::new(metrics.degraded.clone()))?;
        registry.register(Box::new(metrics.live.clone()))?;
        Ok(metrics)
    }

    /// A request of this route was answered so; `None`: by nothing.
    pub(crate) fn count(&self, route: &str, by: Option<Degraded>) {
        let by = by.map_or("none", Degraded::as_str);
        self.degraded.with_label_values(&[route, by]).inc();
    }

    pub(crate) fn watch(&self, shared: &Arc<Degradation>) {
        *self.live.shared.lock() = Arc::downgrade(shared);
    }
}

// === impl Live ===

impl Collector for Live {
    fn desc(&self) -> Vec<&Desc> {
        let gauges = [&self.entries, &self.bytes].into_iter().flat_map(Collector::desc);
        self.holds.desc().into_iter().chain(gauges).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        if let Some(shared) = self.shared.lock().upgrade() {
            let (entries, bytes) = shared.kept();
            self.entries.set(i64::try_from(entries).unwrap_or(i64::MAX));
            self.bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
            for standing in shared.standings(Instant::now()) {
                let holds = self.holds.with_label_values(&[&*standing.route, &standing.rule.name]);
                holds.set(standing.since.is_some().into());
            }
        }
        let gauges = [&self.entries, &self.bytes].into_iter().flat_map(Collector::collect);
        self.holds.collect().into_iter().chain(gauges).collect()
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
