//! What the benchmarks of decisions decide on.

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use orchestrator_core::{Answer, Cx, Failure, Head, Model, Prompt, Reply, Text, Tier, stable};
use orchestrator_resilience::{Guard, RateLimit, State};
use orchestrator_routing::{Ask, Balance, Member, Metrics, RouteConfig, Router, Routes, View};
use orchestrator_testkit::chat;
use prometheus::Registry;
use rand::{SeedableRng, rngs::StdRng};
use std::{cell::Cell, fmt, sync::Arc, time::Duration};
use tokio::{
    runtime::{Builder, Runtime},
    time::Instant,
};

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

/// Requests that a route's workers answer at once.
pub struct Calls {
    router: Router,
    /// They differ in their chance.
    prompts: Vec<Prompt>,
    next: Cell<usize>,
    cx: Cx,
    _client: Answer,
}

impl Calls {
    /// To so many primary workers, each of which was called before.
    ///
    /// # Panics
    ///
    /// If the route cannot be built.
    pub async fn to(workers: usize, balance: Balance) -> Self {
        let name = |worker| format!("worker {worker}");
        let member = |worker| Arc::new(Member::new(guard_of(&name(worker), 64), None));
        let members: Vec<_> = (0..workers).map(member).collect();
        let config = |balance| RouteConfig {
            primary: (0..workers).map(name).collect(),
            balance,
            ..RouteConfig::default()
        };
        let metrics = Metrics::register(&Registry::new()).expect("a new registry");
        let in_turn = [("route", config(Balance::RoundRobin))];
        let routes = Routes::build(in_turn, &members, 0, &metrics).expect("a route");
        let models = vec![Arc::new(AtOnce) as Arc<dyn Model>; workers];
        let prompts: Vec<_> = std::iter::repeat_with(prompt).take(256).collect();
        let until = Instant::now() + Duration::from_secs(86_400);
        let (cx, _client) = orchestrator_testkit::cx(until);
        let calls = Calls {
            router: Router::new(routes.clone(), models, StdRng::seed_from_u64(0)),
            prompts,
            next: Cell::new(0),
            cx,
            _client,
        };
        for _ in 0..workers {
            assert!(calls.one().await, "it is served");
        }
        routes.all().iter().for_each(|route| route.change(config(balance)));
        calls
    }

    /// From the look at the route's workers to the end of a call that is answered at once; whether it was.
    pub async fn one(&self) -> bool {
        let next = self.next.get();
        self.next.set(next.wrapping_add(1));
        match self.prompts.get(next % self.prompts.len()) {
            Some(prompt) => self.router.call(&self.cx, prompt).await.is_ok(),
            None => false,
        }
    }
}

impl fmt::Debug for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calls")
            .field("router", &self.router)
            .finish_non_exhaustive()
    }
}

fn prompt() -> Prompt {
    let request = chat(r#"{"model":"m","messages":[{"role":"user","content":"x"}],"stream":true}"#);
    Prompt {
        request: Box::new(request),
        rewritten: false,
        grounding: Vec::new(),
        limit: None,
    }
}

/// A runtime on this thread, and calls to so many workers by power of two choices, for ever.
///
/// # Panics
///
/// If there is no runtime to be had.
pub fn calls(workers: usize) -> (Runtime, &'static Calls) {
    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
    let calls: &'static Calls = Box::leak(Box::new(runtime.block_on(Calls::to(workers, Balance::P2cEwma))));
    // The first call pays for the memory that the building of the route has left in pieces.
    runtime.block_on(calls.one());
    (runtime, calls)
}

/// A model that has nothing to say.
struct AtOnce;

#[async_trait]
impl Model for AtOnce {
    async fn call(&self, _: &Cx, _: &Prompt) -> Result<Reply, Failure> {
        Ok(Reply {
            head: Box::new(Head {
                worker: "w".into(),
                tier: Tier::Primary,
                degraded: None,
                id: Text::default(),
                model: Text::default(),
                created: 0,
                attempts: 0,
                grounding: Vec::new(),
                waited: Duration::ZERO,
            }),
            events: stream::empty().boxed(),
        })
    }
}

fn well(worker: usize) -> View {
    View {
        worker,
        key: stable::hash(format!("worker {worker}").as_bytes()),
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
