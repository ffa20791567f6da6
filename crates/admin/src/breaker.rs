//! The breaker of a worker as operators see it, and what it went through.

use orchestrator_core::Env;
use orchestrator_resilience::{self as resilience, Guard};
use serde::Serialize;
use std::time::Duration;
use tokio::time::Instant;

/// A breaker and what stands around it.
#[derive(Debug, Serialize)]
pub(crate) struct Breaker<'a> {
    /// The worker's.
    name: &'a str,
    state: &'static str,
    /// What opened it, while it is not closed.
    cause: Option<&'static str>,
    /// How long it is still open.
    due_ms: u64,
    failure_rate: f64,
    /// The part of its usual calls that the worker should get.
    warmth: f64,
    /// How long the worker asked to be left alone.
    resting_ms: u64,
    /// How long our own limits let no call through, however small.
    rate_limited_ms: u64,
    running: usize,
    /// Free slots; while it is half-open, no more than free places for probes.
    free: usize,
    max_concurrent: usize,
    thresholds: Thresholds,
}

/// From what on the last calls open it.
#[derive(Debug, Serialize)]
struct Thresholds {
    /// As the configuration names them.
    fixed: Threshold,
    /// The same, unless they follow what is usual of the worker.
    in_force: Threshold,
}

/// A threshold for each rate; what is zero opens none.
#[derive(Debug, Serialize)]
struct Threshold {
    failure_rate: f64,
    rate_limit_rate: f64,
    latency_p95_ms: u64,
}

/// One change of a breaker.
#[derive(Debug, Serialize)]
pub(crate) struct Change {
    /// RFC 3339, to the millisecond.
    at: String,
    from: &'static str,
    to: &'static str,
    cause: &'static str,
}

// === impl Breaker ===

impl<'a> Breaker<'a> {
    /// The breaker of a worker at `now`.
    pub(crate) fn of(guard: &'a Guard, now: Instant) -> Self {
        let seen = guard.view(now);
        Breaker {
            name: guard.worker(),
            state: seen.state.as_str(),
            cause: seen.cause.map(resilience::Cause::as_str),
            due_ms: millis(seen.due),
            failure_rate: seen.failure_rate,
            warmth: seen.warmth,
            resting_ms: millis(seen.rest),
            rate_limited_ms: millis(seen.rate_limited),
            running: seen.running,
            free: seen.free,
            max_concurrent: guard.max_concurrent(),
            thresholds: Thresholds {
                fixed: resilience::Thresholds::fixed(guard.config()).into(),
                in_force: guard.thresholds(now).into(),
            },
        }
    }
}

// === impl Threshold ===

impl From<resilience::Thresholds> for Threshold {
    fn from(thresholds: resilience::Thresholds) -> Self {
        Threshold {
            failure_rate: thresholds.failure_rate,
            rate_limit_rate: thresholds.rate_limit_rate,
            latency_p95_ms: millis(thresholds.latency_p95),
        }
    }
}

// === impl Change ===

impl Change {
    /// The last changes of a breaker, oldest first.
    pub(crate) fn all(guard: &Guard, env: &Env, now: Instant) -> Vec<Self> {
        let wall = env.unix_time();
        let change = |change: resilience::Change| Change {
            // Our clocks do not tell the time of day: it is reckoned back from now.
            at: written(wall.saturating_sub(now.saturating_duration_since(change.at))),
            from: change.from.as_str(),
            to: change.to.as_str(),
            cause: change.cause.as_str(),
        };
        guard.history().into_iter().map(change).collect()
    }
}

/// Whole milliseconds.
pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A time after 1970; the last one of the calendar for what lies beyond.
pub(crate) fn written(time: Duration) -> String {
    let time = i64::try_from(time.as_millis())
        .ok()
        .and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok());
    format!("{:.3}", time.unwrap_or(jiff::Timestamp::MAX))
}

#[cfg(test)]
mod tests;
