//! A worker as routes see it: what stands around its calls. All routes and cores share it.

use crate::{Ask, Health, Latency, Probing, View};
use orchestrator_core::{Code, Failure, stable};
use orchestrator_resilience::{self as resilience, Call, Cause, Guard, Outcome, Permit, Refusal, Slot, Slots, State};
use parking_lot::Mutex;
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::time::Instant;

/// A worker, its guard and what is known of its latency.
pub struct Member {
    name: Arc<str>,
    key: u64,
    guard: Guard,
    pool: Option<Slots>,
    /// To the first token of streams, and to whole answers.
    latencies: [Mutex<Latency>; 2],
    /// Calls that have not come to either.
    unheard: [AtomicUsize; 2],
    health: Mutex<Health>,
}

/// What a call holds of its worker until it is over: a slot of the worker and one of its pool.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) permit: Permit,
    _pool: Option<Slot>,
}

// === impl Member ===

impl Member {
    /// The worker behind `guard`; its calls also count against the slots of its pool, if it is in one.
    pub fn new(guard: Guard, pool: Option<Slots>) -> Self {
        Member {
            name: guard.worker().into(),
            key: stable::hash(guard.worker().as_bytes()),
            guard,
            pool,
            latencies: Default::default(),
            unheard: Default::default(),
            health: Mutex::new(Health::new(Probing::OFF)),
        }
    }

    /// The worker, probed like this; otherwise it never is.
    #[must_use]
    pub fn probed_by(self, probing: Probing) -> Self {
        Member {
            health: Mutex::new(Health::new(probing)),
            ..self
        }
    }

    /// The worker's name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The hash of its name.
    pub(crate) fn key(&self) -> u64 {
        self.key
    }

    /// Its guard.
    pub fn guard(&self) -> &Guard {
        &self.guard
    }

    /// Its pool, if it is in one.
    pub(crate) fn pool(&self) -> Option<&Slots> {
        self.pool.as_ref()
    }

    /// Calls that could begin, as `seen` of its guard: no more than its pool has slots for.
    pub fn free(&self, seen: &resilience::View) -> usize {
        match (seen.state, seen.cause) {
            // What an operator has opened, no probe may pass.
            (State::Open, Some(Cause::Forced)) => 0,
            _ => seen.free.min(self.pool.as_ref().map_or(usize::MAX, Slots::free)),
        }
    }

    /// Whether its server is well; `None` as long as that is unknown.
    pub fn healthy(&self, now: Instant) -> Option<bool> {
        self.health.lock().state(now)
    }

    pub(crate) fn probing(&self) -> Probing {
        self.health.lock().probing()
    }

    /// A probe was answered well, or not.
    pub(crate) fn probed(&self, ok: bool) {
        let news = self.health.lock().probed(ok);
        let worker = &*self.name;
        match news {
            Some(true) => tracing::info!(worker, "a worker is healthy"),
            Some(false) => tracing::warn!(worker, "a worker is unhealthy: it gives no sign of life"),
            None => {}
        }
    }

    /// The estimate of its time to the first token of streams, or to whole answers; none before its first call.
    pub fn estimate(&self, is_stream: bool, now: Instant) -> Option<Duration> {
        self.latency(is_stream).lock().estimate(now)
    }

    /// What a plan needs to know of it; `worker` is its place among all, `weight` its weight in the route.
    pub(crate) fn view(&self, (worker, weight): (usize, u32), ask: &Ask, now: Instant) -> View {
        let (guard, latency) = (self.guard.view(now), *self.latency(ask.is_stream).lock());
        View {
            worker,
            key: self.key,
            weight,
            state: guard.state,
            opened_by_rate: guard.cause.is_some_and(|cause| cause.by_rate()),
            badness: guard.failure_rate,
            due: guard.due,
            rest: guard.rest,
            rate_limited: self.guard.rate_limited(ask.tokens.total(), now),
            running: guard.running,
            free: self.free(&guard),
            warmth: guard.warmth,
            healthy: self.healthy(now),
            latency: latency.estimate(now),
            latency_at_least: latency.at_least(now),
            last_latency: latency.last(now),
            unheard: self.unheard(ask.is_stream).load(Relaxed),
        }
    }

    /// Takes what a call needs, or says why it may not be made.
    pub(crate) fn enter(&self, call: impl Into<Call>) -> Result<Held, Refusal> {
        let pool = match &self.pool {
            Some(pool) => Some(pool.try_take().ok_or(Refusal::Full)?),
            None => None,
        };
        let permit = self.guard.try_admit(call)?;
        Ok(Held { permit, _pool: pool })
    }

    /// A call of this kind begins.
    pub(crate) fn begins(&self, is_stream: bool) {
        self.unheard(is_stream).fetch_add(1, Relaxed);
    }

    /// A call that began has come to its first token, or to its end before that.
    pub(crate) fn is_heard(&self, is_stream: bool) {
        self.unheard(is_stream).fetch_sub(1, Relaxed);
    }

    /// A call came to its first token.
    pub(crate) fn served(&self, now: Instant) {
        self.health.lock().served(now);
    }

    /// The call came to its first token after `took`.
    pub(crate) fn answered(&self, is_stream: bool, took: Duration, now: Instant) {
        self.latency(is_stream).lock().observe(took, now);
    }

    /// Nobody waits for the call any more, which came to nothing in `waited`.
    pub(crate) fn given_up(&self, is_stream: bool, waited: Duration) {
        self.latency(is_stream).lock().wait_at_least(waited, Instant::now());
    }

    /// The call failed after `took`. That it failed fast does not speak for the worker.
    pub(crate) fn failed(&self, is_stream: bool, failure: &Failure, took: Duration, now: Instant) {
        let mut latency = self.latency(is_stream).lock();
        match Outcome::from(failure) {
            Outcome::Failure | Outcome::RateLimited => latency.penalize(now),
            Outcome::Success | Outcome::Neutral | Outcome::GivenUp => {}
        }
        if failure.code() == Code::FirstTokenTimeout {
            latency.wait_at_least(took, now);
        }
    }

    fn unheard(&self, is_stream: bool) -> &AtomicUsize {
        let [stream, whole] = &self.unheard;
        if is_stream { stream } else { whole }
    }

    fn latency(&self, is_stream: bool) -> &Mutex<Latency> {
        let [stream, whole] = &self.latencies;
        if is_stream { stream } else { whole }
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member")
            .field("name", &self.name)
            .field("guard", &self.guard)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
