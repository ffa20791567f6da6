//! What retrieval shows.

use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry};
use std::time::Duration;

/// `orchestrator_retrievals_total` by `outcome` and `orchestrator_retrieval_duration_seconds`; of the index
/// `orchestrator_index_files`, `orchestrator_index_passages`, `orchestrator_index_skipped_files` and
/// `orchestrator_index_builds_total` by `outcome`.
#[derive(Clone, Debug)]
pub struct Metrics {
    files: IntGauge,
    passages: IntGauge,
    skipped: IntGauge,
    built: IntCounter,
    broken: IntCounter,
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
        let builds = Opts::new(
            "orchestrator_index_builds_total",
            "Builds of the index, by how they ended",
        );
        let builds = IntCounterVec::new(builds, &["outcome"])?;
        let gauge = |name: &str, help: &str| {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone())).map(|()| gauge)
        };
        registry.register(Box::new(outcomes.clone()))?;
        registry.register(Box::new(builds.clone()))?;
        registry.register(Box::new(duration.clone()))?;
        let of = |outcome: &str| outcomes.with_label_values(&[outcome]);
        let (found, empty, timeout, failed) = (of("found"), of("empty"), of("timeout"), of("failed"));
        Ok(Metrics {
            files: gauge("orchestrator_index_files", "Files that are searched")?,
            passages: gauge("orchestrator_index_passages", "Passages that the files were cut into")?,
            skipped: gauge(
                "orchestrator_index_skipped_files",
                "Files that cannot be searched or are too many",
            )?,
            built: builds.with_label_values(&["ok"]),
            broken: builds.with_label_values(&["failed"]),
            found,
            empty,
            timeout,
            failed,
            duration,
        })
    }

    pub(crate) fn built(&self, files: usize, skipped: usize, passages: usize) {
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.files.set(count(files));
        self.skipped.set(count(skipped));
        self.passages.set(count(passages));
        self.built.inc();
    }

    pub(crate) fn broken(&self) {
        self.broken.inc();
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
