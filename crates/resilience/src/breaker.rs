//! The circuit breaker of one worker (Nygard, "Release It!"): closed -> open after failures in a row or by what the last
//! calls came to; open -> half-open by the clock alone, with no traffic and no timer; half-open -> closed after enough
//! successes, -> open again, for twice as long, after one failure.
//!
//! A pure machine. A call is told of twice: at its first token, which is what a probe is for, and at its end, which is what
//! a closed breaker judges, so a worker whose streams always break is found out. Every change begins a new epoch with empty
//! counts, and what calls of an older epoch report counts for nothing: a call that was begun before the breaker opened can
//! neither close it nor free a probe's place.

mod tally;
mod thresholds;
mod usual;

pub use thresholds::Thresholds;

use crate::{
    Cause, Config, Outcome, Pass, Refusal, State,
    history::{Change, History},
};
use rand::Rng;
use std::time::Duration;
use tally::{Ended, Tally};
use tokio::time::Instant;

/// The longest that a breaker can be held open.
const LONGEST: Duration = Duration::from_secs(365 * 86_400);

/// The breaker of one worker.
#[derive(Clone, Debug)]
pub struct Breaker {
    config: Config,
    epoch: u64,
    phase: Phase,
    tally: Tally,
    /// Why it is not closed; none while it is.
    trouble: Option<Trouble>,
    history: History,
    closed_at: Option<Instant>,
}

/// A call that a breaker has let through, to be told of at its first token and at its end.
#[derive(Debug, PartialEq, Eq)]
pub struct Grant {
    epoch: u64,
    /// It holds a probe's place.
    place: bool,
    heard: bool,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    Closed,
    /// Half-open from `until` on, though only the next step makes it that. Early probes hold places too.
    Open {
        until: Instant,
        held: Duration,
        probes: u32,
    },
    HalfOpen {
        probes: u32,
        successes: u32,
        held: Duration,
    },
}

#[derive(Clone, Copy, Debug)]
struct Trouble {
    /// What opened it first; failed probes since do not change that.
    cause: Cause,
    /// Of the calls before it opened; each failed probe moves it half of the way to 1.
    failure_rate: f64,
}

// === impl Breaker ===

impl Breaker {
    /// A closed breaker.
    pub fn new(config: Config) -> Self {
        Breaker {
            tally: Tally::new(&config),
            config,
            epoch: 0,
            phase: Phase::Closed,
            trouble: None,
            history: History::default(),
            closed_at: None,
        }
    }

    /// The state at `now`. Looking changes nothing, here and below.
    pub fn state(&self, now: Instant) -> State {
        match self.phase {
            Phase::Closed => State::Closed,
            Phase::Open { until, .. } if now < until => State::Open,
            Phase::Open { .. } | Phase::HalfOpen { .. } => State::HalfOpen,
        }
    }

    /// What has opened it, if it is not closed; failed probes since do not change it.
    pub(crate) fn cause(&self) -> Option<Cause> {
        self.trouble.map(|trouble| trouble.cause)
    }

    /// Its last changes. What the clock alone has brought about is among them once it was stepped.
    pub(crate) fn history(&self) -> &History {
        &self.history
    }

    /// How long it is still open.
    pub(crate) fn due(&self, now: Instant) -> Duration {
        match self.phase {
            Phase::Open { until, .. } => until.saturating_duration_since(now),
            Phase::Closed | Phase::HalfOpen { .. } => Duration::ZERO,
        }
    }

    /// The failure rate of the last calls; while it is not closed, of those before it opened, worse with each failed probe.
    pub(crate) fn failure_rate(&self, now: Instant) -> f64 {
        self.trouble
            .map_or_else(|| self.tally.failure_rate(now), |trouble| trouble.failure_rate)
    }

    /// From what on the last calls open it.
    pub fn thresholds(&self, now: Instant) -> Thresholds {
        self.tally.thresholds(now)
    }

