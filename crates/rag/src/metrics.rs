//! What retrieval shows.

use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, Opts, Registry};
use std::time::Duration;

/// `orchestrator_retrievals_total` by `outcome` and `orchestrator_retrieval_duration_seconds`.
#[derive(Clone, Debug)]
pub struct Metrics {
    found: IntCounter,
    empty: IntCounter,
    timeout: IntCounter,
    failed: IntCounter,
    duration: Histogram,
}

/// How a retrieval ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Found,
    Empty,
    Timeout,
    Failed,
}

// === impl Metrics ===

impl Metrics {
    /// Registers the families.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let outcomes = Opts::new("orchestrator_retrievals_total", "Retrievals, by how they ended");
        let outcomes = IntCounterVec::new(outcomes, &["outcome"])?;
        let duration = HistogramOpts::new(
            "orchestrator_retrieval_duration_seconds",
            "How long passages were looked for",
        )
        .buckets(vec![0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0]);
        let duration = Histogram::with_opts(duration)?;
        registry.register(Box::new(outcomes.clone()))?;
        registry.register(Box::new(duration.clone()))?;
        let of = |outcome: &str| outcomes.with_label_values(&[outcome]);
        let (found, empty, timeout, failed) = (of("found"), of("empty"), of("timeout"), of("failed"));
        Ok(Metrics {
            found,
            empty,
            timeout,
            failed,
            duration,
        })
    }

    pub(crate) fn ended(&self, outcome: Outcome, took: Duration) {
        self.duration.observe(took.as_secs_f64());
        match outcome {
            Outcome::Found => self.found.inc(),
            Outcome::Empty => self.empty.inc(),
            Outcome::Timeout => self.timeout.inc(),
            Outcome::Failed => self.failed.inc(),
        }
    }
}
