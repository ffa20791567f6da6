//! The guard of one worker, shared by all cores: rest, breaker and slot around each call.
//!
//! A call's permit rides inside the reply that it pays for and settles itself: at the first token it reports a success and
//! gives a probe's place back; when the stream breaks later it reports that; dropped undecided, it was neutral.

use crate::breaker::Admission;
use crate::{Breaker, Config, Metrics, Outcome, Rest, Slot, Slots, State, metrics::WorkerMetrics};
use orchestrator_core::{Code, Failure};
use parking_lot::Mutex;
use rand::rngs::StdRng;
use std::{fmt, sync::Arc, time::Duration};
use tokio::time::Instant;

/// Calls in a row that end without a word of the worker, whoever ended them, before the breaker opens: impatient clients
/// do not hide a hung worker. A worker that answers 429 or refuses a request is not hung.
const SILENT_CALLS: u32 = 20;

/// The guard of one worker.
#[derive(Clone)]
pub struct Guard(Arc<Shared>);

struct Shared {
    worker: Arc<str>,
    config: Config,
    slots: Slots,
    state: Mutex<Machines>,
    metrics: WorkerMetrics,
}

struct Machines {
    breaker: Breaker,
    /// Its state when it was last stepped; the clock alone brings it from open to half-open.
    seen: State,
    rest: Rest,
    silent: u32,
    rng: StdRng,
}

/// A call that was let through.
pub struct Permit {
    guard: Guard,
    call: Admission,
    /// What the breaker has been told last.
    told: Option<Outcome>,
    _slot: Slot,
}

// === impl Guard ===

impl Guard {
    /// A guard with a closed breaker and `max_concurrent` free slots; `rng` draws the breaker's jitter.
    pub fn new(worker: Arc<str>, config: Config, max_concurrent: usize, rng: StdRng, metrics: &Metrics) -> Self {
        let machines = Machines {
            breaker: Breaker::new(config.clone()),
            seen: State::Closed,
            rest: Rest::default(),
            silent: 0,
            rng,
        };
        let guard = Guard(Arc::new(Shared {
            metrics: metrics.worker(&worker),
            worker,
            config,
            slots: Slots::new(max_concurrent),
            state: Mutex::new(machines),
        }));
        metrics.watch(guard.clone());
        guard
    }

    /// The worker's name.
    pub fn worker(&self) -> &str {
        &self.0.worker
    }

    /// How its calls are retried.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// Its slots.
    pub fn slots(&self) -> &Slots {
        &self.0.slots
    }

    /// The state of its breaker.
    pub fn state(&self) -> State {
        self.0.state.lock().breaker.state(Instant::now())
    }

    /// Lets a call through, waiting for a slot if all are taken. A worker that rests or whose breaker is open refuses at
    /// once, which costs nothing. Dropping the future leaves the queue for a slot.
    pub async fn admit(&self) -> Result<Permit, Failure> {
        self.refused()?;
        let slot = match self.0.slots.try_take() {
            Some(slot) => slot,
            None => self.0.slots.take().await?,
        };
        let mut state = self.0.state.lock();
        self.check_rest(&state)?;
        let call = self.with_transitions(&mut state, |machines, now| machines.breaker.admit(now));
        let call = call.map_err(|wait| self.open(wait))?;
        drop(state);
        Ok(Permit {
            guard: self.clone(),
            call,
            told: None,
            _slot: slot,
        })
    }

    /// A look before waiting for a slot, which admits nothing.
    fn refused(&self) -> Result<(), Failure> {
        let state = self.0.state.lock();
        self.check_rest(&state)?;
        match state.breaker.state(Instant::now()) {
            State::Open => {
                let wait = state.breaker.clone().admit(Instant::now()).err().unwrap_or_default();
                Err(self.open(wait))
            }
            State::Closed | State::HalfOpen => Ok(()),
        }
    }

    fn check_rest(&self, state: &Machines) -> Result<(), Failure> {
        let left = state.rest.left(Instant::now());
        match left.is_zero() {
            true => Ok(()),
            false => {
                let text = format!("The worker {} asked for a rest.", self.0.worker);
                Err(Failure::new(Code::RateLimited, text).with_retry_after(left))
            }
        }
    }

    fn open(&self, wait: Duration) -> Failure {
        let text = format!(
            "The worker {} is not called for now, since its last calls failed.",
            self.0.worker
        );
        Failure::new(Code::BreakerOpen, text).with_retry_after(wait.max(Duration::from_secs(1)))
    }

    fn report(&self, call: Admission, outcome: Outcome, silent: bool) {
        let mut state = self.0.state.lock();
        if outcome == Outcome::Success {
            state.rest.reset();
            state.silent = 0;
        } else if state.breaker.awaits(call) {
            state.silent = state.silent.saturating_add(u32::from(silent));
        }
        let hung = state.silent >= SILENT_CALLS && self.0.config.circuit_breaker_threshold > 0;
        self.with_transitions(&mut state, |machines, now| {
            let rng = &mut machines.rng;
            if hung {
                // As if it had failed as often as it takes.
                for _ in 0..self.0.config.circuit_breaker_threshold {
                    machines.breaker.report(call, Outcome::Failure, now, rng);
                }
            } else {
                machines.breaker.report(call, outcome, now, rng);
            }
        });
    }

    fn broke_off(&self, call: Admission) {
        let mut state = self.0.state.lock();
        self.with_transitions(&mut state, |machines, now| {
            machines.breaker.broke_off(call, now, &mut machines.rng);
        });
    }

    fn observe(&self, state: &mut Machines, now: Instant) {
        let state_now = state.breaker.state(now);
        if std::mem::replace(&mut state.seen, state_now) != state_now {
            state.silent = 0;
            self.0.metrics.changed(state_now);
        }
    }

    /// Counts the transitions that the clock and a step bring.
    fn with_transitions<T>(&self, state: &mut Machines, step: impl FnOnce(&mut Machines, Instant) -> T) -> T {
        let now = Instant::now();
        self.observe(state, now);
        let result = step(state, now);
        self.observe(state, now);
        result
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

// === impl Permit ===

impl Permit {
    /// The call has reached its first token.
    pub fn first_token(&mut self) {
        self.tell(Outcome::Success, false);
    }

    /// The call has failed, before its first token or after it. What comes back is for the client: after a 429 it says how
    /// long the worker rests, also where the worker did not.
    pub fn failed(&mut self, failure: Failure) -> Failure {
        self.settle(&failure);
        match failure.code() {
            Code::RateLimited => self.rest(failure),
            _ => failure,
        }
    }

    fn rest(&self, failure: Failure) -> Failure {
        let (mut state, now) = (self.guard.0.state.lock(), Instant::now());
        state.rest.begin(failure.retry_after(), now);
        failure.with_retry_after(state.rest.left(now))
    }

    fn settle(&mut self, failure: &Failure) {
        let outcome = Outcome::from(failure);
        match self.told {
            None => {
                let given_up = matches!(failure.code(), Code::Cancelled | Code::DeadlineExceeded);
                self.tell(outcome, given_up || outcome == Outcome::Failure);
            }
            Some(Outcome::Success) if outcome == Outcome::Failure => {
                self.told = Some(outcome);
                self.guard.broke_off(self.call);
            }
            Some(_) => {}
        }
    }

    /// `silent` says that the worker was asked and not heard.
    fn tell(&mut self, outcome: Outcome, silent: bool) {
        if self.told.is_none() {
            self.told = Some(outcome);
            self.guard.report(self.call, outcome, silent);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.tell(Outcome::Neutral, true);
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("worker", &self.guard.0.worker)
            .field("told", &self.told)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
