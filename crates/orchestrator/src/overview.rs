//! The line of stages as a whole, for operators.

use orchestrator_admin::{Lane, Line, Pipeline, Stage};
use orchestrator_config::Config;
use orchestrator_core::{Ledger, LineMetrics, Priority, Queue};
use orchestrator_pipeline::{Gate, LanesConfig, Sizes};
use std::sync::Arc;

/// What there is to see of the lines of all cores.
pub(crate) struct Overview {
    name: String,
    version: String,
    max_in_flight: usize,
    lanes: LanesConfig,
    sizes: Sizes,
    lines: usize,
    pub(crate) gate: Gate,
    metrics: LineMetrics,
    ledger: Arc<Ledger>,
}

// === impl Overview ===

impl Overview {
    /// So many lines as configured, behind this gate.
    pub(crate) fn new(
        config: &Config,
        (sizes, lines): (Sizes, usize),
        gate: Gate,
        (metrics, ledger): (LineMetrics, Arc<Ledger>),
    ) -> Self {
        Overview {
            name: config.pipeline.name.clone(),
            version: config.pipeline.version.clone(),
            max_in_flight: config.server.max_in_flight,
            lanes: config.pipeline.lanes.clone(),
            sizes,
            lines,
            gate,
            metrics,
            ledger,
        }
    }

    fn stage(&self, queue: &Queue) -> Stage {
        let width = *self.sizes.of(queue.stage).width.load();
        Stage {
            name: queue.stage.as_str(),
            width: width.saturating_mul(self.lines),
            capacity: queue.capacity,
            depth: queue.depth,
        }
    }

    fn lane(&self, priority: Priority) -> Lane {
        let weights = &self.lanes.weights;
        Lane {
            name: priority.as_str(),
            weight: match priority {
                Priority::High => weights.high,
                Priority::Normal => weights.normal,
                Priority::Low => weights.low,
            },
            waiting: self.gate.waiting(priority),
            capacity: self.lanes.capacity,
        }
    }
}

impl Line for Overview {
    fn look(&self) -> Pipeline {
        Pipeline {
            name: self.name.clone(),
            version: self.version.clone(),
            lines: self.lines,
            in_flight: self.ledger.requests(),
            max_in_flight: self.max_in_flight,
            stages: self.metrics.queues().iter().map(|queue| self.stage(queue)).collect(),
            lanes: Priority::ALL.map(|priority| self.lane(priority)).into(),
        }
    }
}
