//! What the doors show of the requests that came through them.

use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry};
use std::time::Duration;

/// `orchestrator_requests_total`, `orchestrator_request_duration_seconds`, `orchestrator_time_to_first_token_seconds`,
/// `orchestrator_connections`, `orchestrator_ws_connections` and `orchestrator_client_retries_total`.
#[derive(Clone, Debug)]
pub struct Metrics {
    requests: IntCounterVec,
    durations: HistogramVec,
    first_token: Histogram,
    pub(crate) connections: IntGauge,
    pub(crate) sockets: IntGauge,
    pub(crate) client_retries: IntCounter,
}

// === impl Metrics ===

impl Metrics {
    /// Registers the families.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let requests = Opts::new(
            "orchestrator_requests_total",
            "Requests that ended, by what was asked and how it ended",
        );
        let durations = HistogramOpts::new(
            "orchestrator_request_duration_seconds",
            "From the head of a request to the end of its answer",
        )
        .buckets((0..14).map(|power| 0.01 * f64::from(1 << power)).collect());
        let first_token = HistogramOpts::new(
            "orchestrator_time_to_first_token_seconds",
            "From the head of a request to the first token of its answer",
        )
        .buckets(vec![
            0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
        ]);
        let metrics = Metrics {
            requests: IntCounterVec::new(requests, &["path", "worker", "code", "error_source"])?,
            durations: HistogramVec::new(durations, &["path"])?,
            first_token: Histogram::with_opts(first_token)?,
            connections: IntGauge::new("orchestrator_connections", "Open connections of clients")?,
            sockets: IntGauge::new("orchestrator_ws_connections", "Open WebSockets of clients")?,
            client_retries: IntCounter::new("orchestrator_client_retries_total", "Requests that an SDK sent again")?,
        };
        registry.register(Box::new(metrics.requests.clone()))?;
        registry.register(Box::new(metrics.durations.clone()))?;
        registry.register(Box::new(metrics.first_token.clone()))?;
        registry.register(Box::new(metrics.connections.clone()))?;
        registry.register(Box::new(metrics.sockets.clone()))?;
        registry.register(Box::new(metrics.client_retries.clone()))?;
        Ok(metrics)
    }

    /// Counts a request that ended: `code` is `ok` or the failure's.
    pub(crate) fn ended(&self, path: &'static str, worker: &str, (code, source): (&str, &str), took: Duration) {
        self.requests.with_label_values(&[path, worker, code, source]).inc();
        self.durations.with_label_values(&[path]).observe(took.as_secs_f64());
    }

    pub(crate) fn first_token(&self, after: Duration) {
        self.first_token.observe(after.as_secs_f64());
    }
}

#[cfg(test)]
mod tests;
