//! Whether a rule holds for a route. A pure machine that takes `now`; its state is a function of the clock, so that a rule
//! ends with no traffic.
//!
//! Hysteresis: it begins when a threshold is reached over the window, and ends after the first whole period of `hold_s`
//! in which all was well below it. Each change begins to count anew.

use crate::RuleConfig;
use std::{collections::VecDeque, time::Duration};
use tokio::time::Instant;

/// The parts of a window; the oldest goes at a time.
const PARTS: u32 = 10;
/// How often a request goes to the workers while the rule holds.
const PROBE_EVERY: Duration = Duration::from_secs(1);
/// The slowest twentieth is what a 95th percentile is about.
const SLOWEST: f64 = 0.05;

/// A rule, watched for one route.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    config: RuleConfig,
    phase: Phase,
}

#[derive(Clone, Debug)]
enum Phase {
    /// It does not hold; what came to the ears lately, by part of the window.
    Quiet(VecDeque<(Instant, Counts)>),
    /// It holds.
    Holding {
        since: Instant,
        /// The period of which it depends whether it ends.
        period: (Instant, Counts),
        probed: Instant,
    },
}

/// What the workers made of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// They could not answer it.
    Failed,
    /// They came to its first token after so long.
    FirstToken(Duration),
    /// They answered it as a whole, which does not say when they came to its first token.
    Whole,
}

/// What requests came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    requests: u64,
    failed: u64,
    /// With a first token that a threshold asks for.
    timed: u64,
    /// Those of them whose first token took too long.
    slow: u64,
}

// === impl Watch ===

impl Watch {
    pub(crate) fn new(config: RuleConfig) -> Self {
        Watch {
            config,
            phase: Phase::Quiet(VecDeque::new()),
        }
    }

    /// The rule.
    pub(crate) fn rule(&self) -> &RuleConfig {
        &self.config
    }

    /// Since when it holds, if it does.
    pub(crate) fn holds(&self, now: Instant) -> Option<Instant> {
        match (&self.phase, self.ends()) {
            (Phase::Holding { since, .. }, Some(end)) if now < end => Some(*since),
            _ => None,
        }
    }

    /// Takes note of that it has ended; returns when that was.
    pub(crate) fn settle(&mut self, now: Instant) -> Option<Instant> {
        let end = self.ends().filter(|end| *end <= now)?;
        self.phase = Phase::Quiet(VecDeque::new());
        Some(end)
    }

    /// Whether this request is the one of a second that goes to the workers though the rule holds.
    pub(crate) fn may_probe(&mut self, now: Instant) -> bool {
        match &mut self.phase {
            Phase::Holding { probed, .. } if now.saturating_duration_since(*probed) >= PROBE_EVERY => {
                *probed = now;
                true
            }
            _ => false,
        }
    }

    /// The workers are done with a request. Returns whether the rule begins to hold. Whoever calls it has called `settle`
    /// before.
    pub(crate) fn heard(&mut self, heard: Heard, now: Instant) -> bool {
        let counts = self.counts(heard);
        let (hold, part) = (self.hold(), self.part());
        match &mut self.phase {
            Phase::Holding { period, .. } => {
                let (began, sum) = period;
                if now.saturating_duration_since(*began) >= hold {
                    (*began, *sum) = (later(*began, hold), Counts::default());
                }
                sum.add(counts);
                false
            }
            Phase::Quiet(parts) => {
                match parts.back_mut() {
                    Some((began, sum)) if now.saturating_duration_since(*began) < part => sum.add(counts),
                    _ => parts.push_back((now, counts)),
                }
                let is_old = |(began, _): &(Instant, Counts)| {
                    now.saturating_duration_since(*began) >= part.saturating_mul(PARTS)
                };
                while parts.front().is_some_and(is_old) {
                    parts.pop_front();
                }
                self.begin(now)
            }
        }
    }

    /// The part of requests that failed, and the part of first tokens that were slow, lately.
    pub(crate) fn rates(&self, now: Instant) -> (f64, f64) {
        self.sum(now).rates()
    }

    fn begin(&mut self, now: Instant) -> bool {
        let begins = self.reaches(&self.sum(now), 1.0, self.config.min_requests);
        if begins {
            self.phase = Phase::Holding {
                since: now,
                period: (now, Counts::default()),
                probed: now,
            };
        }
        begins
    }

    /// Whether a part of one of its thresholds is reached by no fewer than so many.
    fn reaches(&self, sum: &Counts, part: f64, least: u64) -> bool {
        let (failed, slow) = sum.rates();
        let reached = |rate: f64, threshold: f64| rate > 0.0 && rate >= threshold * part;
        let fails = self.config.failure_rate > 0.0 && reached(failed, self.config.failure_rate);
        fails && sum.requests >= least || reached(slow, SLOWEST) && sum.timed >= least
    }

    /// When it ends if nothing more is heard; `None` while it does not hold.
    fn ends(&self) -> Option<Instant> {
        let Phase::Holding {
            period: (began, sum), ..
        } = &self.phase
        else {
            return None;
        };
        // Nothing at all was well, too.
        let periods = if self.reaches(sum, self.config.recovered_at, 0) {
            2
        } else {
            1
        };
        Some(later(*began, self.hold().saturating_mul(periods)))
    }

    fn sum(&self, now: Instant) -> Counts {
        let mut sum = Counts::default();
        match &self.phase {
            Phase::Holding {
                period: (_, counts), ..
            } => sum.add(*counts),
            Phase::Quiet(parts) => {
                let window = Duration::from_secs(self.config.window_s);
                let lately = parts
                    .iter()
                    .filter(|(began, _)| now.saturating_duration_since(*began) < window);
                lately.for_each(|(_, counts)| sum.add(*counts));
            }
        }
        sum
    }

    fn counts(&self, heard: Heard) -> Counts {
        let slow = Duration::from_millis(self.config.latency_p95_ms);
        let first_token = match heard {
            Heard::FirstToken(took) if !slow.is_zero() => Some(took),
            _ => None,
        };
        Counts {
            requests: 1,
            failed: (heard == Heard::Failed).into(),
            timed: first_token.is_some().into(),
            slow: first_token.is_some_and(|took| took >= slow).into(),
        }
    }

    fn hold(&self) -> Duration {
        Duration::from_secs(self.config.hold_s)
    }

    fn part(&self) -> Duration {
        Duration::from_secs(self.config.window_s).div_f64(f64::from(PARTS))
    }
}

// === impl Counts ===

impl Counts {
    fn add(&mut self, more: Counts) {
        self.requests = self.requests.saturating_add(more.requests);
        self.failed = self.failed.saturating_add(more.failed);
        self.timed = self.timed.saturating_add(more.timed);
        self.slow = self.slow.saturating_add(more.slow);
    }

    /// The part of requests that failed, and the part of first tokens that were slow.
    fn rates(&self) -> (f64, f64) {
        (rate(self.failed, self.requests), rate(self.slow, self.timed))
    }
}

#[allow(clippy::cast_precision_loss, reason = "a rate need not be exact")]
fn rate(of_them: u64, all: u64) -> f64 {
    match all {
        0 => 0.0,
        _ => of_them as f64 / all as f64,
    }
}

/// A moment so much later; the same one where the clock ends.
fn later(at: Instant, by: Duration) -> Instant {
    at.checked_add(by).unwrap_or(at)
}

#[cfg(test)]
mod tests;
