//! What the benchmarks of decisions decide on.

use orchestrator_resilience::{Guard, RateLimit, State};
use orchestrator_routing::{Ask, View, stable_hash};
use prometheus::Registry;
use rand::{SeedableRng, rngs::StdRng};
use std::time::Duration;
use tokio::time::Instant;

/// The guard of a worker that serves, for ever: taking it down costs more than what is measured.
///
/// # Panics
///
/// If its metrics cannot be registered.
pub fn guard() -> &'static Guard {
    let metrics = orchestrator_resilience::Metrics::register(&Registry::new()).expect("a new registry");
    let guard = Guard::new("w".into(), Default::default(), 64, StdRng::seed_from_u64(0), &metrics);
    Box::leak(Box::new(guard))
}

/// A limit that lets calls through, and the time of one.
pub fn rate_limit() -> (RateLimit, Instant) {
    (RateLimit::per_minute(60_000, 100), Instant::now())
}

/// A route whose primary tier has so many workers, all of them well, and what a request asks of it.
pub fn tiers(workers: usize) -> ([Vec<View>; 3], Ask) {
    let primary = (0..workers).map(well).collect();
    ([primary, Vec::new(), Vec::new()], Ask::new(7, 11))
}

fn well(worker: usize) -> View {
    View {
        worker,
        key: stable_hash(&format!("worker {worker}")),
        weight: 1,
        state: State::Closed,
        opened_by_rate: false,
        badness: 0.0,
        due: Duration::ZERO,
        rest: Duration::ZERO,
        rate_limited: Duration::ZERO,
        running: worker % 7,
        free: 10,
        warmth: 1.0,
        healthy: None,
        latency: Some(Duration::from_millis(100)),
        unheard: 0,
    }
}

#[cfg(test)]
mod tests;
