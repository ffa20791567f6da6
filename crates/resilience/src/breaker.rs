//! The circuit breaker of one worker (Nygard, "Release It!"): closed -> open after failures in a row or by what the last
//! calls came to; open -> half-open by the clock alone, with no traffic and no timer; half-open -> closed after enough
//! successes, -> open again, for twice as long, after one failure.
//!
//! A pure machine. A call is told of twice: at its first token, which is what a probe is for, and at its end, which is what
//! a closed breaker judges, so a worker whose streams always break is found out. Every change begins a new epoch with empty
//! counts, and what calls of an older epoch report counts for nothing: a call that was begun before the breaker opened can
//! neither close it nor free a probe's place.

use crate::{Cause, Config, Outcome, Pass, Refusal, State, window::Window};
use rand::Rng;
use std::time::Duration;
use tokio::time::Instant;

/// Calls in a row that end before their first token, whoever ended them, before the breaker opens: impatient clients do not
/// hide a hung worker. Those that failed count too, with a 503 as without a word; a worker that answers 429 or refuses a
/// request is not hung.
const SILENT_CALLS: u32 = 20;

/// The longest that a breaker can be held open.
const LONGEST: Duration = Duration::from_secs(365 * 86_400);

/// The breaker of one worker.
#[derive(Clone, Debug)]
pub(crate) struct Breaker {
    config: Config,
    epoch: u64,
    phase: Phase,
    tally: Tally,
    /// Why it is not closed; none while it is.
    trouble: Option<Trouble>,
    /// Why it changed last, and when it last closed.
    last: Option<Cause>,
    closed_at: Option<Instant>,
}

/// A call that a breaker has let through, to be told of at its first token and at its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Admission {
    epoch: u64,
    /// It holds a probe's place.
    place: bool,
    heard: bool,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    Closed,
    /// Half-open from `until` on, as far as nothing was admitted since. Early probes hold places too.
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

/// What was reported since the last change.
#[derive(Clone, Debug)]
struct Tally {
    failures_in_row: u32,
    silent_in_row: u32,
    window: Window,
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
    pub(crate) fn new(config: Config) -> Self {
        Breaker {
            tally: Tally {
                failures_in_row: 0,
                silent_in_row: 0,
                window: Window::new(&config),
            },
            config,
            epoch: 0,
            phase: Phase::Closed,
            trouble: None,
            last: None,
            closed_at: None,
        }
    }