    /// The part of its usual calls that the worker should get: all of them, but after closing a tenth at first and from
    /// there in a straight line to all, so that a worker that has just come back is not run over (slow start).
    pub(crate) fn warmth(&self, now: Instant) -> f64 {
        let ramp = Duration::from_secs(self.config.slow_start_s);
        let since = match (self.phase, self.closed_at) {
            (Phase::Closed, Some(at)) => now.saturating_duration_since(at),
            (Phase::Closed, None) => ramp,
            _ if self.state(now) == State::Open => ramp,
            _ => Duration::ZERO,
        };
        match ramp.is_zero() {
            true => 1.0,
            false => (0.1 + 0.9 * since.div_duration_f64(ramp)).min(1.0),
        }
    }

    /// Probes that it would let through now; none where it is not half-open, since there it is not about places.
    pub(crate) fn places(&self, now: Instant) -> Option<u32> {
        match self.phase {
            Phase::HalfOpen { probes, .. } => Some(self.config.half_open_probes.saturating_sub(probes)),
            Phase::Open { until, .. } if now >= until => Some(self.config.half_open_probes),
            Phase::Open { .. } | Phase::Closed => None,
        }
    }

    /// Why a call would not be let through.
    pub(crate) fn refusal(&self, pass: Pass, now: Instant) -> Option<Refusal> {
        let free = |probes: u32| probes < self.config.half_open_probes;
        match (self.phase, pass) {
            (Phase::Open { until, probes, .. }, _) if now < until => match pass {
                Pass::AsClosed if self.cause().is_some_and(Cause::by_rate) => None,
                Pass::EarlyProbe if self.cause() == Some(Cause::Forced) => Some(Refusal::Open(self.due(now))),
                Pass::EarlyProbe => (!free(probes)).then_some(Refusal::NoProbePlace),
                Pass::AsClosed | Pass::Usual => Some(Refusal::Open(self.due(now))),
            },
            (Phase::HalfOpen { probes, .. }, _) => (!free(probes)).then_some(Refusal::NoProbePlace),
            (Phase::Open { .. } | Phase::Closed, _) => None,
        }
    }

    /// Lets a call through, or says why not.
    pub fn admit(&mut self, pass: Pass, now: Instant) -> Result<Grant, Refusal> {
        self.elapse(now);
        match self.refusal(pass, now) {
            Some(refusal) => Err(refusal),
            None => Ok(self.enter(pass)),
        }
    }

    /// Lets a call through that it has no reason to refuse now.
    pub(crate) fn enter(&mut self, pass: Pass) -> Grant {
        let place = match &mut self.phase {
            Phase::HalfOpen { probes, .. } => Some(probes),
            Phase::Open { probes, .. } if pass == Pass::EarlyProbe => Some(probes),
            Phase::Open { .. } | Phase::Closed => None,
        };
        let probe = place.map(|probes| *probes = probes.saturating_add(1));
        Grant {
            epoch: self.epoch,
            place: probe.is_some(),
            heard: false,
        }
    }

    /// Takes note of what the clock alone has brought about.
    pub(crate) fn elapse(&mut self, now: Instant) {
        if let Phase::Open { until, held, .. } = self.phase
            && now >= until
        {
            self.half_open(held, Cause::Elapsed, now);
        }
    }

    /// A call has reached its first token: a probe gives its place back, and counts as a success.
    pub fn first_token(&mut self, call: &mut Grant, now: Instant) {
        self.elapse(now);
        if std::mem::replace(&mut call.heard, true) || call.epoch != self.epoch {
            return;
        }
        self.tally.is_heard();
        let place = std::mem::take(&mut call.place);
        match &mut self.phase {
            Phase::Open { held, .. } if place => {
                let held = *held;
                self.half_open(held, Cause::EarlyProbe, now);
            }
            Phase::HalfOpen { probes, successes, .. } => {
                *probes = probes.saturating_sub(u32::from(place));
                *successes = successes.saturating_add(1);
                if *successes >= self.config.close_after {
                    self.close(Cause::ProbesServed, now);
                }
            }
            Phase::Open { .. } | Phase::Closed => {}
        }
    }

