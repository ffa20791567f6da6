//! The guard of one worker, shared by all cores: rest, breaker, rate limit and slot around each call.
//!
//! A thin shell around machines that know no clock and no lock. All of them are asked under one lock, and nothing is spent
//! on a call that one of them refuses. Whoever has just read the clock hands that on: a reading costs as much as a lock.

mod occupancy;
mod permit;

pub use occupancy::Occupancy;
pub use permit::Permit;

use crate::{
    Breaker, Call, Cause, Change, Config, Estimate, Metrics, RateLimit, Refusal, State, Thresholds, adaptive::Adaptive,
    metrics::WorkerMetrics, rest::Rest, tokens::Spending,
};
use occupancy::Counts;
use orchestrator_core::sync::Mutex;
use rand::rngs::StdRng;
use std::{fmt, sync::Arc, time::Duration};
use tokio::time::Instant;

/// The guard of one worker.
#[derive(Clone)]
pub struct Guard(Arc<Shared>);

struct Shared {
    worker: Arc<str>,
    config: Config,
    /// Changed under the lock only.
    slots: Counts,
    rate: Option<RateLimit>,
    tokens: Option<RateLimit>,
    machines: Mutex<Machines>,
    metrics: WorkerMetrics,
}

struct Machines {
    breaker: Breaker,
    rest: Rest,
    adaptive: Option<Adaptive>,
    rng: StdRng,
}

/// What is to be known of a worker at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct View {
    /// The state of its breaker.
    pub state: State,
    /// What opened its breaker, while it is not closed; failed probes since do not change it.
    pub cause: Option<Cause>,
    /// How long its breaker is still open.
    pub due: Duration,
    /// How long it rests.
    pub rest: Duration,
    /// How long our own limits let no call through, however small.
    pub rate_limited: Duration,
    /// Calls that it is answering.
    pub running: usize,
    /// Calls that could begin: free slots, no more than our own limits let through now, and while it is half-open no more
    /// than free places for probes.
    pub free: usize,
    /// The part of its usual calls that it should get, 0.1 to 1.
    pub warmth: f64,
    /// The failure rate of its last calls; while its breaker is not closed, of those before it opened, and worse with each
    /// failed probe.
    pub failure_rate: f64,
}

// === impl Guard ===

impl Guard {
    /// A guard with a closed breaker and `max_concurrent` free slots, at least one; `rng` draws the breaker's jitter.
    pub fn new(worker: Arc<str>, config: Config, max_concurrent: usize, rng: StdRng, metrics: &Metrics) -> Self {
        let most = max_concurrent.max(1);
        let adaptive = config.adaptive_concurrency.then(|| Adaptive::new(most));
        let first = adaptive.as_ref().map_or(most, Adaptive::limit);
        let limit = |most, burst| (most > 0).then(|| RateLimit::per_minute(most, burst));
        let machines = Machines {
            breaker: Breaker::new(config.clone()),
            rest: Rest::default(),
            adaptive,
            rng,
        };
        let guard = Guard(Arc::new(Shared {
            metrics: metrics.worker(&worker),
            worker,
            slots: Counts::new(first),
            rate: limit(config.requests_per_minute, config.requests_burst),
            tokens: limit(config.tokens_per_minute, config.tokens_burst),
            config,
            machines: Mutex::new(machines),
        }));
        metrics.watch(guard.clone());
        guard
    }

    /// The worker's name.
    pub fn worker(&self) -> &str {
        &self.0.worker
    }

    /// How its calls are guarded and retried.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// Its slots at this moment.
    pub fn slots(&self) -> Occupancy {
        self.0.slots.read()
    }

    /// Calls that the worker takes at once; where its slots adapt, the most that they ever are.
    pub fn max_concurrent(&self) -> usize {
        let machines = self.0.machines.lock();
        let adaptive = machines.adaptive.as_ref().map(Adaptive::max);
        adaptive.unwrap_or_else(|| self.slots().max())
    }

    /// Changes how many calls the worker takes at once, at least one. Those that run go on; where they are more than that,
    /// none is let through until enough have ended.
    pub fn set_max_concurrent(&self, max: usize) {
        let (max, mut machines) = (max.max(1), self.0.machines.lock());
        match machines.adaptive {
            None => self.0.slots.resize(max),
            Some(_) => self.adapt(&mut machines, |adaptive, _| adaptive.bound(max, Instant::now())),
        }
    }

    /// The state of its breaker. Looking changes nothing, here and below.
    pub fn state(&self) -> State {
        self.0.machines.lock().breaker.state(Instant::now())
    }

