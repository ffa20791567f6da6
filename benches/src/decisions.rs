//! What the benchmarks of decisions decide on.

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use orchestrator_core::{Cx, Failure, Head, Model, Prompt, Reply, Text, Tier};
use orchestrator_resilience::{Guard, RateLimit, State};
use orchestrator_routing::{Ask, Member, Metrics, RouteConfig, Router, Routes, View, stable_hash};
use orchestrator_testkit::chat;
use prometheus::Registry;
use rand::{SeedableRng, rngs::StdRng};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// The guard of a worker that serves, for ever: taking it down costs more than what is measured.
pub fn guard() -> &'static Guard {
    Box::leak(Box::new(guard_of("w", 64)))
}

/// The guard of a worker of so many slots.
///
/// # Panics
///
/// If its metrics cannot be registered.
pub fn guard_of(name: &str, slots: usize) -> Guard {
    let metrics = orchestrator_resilience::Metrics::register(&Registry::new()).expect("a new registry");
    let rng = StdRng::seed_from_u64(0);
    Guard::new(name.into(), Default::default(), slots, rng, &metrics)
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

/// A route with so many primary workers, all of which answer at once, and a request for it.
///
/// # Panics
///
/// If the route cannot be built.
pub fn route(workers: usize) -> (Router, Prompt) {
    let name = |worker| format!("worker {worker}");
    let member = |worker| Arc::new(Member::new(guard_of(&name(worker), 64), None));
    let members: Vec<_> = (0..workers).map(member).collect();
    let config = RouteConfig {
        primary: (0..workers).map(name).collect(),
        ..RouteConfig::default()
    };
    let metrics = Metrics::register(&Registry::new()).expect("a new registry");
    let routes = Routes::build([("route", config)], &members, 0, &metrics).expect("a route");
    let models = vec![Arc::new(AtOnce) as Arc<dyn Model>; workers];
    let request = chat(r#"{"model":"m","messages":[{"role":"user","content":"x"}],"stream":true}"#);
    let prompt = Prompt {
        request: Box::new(request),
        rewritten: false,
        grounding: Vec::new(),
        limit: None,
    };
    (Router::new(routes, models, StdRng::seed_from_u64(0)), prompt)
}

/// A model that has nothing to say.
struct AtOnce;

#[async_trait]
impl Model for AtOnce {
    async fn call(&self, _: &Cx, _: &Prompt) -> Result<Reply, Failure> {
        Ok(Reply {
            head: Head {
                worker: "w".into(),
                tier: Tier::Primary,
                degraded: None,
                id: Text::default(),
                model: Text::default(),
                created: 0,
                attempts: 0,
                grounding: Vec::new(),
                waited: Duration::ZERO,
            },
            events: stream::empty().boxed(),
        })
    }
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
        latency_at_least: Duration::ZERO,
        last_latency: Some(Duration::from_millis(100)),
        unheard: 0,
    }
}

#[cfg(test)]
mod tests;
