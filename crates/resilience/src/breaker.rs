//! The circuit breaker of one worker (Nygard, "Release It!"): closed -> open after failures in a row; open -> half-open by
//! the clock alone, with no traffic and no timer; half-open -> closed after enough successes, -> open again, for twice as
//! long, after one failure.
//!
//! A pure machine. Every change begins a new epoch, and what calls of an older epoch report counts for nothing: a call
//! that was begun before the breaker opened can neither close it nor free a probe's place.

use crate::{Config, Outcome};
use rand::Rng;
use std::time::Duration;
use tokio::time::Instant;

/// The breaker of one worker.
#[derive(Clone, Debug)]
pub struct Breaker {
    config: Config,
    epoch: u64,
    phase: Phase,
}

/// What a breaker lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Everything.
    Closed,
    /// A few probes.
    HalfOpen,
    /// Nothing.
    Open,
}

/// A call that a breaker has let through, to be reported once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Admission {
    epoch: u64,
    probe: bool,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    Closed {
        failures: u32,
    },
    /// Half-open from `until` on, as far as nothing was admitted since.
    Open {
        until: Instant,
        held: Duration,
    },
    HalfOpen {
        probes: u32,
        successes: u32,
        held: Duration,
    },
}

// === impl Breaker ===

impl Breaker {
    /// A closed breaker.
    pub fn new(config: Config) -> Self {
        Breaker {
            config,
            epoch: 0,
            phase: Phase::Closed { failures: 0 },
        }
    }

    /// The state at `now`. Looking changes nothing.
    pub fn state(&self, now: Instant) -> State {
        match self.phase {
            Phase::Closed { .. } => State::Closed,
            Phase::Open { until, .. } if now < until => State::Open,
            Phase::Open { .. } | Phase::HalfOpen { .. } => State::HalfOpen,
        }
    }

    /// Lets a call through, or says for how long to stay away: zero when a probe's place may come free at any time.
    pub(crate) fn admit(&mut self, now: Instant) -> Result<Admission, Duration> {
        if let Phase::Open { until, held } = self.phase {
            let wait = until.saturating_duration_since(now);
            if !wait.is_zero() {
                return Err(wait);
            }
            // open -> half-open
            self.change(Phase::HalfOpen {
                probes: 0,
                successes: 0,
                held,
            });
        }
        let epoch = self.epoch;
        match &mut self.phase {
            Phase::HalfOpen { probes, .. } if *probes >= self.config.half_open_probes => Err(Duration::ZERO),
            Phase::HalfOpen { probes, .. } => {
                *probes = probes.saturating_add(1);
                Ok(Admission { epoch, probe: true })
            }
            Phase::Closed { .. } | Phase::Open { .. } => Ok(Admission { epoch, probe: false }),
        }
    }

    /// Whether what this call reports still counts: the breaker has not changed since it was let through.
    pub(crate) fn awaits(&self, call: Admission) -> bool {
        call.epoch == self.epoch
    }

    /// A call has reached its first token, or ended before it. Gives a probe's place back.
    pub(crate) fn report(&mut self, call: Admission, outcome: Outcome, now: Instant, rng: &mut impl Rng) {
        if !self.awaits(call) {
            return;
        }
        match &mut self.phase {
            Phase::Closed { failures } => match outcome {
                Outcome::Success => *failures = 0,
                Outcome::Neutral => {}
                Outcome::Failure => {
                    *failures = failures.saturating_add(1);
                    if self.config.circuit_breaker_threshold > 0 && *failures >= self.config.circuit_breaker_threshold {
                        // closed -> open
                        self.open(Duration::from_secs(self.config.circuit_breaker_timeout_s), now, rng);
                    }
                }
            },
            Phase::HalfOpen {
                probes,
                successes,
                held,
            } => {
                *probes = probes.saturating_sub(u32::from(call.probe));
                match outcome {
                    Outcome::Neutral => {}
                    Outcome::Success => {
                        *successes = successes.saturating_add(1);
                        if *successes >= self.config.close_after {
                            // half-open -> closed
                            self.change(Phase::Closed { failures: 0 });
                        }
                    }
                    Outcome::Failure => {
                        let held = held.saturating_mul(2);
                        // half-open -> open
                        self.open(held, now, rng);
                    }
                }
            }
            Phase::Open { .. } => {}
        }
    }

    /// A call that had reached its first token broke off. Its place was given back; the failure still counts, unless the
    /// breaker has changed since the call was let through.
    pub(crate) fn broke_off(&mut self, call: Admission, now: Instant, rng: &mut impl Rng) {
        self.report(Admission { probe: false, ..call }, Outcome::Failure, now, rng);
    }

    fn open(&mut self, held: Duration, now: Instant, rng: &mut impl Rng) {
        let held = held.min(Duration::from_secs(self.config.open_max_s));
        // Ten percent of jitter, so that the breakers of several nodes do not probe at the same moment.
        let until = now
            .checked_add(held.mul_f64(rng.random_range(0.9..=1.1)))
            .unwrap_or(now);
        self.change(Phase::Open { until, held });
    }

    fn change(&mut self, phase: Phase) {
        self.epoch = self.epoch.wrapping_add(1);
        self.phase = phase;
    }
}

// === impl State ===

impl State {
    /// The state's name in logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Closed => "closed",
            State::HalfOpen => "half_open",
            State::Open => "open",
        }
    }

    /// The state in the metric `orchestrator_breaker_state`.
    pub(crate) fn as_gauge(self) -> i64 {
        match self {
            State::Closed => 0,
            State::HalfOpen => 1,
            State::Open => 2,
        }
    }
}

#[cfg(test)]
mod tests;