    /// A call has ended. `first_token` is how long it waited for its first token; for one that never came, how long it
    /// waited in vain, where that is too long already. Gives a probe's place back.
    pub fn end(
        &mut self,
        mut call: Grant,
        (outcome, first_token): (Outcome, Option<Duration>),
        now: Instant,
        rng: &mut impl Rng,
    ) {
        self.elapse(now);
        if outcome == Outcome::Success {
            self.first_token(&mut call, now);
        }
        // Whatever has changed since the call began, be it by the clock alone.
        if call.epoch != self.epoch {
            return;
        }
        let ended = Ended {
            heard: call.heard,
            outcome,
            wait: first_token,
        };
        self.tally.push(ended, matches!(self.phase, Phase::Closed), now);
        match &mut self.phase {
            Phase::Closed => {
                if let Some(cause) = self.tally.verdict(&self.config) {
                    // closed -> open
                    self.open(cause, self.first_held(), now, rng);
                }
            }
            Phase::Open { probes, .. } => *probes = probes.saturating_sub(u32::from(call.place)),
            Phase::HalfOpen { probes, held, .. } => {
                *probes = probes.saturating_sub(u32::from(call.place));
                let held = held.saturating_mul(2);
                let failed = (outcome == Outcome::Failure).then_some(Cause::ProbeFailed);
                if let Some(cause) = failed.or_else(|| self.tally.silence(&self.config)) {
                    // half-open -> open
                    self.open(cause, held, now, rng);
                }
            }
        }
    }

    /// Closes it, whatever it is: an operator's wish. Calls that are on their way count no more.
    pub(crate) fn reset(&mut self, now: Instant) {
        self.elapse(now);
        match self.phase {
            Phase::Closed => self.begin(Phase::Closed),
            Phase::Open { .. } | Phase::HalfOpen { .. } => self.close(Cause::Reset, now),
        }
    }

    /// Opens it for just this long, whatever it is: an operator's wish.
    pub(crate) fn force_open(&mut self, now: Instant, held: Duration) {
        self.elapse(now);
        let failure_rate = self.failure_rate(now);
        self.trouble = Some(Trouble {
            cause: Cause::Forced,
            failure_rate,
        });
        let phase = Phase::Open {
            until: later(now, held),
            held: self.first_held(),
            probes: 0,
        };
        self.change(phase, Cause::Forced, now);
    }

    fn first_held(&self) -> Duration {
        Duration::from_secs(self.config.circuit_breaker_timeout_s)
    }

    fn open(&mut self, cause: Cause, held: Duration, now: Instant, rng: &mut impl Rng) {
        let failure_rate = self.failure_rate(now);
        self.trouble = Some(match self.trouble {
            None => Trouble { cause, failure_rate },
            Some(trouble) => Trouble {
                // An operator's wish is over once it was half-open.
                cause: if trouble.cause == Cause::Forced {
                    cause
                } else {
                    trouble.cause
                },
                failure_rate: f64::midpoint(failure_rate, 1.0),
            },
        });
        let held = held.min(Duration::from_secs(self.config.open_max_s));
        // Ten percent of jitter, so that the breakers of several nodes do not probe at the same moment.
        let until = later(now, held.mul_f64(rng.random_range(0.9..=1.1)));
        let probes = 0;
        self.change(Phase::Open { until, held, probes }, cause, now);
    }

    fn half_open(&mut self, held: Duration, cause: Cause, now: Instant) {
        let phase = Phase::HalfOpen {
            probes: 0,
            successes: 0,
            held,
        };
        // open -> half-open
        self.change(phase, cause, now);
    }

    fn close(&mut self, cause: Cause, now: Instant) {
        self.trouble = None;
        self.closed_at = Some(now);
        // half-open -> closed, or by an operator open -> closed
        self.change(Phase::Closed, cause, now);
    }

    fn change(&mut self, phase: Phase, cause: Cause, now: Instant) {
        let from = self.phase.state();
        self.begin(phase);
        self.history.push(Change {
            at: now,
            from,
            to: phase.state(),
            cause,
        });
    }

    /// A new epoch.
    fn begin(&mut self, phase: Phase) {
        self.epoch = self.epoch.wrapping_add(1);
        self.phase = phase;
        self.tally.clear();
    }
}

// === impl Phase ===

impl Phase {
    /// The state when it began.
    fn state(self) -> State {
        match self {
            Phase::Closed => State::Closed,
            Phase::Open { .. } => State::Open,
            Phase::HalfOpen { .. } => State::HalfOpen,
        }
    }
}

fn later(now: Instant, pause: Duration) -> Instant {
    now.checked_add(pause.min(LONGEST)).unwrap_or(now)
}

#[cfg(test)]
mod tests;
