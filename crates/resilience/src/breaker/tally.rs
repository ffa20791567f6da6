//! What a breaker was told of since it changed last, and what that says against the worker.

use super::{thresholds::Thresholds, usual::Usual};
use crate::{Cause, Config, Outcome, window::Window};
use std::time::Duration;
use tokio::time::Instant;

/// Calls in a row that end before their first token, whoever ended them, before the breaker opens: impatient clients do not
/// hide a hung worker. Those that failed count too, with a 503 as without a word. A 429 or a refused request neither counts
/// nor ends the row: a door that still turns requests away tells nothing of the model behind it.
pub(super) const SILENT_CALLS: u32 = 20;

/// What was reported since the last change.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    failures_in_row: u32,
    silent_in_row: u32,
    window: Window,
    /// From what on the window speaks against the worker, as of the last push.
    thresholds: Thresholds,
    /// What the thresholds follow; they are fixed without it.
    usual: Option<Usual>,
}

/// A call that has ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended {
    pub(super) heard: bool,
    pub(super) outcome: Outcome,
    /// How long it waited for its first token, as far as that says something.
    pub(super) wait: Option<Duration>,
}

// === impl Tally ===

impl Tally {
    /// Nothing yet.
    pub(super) fn new(config: &Config) -> Self {
        Tally {
            failures_in_row: 0,
            silent_in_row: 0,
            window: Window::new(config),
            thresholds: Thresholds::fixed(config),
            usual: config.adaptive_thresholds.then(|| Usual::new(config)),
        }
    }

    /// A call has come to its first token.
    pub(super) fn is_heard(&mut self) {
        self.silent_in_row = 0;
    }

    /// A call has ended. What leaves the window for it is `usual` of the worker, or not.
    pub(super) fn push(&mut self, call: Ended, is_usual: bool, now: Instant) {
        let outcome = call.outcome;
        let silent = !call.heard && matches!(outcome, Outcome::Failure | Outcome::GivenUp);
        self.silent_in_row = self.silent_in_row.saturating_add(u32::from(silent));
        match outcome {
            Outcome::Success => self.failures_in_row = 0,
            Outcome::Failure => self.failures_in_row = self.failures_in_row.saturating_add(1),
            Outcome::RateLimited | Outcome::GivenUp | Outcome::Neutral => {}
        }
        let slow_from_and_wait = self.thresholds.slow_from().zip(call.wait);
        let usual = &mut self.usual;
        self.window.push(outcome, slow_from_and_wait, now, |left| {
            if let Some(usual) = usual.as_mut().filter(|_| is_usual) {
                usual.learn(left);
            }
        });
        self.thresholds = self.thresholds(now);
    }

    /// From what on the last calls speak against the worker.
    pub(super) fn thresholds(&self, now: Instant) -> Thresholds {
        let adapted = self.usual.as_ref().map(|usual| usual.thresholds(now));
        adapted.unwrap_or(self.thresholds)
    }

    /// What it says against the worker, just after a push.
    pub(super) fn verdict(&self, config: &Config) -> Option<Cause> {
        let threshold = config.circuit_breaker_threshold;
        let counts = self.window.pushed();
        let least = config.min_calls.min(config.window_calls);
        let reached = |rate: f64, limit: f64, of: u32| limit > 0.0 && of >= least && rate >= limit;
        if threshold > 0 && self.failures_in_row >= threshold {
            Some(Cause::FailuresInRow)
        } else if let Some(silence) = self.silence(config) {
            Some(silence)
        } else if reached(counts.failure_rate(), self.thresholds.failure_rate, counts.decided()) {
            Some(Cause::FailureRate)
        } else if reached(
            counts.rate_limit_rate(),
            self.thresholds.rate_limit_rate,
            counts.answered(),
        ) {
            Some(Cause::RateLimitRate)
        } else {
            (counts.timed >= least && counts.p95_is_slow()).then_some(Cause::Latency)
        }
    }

    /// Whether so many calls one after the other have heard nothing.
    pub(super) fn silence(&self, config: &Config) -> Option<Cause> {
        let hung = config.circuit_breaker_threshold > 0 && self.silent_in_row >= SILENT_CALLS;
        hung.then_some(Cause::Silent)
    }

    /// The failure rate of the last calls.
    pub(super) fn failure_rate(&self, now: Instant) -> f64 {
        self.window.counts(now).failure_rate()
    }

    /// Forgets all but what is usual.
    pub(super) fn clear(&mut self) {
        self.failures_in_row = 0;
        self.silent_in_row = 0;
        self.window.clear();
    }
}
