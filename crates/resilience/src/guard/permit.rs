//! The permit of one call. It rides inside the reply that it pays for and settles itself: at the first token a probe gives
//! its place back; when the stream breaks later it reports a failure; dropped after a first token it was a success, dropped
//! before it nobody has waited for it. What the call has cost in tokens is settled when it is dropped.

use super::{Guard, Machines};
use crate::{Grant, Outcome, tokens::Spending};
use orchestrator_core::{Chunk, Code, Failure};
use std::{fmt, time::Duration};
use tokio::time::Instant;

/// A call that was let through.
pub struct Permit {
    guard: Guard,
    progress: Progress,
    /// Where its worker's tokens are limited.
    spending: Option<Spending>,
}

/// How far a call has come.
struct Progress {
    /// None once its end was reported.
    call: Option<Grant>,
    began: Instant,
    /// Its answer comes as a whole, so nothing is known of its first token.
    is_whole: bool,
    /// Calls that ran when it began, itself among them.
    in_flight: usize,
    /// How long the first token took.
    first_token: Option<Duration>,
}

// === impl Permit ===

impl Permit {
    pub(super) fn new(guard: Guard, call: Grant, spending: Option<Spending>, now: Instant) -> Self {
        let progress = Progress {
            call: Some(call),
            began: now,
            is_whole: false,
            in_flight: guard.slots().taken(),
            first_token: None,
        };
        Permit {
            guard,
            progress,
            spending,
        }
    }

    /// The answer comes as a whole: how long it takes says how long it is, and counts as no time to a first token.
    pub fn of_whole_answer(&mut self) {
        self.progress.is_whole = true;
    }

    /// The worker has answered this, of which it is heard what the call costs.
    pub fn hear(&mut self, chunks: &[Chunk]) {
        if let Some(spending) = &mut self.spending {
            spending.hear(chunks);
        }
    }

    /// The call has reached its first token, or the end of its whole answer, just now.
    pub fn first_token(&mut self) {
        self.first_token_at(Instant::now());
    }

    /// The call has reached its first token, or the end of its whole answer, at `now`.
    pub fn first_token_at(&mut self, now: Instant) {
        let Permit { guard, progress, .. } = self;
        let (Some(call), None) = (&mut progress.call, progress.first_token) else {
            return;
        };
        let began = progress.began;
        let waited = now.saturating_duration_since(began);
        progress.first_token = Some(waited);
        guard.step(|machines| {
            machines.rest.reset();
            machines.breaker.first_token(call, now);
            guard.adapt(machines, |adaptive, running| {
                // Of calls that begin together the first does not see the others.
                let in_flight = progress.in_flight.max(running);
                match progress.is_whole {
                    true => adaptive.answered((began, in_flight), now),
                    false => adaptive.heard((began, in_flight), waited, now),
                }
            });
        });
    }

    /// The call has failed, before its first token or after it. What comes back is for the client: after a 429 it says how
    /// long the worker rests, also where the worker did not.
    pub fn failed(&mut self, failure: Failure) -> Failure {
        let Permit { guard, progress, .. } = self;
        let (outcome, now) = (Outcome::from(&failure), Instant::now());
        let is_late = matches!(failure.code(), Code::FirstTokenTimeout | Code::DeadlineExceeded);
        let is_limited = outcome == Outcome::RateLimited;
        if progress.first_token.is_none() && outcome != Outcome::GivenUp && !is_late {
            self.spending.iter_mut().for_each(Spending::cost_nothing);
        }
        guard.step(|machines| {
            if progress.call.is_some() && (is_limited || is_late && progress.first_token.is_none()) {
                guard.adapt(machines, |adaptive, _| adaptive.overloaded(progress.began, now));
            }
            progress.settle(outcome, machines, now);
            if !is_limited {
                return failure;
            }
            machines.rest.begin(failure.retry_after(), now);
            failure.with_retry_after(machines.rest.left(now))
        })
    }

    /// The call is not made after all, which says nothing of the worker.
    pub fn unused(mut self) {
        self.spending.iter_mut().for_each(Spending::cost_nothing);
        let (Permit { guard, progress, .. }, now) = (&mut self, Instant::now());
        guard.step(|machines| progress.settle(Outcome::Neutral, machines, now));
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let Permit { guard, progress, .. } = self;
        let spending = self.spending.take().zip(guard.0.tokens.as_ref());
        if progress.call.is_none() && spending.is_none() {
            return guard.step(|_| guard.0.slots.leave());
        }
        let now = Instant::now();
        guard.step(|machines| {
            guard.0.slots.leave();
            if let Some((spending, limit)) = spending {
                spending.settle(limit, now);
            }
            progress.settle(Outcome::GivenUp, machines, now);
        });
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("worker", &self.guard.worker())
            .field("first_token", &self.progress.first_token)
            .finish_non_exhaustive()
    }
}

// === impl Progress ===

impl Progress {
    /// Reports the call's end, once.
    fn settle(&mut self, outcome: Outcome, machines: &mut Machines, now: Instant) {
        let Some(call) = self.call.take() else { return };
        let outcome = match outcome {
            // Whoever left after the first token was served.
            Outcome::GivenUp | Outcome::Neutral if self.first_token.is_some() => Outcome::Success,
            outcome => outcome,
        };
        let wait = self.first_token.or_else(|| {
            let in_vain = matches!(outcome, Outcome::Failure | Outcome::GivenUp);
            // A wait without a first token is a lower bound, which says something only where it is too long already.
            let waited = in_vain.then(|| now.saturating_duration_since(self.began))?;
            (waited >= machines.breaker.thresholds(now).latency_p95).then_some(waited)
        });
        let wait = wait.filter(|_| !self.is_whole);
        machines.breaker.end(call, (outcome, wait), now, &mut machines.rng);
    }
}
