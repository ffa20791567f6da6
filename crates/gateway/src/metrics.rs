//! What the doors show of the requests that came through them.

use orchestrator_core::Blame;
use orchestrator_telemetry::buckets;
use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry};
use std::time::Duration;

/// What requests can be for.
const PATHS: [&str; 7] = [
    "/v1/chat/completions",
    "/v1/ask",
    "/v1/stream",
    "/v1/stream#handshake",
    "/v1/models",
    "/v1/models/{id}",
    "other",
];
/// Endings of requests that name no model and reach no worker, as path, code and whose fault. They are shown from the
/// start; those of models and workers when they first happen.
const ENDINGS: [(&str, &str, &str); 6] = [
    ("/v1/chat/completions", "invalid_request", "client"),
    ("/v1/ask", "invalid_request", "client"),
    ("/v1/stream#handshake", "ok", NONE),
    ("/v1/models", "ok", NONE),
    ("/v1/models/{id}", "ok", NONE),
    ("other", "not_found", "client"),
];
/// The label of what a request has not: a model, a worker, somebody at fault.
pub(crate) const NONE: &str = "none";

/// `orchestrator_requests_total`, `orchestrator_request_duration_seconds`, `orchestrator_time_to_first_token_seconds`,
/// `orchestrator_overhead_seconds`, `orchestrator_stream_aborts_total`, `orchestrator_connections`,
/// `orchestrator_ws_connections` and `orchestrator_client_retries_total`.
#[derive(Clone, Debug)]
pub struct Metrics {
    requests: IntCounterVec,
    durations: HistogramVec,
    first_token: Histogram,
    overhead: Histogram,
    aborts: IntCounterVec,
    connections: IntGauge,
    sockets: IntGauge,
    pub(crate) client_retries: IntCounter,
}

/// How a request ended, in labels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending<'a> {
    /// What it was for.
    pub(crate) path: &'static str,
    /// The model that was asked for, as far as it is listed: callers must not make labels.
    pub(crate) model: &'a str,
    /// Who answered.
    pub(crate) worker: &'a str,
    /// `ok`, or the failure's.
    pub(crate) code: &'static str,
    /// Whose fault it was.
    pub(crate) error_source: &'static str,
}

/// Something that is open: counted on its gauge until dropped.
#[derive(Debug)]
pub(crate) struct Open(IntGauge);

// === impl Metrics ===

impl Metrics {
    /// Registers the families.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Metrics::new()?;
        registry.register(Box::new(metrics.requests.clone()))?;
        registry.register(Box::new(metrics.durations.clone()))?;
        registry.register(Box::new(metrics.first_token.clone()))?;
        registry.register(Box::new(metrics.overhead.clone()))?;
        registry.register(Box::new(metrics.aborts.clone()))?;
        registry.register(Box::new(metrics.connections.clone()))?;
        registry.register(Box::new(metrics.sockets.clone()))?;
        registry.register(Box::new(metrics.client_retries.clone()))?;
        metrics.show_known();
        Ok(metrics)
    }

    fn new() -> Result<Self, prometheus::Error> {
        let requests = Opts::new(
            "orchestrator_requests_total",
            "Requests that ended, by what was asked and how it ended",
        );
        let durations = HistogramOpts::new(
            "orchestrator_request_duration_seconds",
            "From the head of a request to the end of its answer",
        );
        let first_token = HistogramOpts::new(
            "orchestrator_time_to_first_token_seconds",
            "From the head of a request to the first token of its stream",
        );
        let overhead = HistogramOpts::new(
            "orchestrator_overhead_seconds",
            "From a whole request to the first token of its answer, less what it waited at the gate and for its worker",
        );
        let aborts = Opts::new(
            "orchestrator_stream_aborts_total",
            "Streams that broke off after their first token, by whose fault it was",
        );
        let connections = "Open connections of clients, WebSockets among them";
        let retries = "Requests that an SDK sent again";
        Ok(Metrics {
            requests: IntCounterVec::new(requests, &["path", "model", "worker", "code", "error_source"])?,
            durations: HistogramVec::new(durations.buckets(buckets::DURATION.to_vec()), &["path"])?,
            first_token: Histogram::with_opts(first_token.buckets(buckets::TTFT.to_vec()))?,
            overhead: Histogram::with_opts(overhead.buckets(buckets::OVERHEAD.to_vec()))?,
            aborts: IntCounterVec::new(aborts, &["by"])?,
            connections: IntGauge::new("orchestrator_connections", connections)?,
            sockets: IntGauge::new("orchestrator_ws_connections", "Open WebSockets of clients")?,
            client_retries: IntCounter::new("orchestrator_client_retries_total", retries)?,
        })
    }

    /// Shows what is known to come as 0, so that its first time is seen as a rise.
    fn show_known(&self) {
        for path in PATHS {
            self.durations.with_label_values(&[path]);
        }
        for (path, code, source) in ENDINGS {
            self.requests.with_label_values(&[path, NONE, NONE, code, source]);
        }
        for by in [Blame::Client, Blame::Upstream, Blame::Gateway] {
            self.aborts.with_label_values(&[by.as_str()]);
        }
    }

    /// Counts a request that ended.
    pub(crate) fn ended(&self, ending: &Ending<'_>, took: Duration) {
        let Ending {
            path,
            model,
            worker,
            code,
            error_source,
        } = *ending;
        self.requests
            .with_label_values(&[path, model, worker, code, error_source])
            .inc();
        self.durations.with_label_values(&[path]).observe(took.as_secs_f64());
    }

    /// Counts a stream that broke off after its first token.
    pub(crate) fn aborted(&self, by: Blame) {
        self.aborts.with_label_values(&[by.as_str()]).inc();
    }

    /// Takes note of what we added to a request ourselves.
    pub(crate) fn added(&self, overhead: Duration) {
        self.overhead.observe(overhead.as_secs_f64());
    }

    /// A client has opened a connection.
    pub(crate) fn connection(&self) -> Open {
        Open::on(&self.connections)
    }

    /// A client has opened a WebSocket.
    pub(crate) fn socket(&self) -> Open {
        Open::on(&self.sockets)
    }

    pub(crate) fn first_token(&self, after: Duration) {
        self.first_token.observe(after.as_secs_f64());
    }
}

// === impl Open ===

impl Open {
    fn on(gauge: &IntGauge) -> Self {
        gauge.inc();
        Open(gauge.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests;
