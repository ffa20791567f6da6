//! The registry that all parts register their metrics on, and how it is shown.

use crate::Error;
use prometheus::{Encoder, Gauge, IntGaugeVec, Opts, TextEncoder, proto::MetricFamily};
use std::time::Duration;

/// The content type of [`Registry::exposition`]; Prometheus 3 fails a scrape without one that it knows.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All metrics of the process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Registry(prometheus::Registry);

// === impl Registry ===

impl Registry {
    /// A registry with `orchestrator_build_info` for `version` and `orchestrator_start_timestamp_seconds` for a start at
    /// `started` after 1970.
    pub fn new(version: &str, started: Duration) -> Result<Self, Error> {
        let registry = prometheus::Registry::new();
        let build = Opts::new("orchestrator_build_info", "The version that runs; always 1");
        let build = IntGaugeVec::new(build, &["version"])?;
        build.with_label_values(&[version]).set(1);
        let start = Gauge::new(
            "orchestrator_start_timestamp_seconds",
            "When the process started, in seconds since 1970",
        )?;
        start.set(started.as_secs_f64());
        registry.register(Box::new(build))?;
        registry.register(Box::new(start))?;
        Ok(Registry(registry))
    }

    /// Where parts register their families.
    pub fn metrics(&self) -> &prometheus::Registry {
        &self.0
    }

    /// All families as they are now.
    pub fn families(&self) -> Vec<MetricFamily> {
        self.0.gather()
    }

    /// All families in the text format of Prometheus, with its content type. It is the only format: every scraper takes
    /// it, whatever else it would accept.
    pub fn exposition(&self) -> (&'static str, Vec<u8>) {
        let mut text = Vec::new();
        for family in self.families() {
            let before = text.len();
            // A family that cannot be written must not hide the others.
            if TextEncoder::new().encode(&[family], &mut text).is_err() {
                text.truncate(before);
            }
        }
        (CONTENT_TYPE, text)
    }
}

#[cfg(test)]
mod tests;
