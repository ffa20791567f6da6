//! What the filters show.

use prometheus::{IntCounter, IntCounterVec, Opts, Registry};

/// `orchestrator_redactions_total` by the `name` of the configuration, and `orchestrator_stops_total`.
#[derive(Clone, Debug)]
pub struct Metrics {
    redactions: IntCounterVec,
    stops: IntCounter,
}

// === impl Metrics ===

impl Metrics {
    /// Registers the families.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let redactions = Opts::new(
            "orchestrator_redactions_total",
            "Matches that were replaced in answers and reasoning",
        );
        let metrics = Metrics {
            redactions: IntCounterVec::new(redactions, &["name"])?,
            stops: IntCounter::new(
                "orchestrator_stops_total",
                "Choices of answers that ended at a stop string of the configuration",
            )?,
        };
        registry.register(Box::new(metrics.redactions.clone()))?;
        registry.register(Box::new(metrics.stops.clone()))?;
        Ok(metrics)
    }

    pub(crate) fn redactions(&self, name: &str) -> IntCounter {
        self.redactions.with_label_values(&[name])
    }

    pub(crate) fn stops(&self) -> IntCounter {
        self.stops.clone()
    }
}
