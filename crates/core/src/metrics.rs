//! What the line shows of its stages.

use crate::{Inlet, StageName};
use parking_lot::Mutex;
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry,
    core::{Collector, Desc},
    proto::MetricFamily,
};
use std::{fmt, sync::Arc, time::Duration};

/// The bounds of a stage's duration in seconds: our own work takes microseconds, a call seconds.
const BOUNDS: [f64; 15] = [
    0.00001, 0.00005, 0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 600.0,
];

/// The metrics of all stages: `orchestrator_stage_duration_seconds`, `orchestrator_stage_panics_total`,
/// `orchestrator_queue_depth` and `orchestrator_queue_capacity`, each by `stage`.
#[derive(Clone, Debug)]
pub struct LineMetrics {
    duration: HistogramVec,
    panics: IntCounterVec,
    depths: Depths,
}

/// The metrics of one stage.
#[derive(Clone, Debug)]
pub struct StageMetrics {
    duration: Histogram,
    panics: IntCounter,
}

/// The edge into a stage at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// The stage.
    pub stage: StageName,
    /// Requests in the edge.
    pub depth: usize,
    /// Requests that it holds at most.
    pub capacity: usize,
}

/// The edges of the line, whose depth is read when somebody looks.
#[derive(Clone)]
struct Depths {
    depth: IntGaugeVec,
    capacity: IntGaugeVec,
    edges: Arc<Mutex<Vec<Watched>>>,
}

struct Watched {
    stage: StageName,
    depth: Box<dyn Fn() -> Option<usize> + Send + Sync>,
    capacity: usize,
}

// === impl LineMetrics ===

impl LineMetrics {
    /// Registers the families.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let duration = HistogramOpts::new(
            "orchestrator_stage_duration_seconds",
            "How long a stage works on a request",
        )
        .buckets(BOUNDS.to_vec());
        let panics = Opts::new(
            "orchestrator_stage_panics_total",
            "Requests that a panic in a stage ended",
        );
        let depth = Opts::new(
            "orchestrator_queue_depth",
            "Requests in the edge into a stage, over all lines",
        );
        let capacity = Opts::new(
            "orchestrator_queue_capacity",
            "Requests that the edge into a stage holds at most, over all lines",
        );
        let metrics = LineMetrics {
            duration: HistogramVec::new(duration, &["stage"])?,
            panics: IntCounterVec::new(panics, &["stage"])?,
            depths: Depths {
                depth: IntGaugeVec::new(depth, &["stage"])?,
                capacity: IntGaugeVec::new(capacity, &["stage"])?,
                edges: Arc::default(),
            },
        };
        registry.register(Box::new(metrics.duration.clone()))?;
        registry.register(Box::new(metrics.panics.clone()))?;
        registry.register(Box::new(metrics.depths.clone()))?;
        Ok(metrics)
    }

    /// The metrics of the stage named `stage`.
    pub fn stage(&self, stage: StageName) -> StageMetrics {
        let label = [stage.as_str()];
        StageMetrics {
            duration: self.duration.with_label_values(&label),
            panics: self.panics.with_label_values(&label),
        }
    }

    /// The edges, each by the stage that it leads into, over all lines. Looking changes nothing.
    pub fn queues(&self) -> Vec<Queue> {
        let mut queues: Vec<Queue> = Vec::new();
        for edge in self.depths.edges.lock().iter() {
            let Some(depth) = (edge.depth)() else { continue };
            match queues.iter_mut().find(|queue| queue.stage == edge.stage) {
                Some(queue) => {
                    queue.depth = queue.depth.saturating_add(depth);
                    queue.capacity = queue.capacity.saturating_add(edge.capacity);
                }
                None => queues.push(Queue {
                    stage: edge.stage,
                    depth,
                    capacity: edge.capacity,
                }),
            }
        }
        queues
    }

    /// Shows the depth of the edge into `stage` for as long as the edge lives.
    pub fn watch<T: Send + 'static>(&self, stage: StageName, inlet: &Inlet<T>, capacity: usize) {
        self.depths.edges.lock().push(Watched {
            stage,
            depth: Box::new(inlet.depth()),
            capacity,
        });
    }
}

// === impl StageMetrics ===

impl StageMetrics {
    pub(crate) fn worked(&self, duration: Duration) {
        self.duration.observe(duration.as_secs_f64());
    }

    pub(crate) fn panicked(&self) {
        self.panics.inc();
    }

    /// How many durations and how many panics were counted.
    #[cfg(test)]
    #[cfg(not(sim_loom))]
    pub(crate) fn counted(&self) -> (u64, u64) {
        (self.duration.get_sample_count(), self.panics.get())
    }
}

// === impl Depths ===

impl Collector for Depths {
    fn desc(&self) -> Vec<&Desc> {
        self.depth.desc().into_iter().chain(self.capacity.desc()).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut edges = self.edges.lock();
        self.depth.reset();
        self.capacity.reset();
        edges.retain(|edge| {
            let depth = (edge.depth)();
            if let Some(depth) = depth {
                let label = [edge.stage.as_str()];
                self.depth
                    .with_label_values(&label)
                    .add(i64::try_from(depth).unwrap_or(i64::MAX));
                self.capacity
                    .with_label_values(&label)
                    .add(i64::try_from(edge.capacity).unwrap_or(i64::MAX));
            }
            depth.is_some()
        });
        self.depth
            .collect()
            .into_iter()
            .chain(self.capacity.collect())
            .collect()
    }
}

impl fmt::Debug for Depths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Depths")
            .field("edges", &self.edges.lock().len())
            .finish()
    }
}

#[cfg(test)]
#[cfg(not(sim_loom))]
mod tests;
