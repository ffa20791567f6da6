//! What sharing shows.

use orchestrator_core::Cache;
use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// `orchestrator_dedup_total` by `result`, `orchestrator_dedup_entries` and `orchestrator_dedup_evictions_total`.
#[derive(Clone, Debug)]
pub struct Metrics {
    miss: IntCounter,
    hit: IntCounter,
    coalesced: IntCounter,
    bypass: IntCounter,
    pub(crate) entries: IntGauge,
    pub(crate) evictions: IntCounter,
}

// === impl Metrics ===

impl Metrics {
    /// Registers the families.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let results = Opts::new("orchestrator_dedup_total", "Requests by where their answer came from");
        let results = IntCounterVec::new(results, &["result"])?;
        let entries = IntGauge::new("orchestrator_dedup_entries", "Answers that equal requests may share")?;
        let evictions = IntCounter::new(
            "orchestrator_dedup_evictions_total",
            "Kept answers that went before their time",
        )?;
        registry.register(Box::new(results.clone()))?;
        registry.register(Box::new(entries.clone()))?;
        registry.register(Box::new(evictions.clone()))?;
        let of = |cache: Cache| results.with_label_values(&[&cache.as_str().to_ascii_lowercase()]);
        Ok(Metrics {
            miss: of(Cache::Miss),
            hit: of(Cache::Hit),
            coalesced: of(Cache::Coalesced),
            bypass: of(Cache::Bypass),
            entries,
            evictions,
        })
    }

    pub(crate) fn count(&self, cache: Cache) {
        match cache {
            Cache::Miss => self.miss.inc(),
            Cache::Hit => self.hit.inc(),
            Cache::Coalesced => self.coalesced.inc(),
            Cache::Bypass => self.bypass.inc(),
        }
    }
}