    /// The state at `now`. Looking changes nothing, here and below.
    pub(crate) fn state(&self, now: Instant) -> State {
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

    /// Why it changed last; none before its first change.
    pub(crate) fn last_cause(&self, now: Instant) -> Option<Cause> {
        match self.phase {
            Phase::Open { until, .. } if now >= until => Some(Cause::Elapsed),
            _ => self.last,
        }
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
        self.trouble.map_or_else(
            || self.tally.window.counts(now).failure_rate(),
            |trouble| trouble.failure_rate,
        )
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
    pub(crate) fn admit(&mut self, pass: Pass, now: Instant) -> Result<Admission, Refusal> {
        if let Some(refusal) = self.refusal(pass, now) {
            return Err(refusal);
        }
        if let Phase::Open { until, held, .. } = self.phase
            && now >= until
        {
            self.half_open(held, Cause::Elapsed);
        }
        let place = match &mut self.phase {
            Phase::HalfOpen { probes, .. } => Some(probes),
            Phase::Open { probes, .. } if pass == Pass::EarlyProbe => Some(probes),
            Phase::Open { .. } | Phase::Closed => None,
        };
        let probe = place.map(|probes| *probes = probes.saturating_add(1));
        Ok(Admission {
            epoch: self.epoch,
            place: probe.is_some(),
            heard: false,
        })
    }

    /// A call has reached its first token: a probe gives its place back, and counts as a success.
    pub(crate) fn first_token(&mut self, call: &mut Admission, now: Instant) {
        if std::mem::replace(&mut call.heard, true) || !self.counts(call, now) {
            return;
        }
        self.tally.silent_in_row = 0;
        let place = std::mem::take(&mut call.place);
        match &mut self.phase {
            Phase::Open { held, .. } if place => {
                let held = *held;
                self.half_open(held, Cause::EarlyProbe);
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
    pub(crate) fn end(
        &mut self,
        mut call: Admission,
        (outcome, first_token): (Outcome, Option<Duration>),
        now: Instant,
        rng: &mut impl Rng,
    ) {
        if outcome == Outcome::Success {
            self.first_token(&mut call, now);
        }
        if !self.counts(&call, now) {
            return;
        }
        self.tally.push(&call, (outcome, first_token), now);
        match &mut self.phase {
            Phase::Closed => {
                if let Some(cause) = self.verdict(now) {
                    // closed -> open
                    self.open(cause, self.first_held(), now, rng);
                }
            }
            Phase::Open { probes, .. } => *probes = probes.saturating_sub(u32::from(call.place)),
            Phase::HalfOpen { probes, held, .. } => {
                *probes = probes.saturating_sub(u32::from(call.place));
                let held = held.saturating_mul(2);
                let failed = (outcome == Outcome::Failure).then_some(Cause::ProbeFailed);
                if let Some(cause) = failed.or_else(|| self.silence()) {
                    // half-open -> open
                    self.open(cause, held, now, rng);
                }
            }
        }
    }

    /// Whether nothing has changed since the call began, be it by the clock alone.
    fn counts(&self, call: &Admission, now: Instant) -> bool {
        let is_over = matches!(self.phase, Phase::Open { until, .. } if now >= until);
        call.epoch == self.epoch && !is_over
    }

    /// Closes it, whatever it is: an operator's wish. Calls that are on their way count no more.
    pub(crate) fn reset(&mut self, now: Instant) {
        match self.phase {
            Phase::Closed => self.change(Phase::Closed, self.last),
            Phase::Open { .. } | Phase::HalfOpen { .. } => self.close(Cause::Reset, now),
        }
    }

    /// Opens it for just this long, whatever it is: an operator's wish.
    pub(crate) fn force_open(&mut self, now: Instant, held: Duration) {
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
        self.change(phase, Some(Cause::Forced));
    }

    /// What the calls since the last change say against the worker.
    fn verdict(&self, now: Instant) -> Option<Cause> {
        let config = &self.config;
        let threshold = config.circuit_breaker_threshold;
        let counts = self.tally.window.counts(now);
        let least = config.min_calls.min(config.window_calls);
        let reached = |rate: f64, limit: f64, of: u32| limit > 0.0 && of >= least && rate >= limit;
        if threshold > 0 && self.tally.failures_in_row >= threshold {
            Some(Cause::FailuresInRow)
        } else if let Some(silence) = self.silence() {
            Some(silence)
        } else if reached(counts.failure_rate(), config.failure_rate, counts.decided()) {
            Some(Cause::FailureRate)
        } else if reached(counts.rate_limit_rate(), config.rate_limit_rate, counts.answered()) {
            Some(Cause::RateLimitRate)
        } else {
            (counts.timed >= least && counts.p95_is_slow()).then_some(Cause::Latency)
        }
    }

    fn silence(&self) -> Option<Cause> {
        let hung = self.config.circuit_breaker_threshold > 0 && self.tally.silent_in_row >= SILENT_CALLS;
        hung.then_some(Cause::Silent)
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
        self.change(Phase::Open { until, held, probes }, Some(cause));
    }

    fn half_open(&mut self, held: Duration, cause: Cause) {
        let phase = Phase::HalfOpen {
            probes: 0,
            successes: 0,
            held,
        };
        // open -> half-open
        self.change(phase, Some(cause));
    }

    fn close(&mut self, cause: Cause, now: Instant) {
        self.trouble = None;
        self.closed_at = Some(now);
        // half-open -> closed, or by an operator open -> closed
        self.change(Phase::Closed, Some(cause));
    }

    fn change(&mut self, phase: Phase, cause: Option<Cause>) {
        self.epoch = self.epoch.wrapping_add(1);
        self.phase = phase;
        self.last = cause;
        self.tally.clear();
    }
}

fn later(now: Instant, pause: Duration) -> Instant {
    now.checked_add(pause.min(LONGEST)).unwrap_or(now)
}

// === impl Tally ===

impl Tally {
    fn push(&mut self, call: &Admission, (outcome, first_token): (Outcome, Option<Duration>), now: Instant) {
        let silent = !call.heard && matches!(outcome, Outcome::Failure | Outcome::GivenUp);
        self.silent_in_row = self.silent_in_row.saturating_add(u32::from(silent));
        match outcome {
            Outcome::Success => self.failures_in_row = 0,
            Outcome::Failure => self.failures_in_row = self.failures_in_row.saturating_add(1),
            Outcome::RateLimited | Outcome::GivenUp | Outcome::Neutral => {}
        }
        self.window.push(outcome, first_token, now);
    }

    fn clear(&mut self) {
        self.failures_in_row = 0;
        self.silent_in_row = 0;
        self.window.clear();
    }
}

#[cfg(test)]
mod tests;