    /// What is to be known of the worker at `now`.
    pub fn view(&self, now: Instant) -> View {
        let machines = self.0.machines.lock();
        let (breaker, slots) = (&machines.breaker, self.slots());
        let places = breaker
            .places(now)
            .map(|places| usize::try_from(places).unwrap_or(usize::MAX));
        View {
            state: breaker.state(now),
            cause: breaker.cause(),
            due: breaker.due(now),
            rest: machines.rest.left(now),
            rate_limited: self.rate_limited(1, now),
            running: slots.taken(),
            free: slots.free().min(places.unwrap_or(usize::MAX)).min(self.rate_left(now)),
            warmth: breaker.warmth(now),
            failure_rate: breaker.failure_rate(now),
        }
    }

    /// From what on its last calls open its breaker.
    pub fn thresholds(&self, now: Instant) -> Thresholds {
        self.0.machines.lock().breaker.thresholds(now)
    }

    /// The last changes of its breaker, oldest first. What the clock alone has brought about is told once a call or an
    /// operator has met it.
    pub fn history(&self) -> Vec<Change> {
        self.0.machines.lock().breaker.history().changes().copied().collect()
    }

    /// Lets a call through, if everything is free for it. All machines are asked before one is told.
    pub fn try_admit(&self, call: impl Into<Call>) -> Result<Permit, Refusal> {
        let Call { pass, tokens, at: now } = call.into();
        self.step(|machines| {
            machines.breaker.elapse(now);
            let rest = machines.rest.left(now);
            if !rest.is_zero() {
                return Err(Refusal::Resting(rest));
            }
            if let Some(refusal) = machines.breaker.refusal(pass, now) {
                return Err(refusal);
            }
            if self.slots().free() == 0 {
                return Err(Refusal::Full);
            }
            let limited = self.rate_limited(tokens.total(), now);
            if !limited.is_zero() {
                return Err(Refusal::RateLimited(limited));
            }
            self.0.slots.enter();
            let (call, spending) = (machines.breaker.enter(pass), self.spend(tokens, now));
            Ok(Permit::new(self.clone(), call, spending, now))
        })
    }

    /// Closes the breaker, whatever it is: an operator's wish. Calls that are on their way count no more.
    pub fn reset(&self) {
        let now = Instant::now();
        self.step(|machines| machines.breaker.reset(now));
    }

    /// Opens the breaker for just this long, whatever it is: an operator's wish.
    pub fn force_open(&self, held: Duration) {
        let now = Instant::now();
        self.step(|machines| machines.breaker.force_open(now, held));
    }

    /// How long our own limits let no call through that costs as many tokens. Looking changes nothing.
    pub fn rate_limited(&self, tokens: u64, now: Instant) -> Duration {
        let wait =
            |limit: &Option<RateLimit>, cost| limit.as_ref().map_or(Duration::ZERO, |limit| limit.wait(cost, now));
        wait(&self.0.rate, 1).max(wait(&self.0.tokens, tokens))
    }

    /// Counts a call that has come through. Whoever holds the lock finds the limits as he has seen them.
    fn spend(&self, tokens: Estimate, now: Instant) -> Option<Spending> {
        if let Some(rate) = &self.0.rate {
            let _passes = rate.check(now);
        }
        let taken = self.0.tokens.as_ref()?.take(tokens.total(), now).ok()?;
        Some(Spending::new(taken, tokens))
    }

    /// Calls that our own limits let through now. Where there are tokens, nobody knows for how many.
    fn rate_left(&self, now: Instant) -> usize {
        match self.rate_limited(1, now).is_zero() {
            true => self.0.rate.as_ref().map_or(usize::MAX, |rate| rate.left(now)),
            false => 0,
        }
    }

    /// Tells the adaptive limit of a call and of how many are running, if there is one, and obeys it.
    fn adapt(&self, machines: &mut Machines, tell: impl FnOnce(&mut Adaptive, usize)) {
        if let Some(adaptive) = &mut machines.adaptive {
            tell(adaptive, self.slots().taken());
            self.0.slots.resize(adaptive.limit());
        }
    }

    /// Lets the machines do a step, and tells the changes that it has brought.
    fn step<T>(&self, step: impl FnOnce(&mut Machines) -> T) -> T {
        let mut machines = self.0.machines.lock();
        let seen = machines.breaker.history().all();
        let result = step(&mut machines);
        let history = machines.breaker.history();
        if history.all() != seen {
            history.since(seen).for_each(|change| self.tell(change));
        }
        result
    }

    fn tell(&self, change: &Change) {
        self.0.metrics.changed(change.cause);
        let (worker, from, to) = (&*self.0.worker, change.from.as_str(), change.to.as_str());
        let cause = change.cause.as_str();
        match change.to {
            State::Open => tracing::warn!(worker, from, cause, "a breaker is open"),
            State::HalfOpen | State::Closed => tracing::info!(worker, from, to, cause, "a breaker has changed"),
        }
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("worker", &self.0.worker)
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, sim_loom))]
mod interleavings;
#[cfg(test)]
#[cfg(not(sim_loom))]
mod tests;
