//! What is usual of a worker, and how far it may stray from that: thresholds that follow its own long-run rates.
//!
//! A threshold is the usual share and half of the fixed threshold beyond, so that a worker which rarely fails is found out
//! sooner, and one which often does, though not more than it always did, is spared. It stays between half of the fixed
//! threshold and half way from that to 1. For a time it is twice the usual one, from half to twice the fixed one. Failures
//! in a row and silence are not adapted: they mean the same of every worker.
//!
//! The long run is a tally that fades with the clock. Beside it stands, unfaded, a window's worth of calls for which the
//! thresholds are the fixed ones: these hold as long as little is known, and again when it is long ago. A call is learned
//! when it leaves the window of a closed breaker. So those that open it never are, and an outage does not become usual.

use super::thresholds::Thresholds;
use crate::{Config, window::Entry};
use std::time::Duration;
use tokio::time::Instant;

/// After this long a call counts half.
const HALF_LIFE: Duration = Duration::from_secs(600);

/// Bands of waits, from a quarter of the fixed threshold to the whole: each is 9 % above the last.
const BANDS: usize = 17;

/// The long run of one worker.
#[derive(Clone, Debug)]
pub(super) struct Usual {
    fixed: Thresholds,
    /// Calls for which the fixed thresholds stand.
    unknown: f64,
    tally: Tally,
    /// When the tally was last faded.
    at: Option<Instant>,
}

/// What calls came to, each by how much it still counts.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    failures: f64,
    decided: f64,
    limited: f64,
    answered: f64,
    waits: [f64; BANDS],
}

// === impl Usual ===

impl Usual {
    /// Nothing is known yet.
    pub(super) fn new(config: &Config) -> Self {
        Usual {
            fixed: Thresholds::fixed(config),
            unknown: f64::from(config.window_calls.max(1)),
            tally: Tally::default(),
            at: None,
        }
    }

    /// A call has left the window of a closed breaker.
    pub(super) fn learn(&mut self, call: &Entry) {
        self.tally = self.faded(call.at);
        self.at = self.at.max(Some(call.at));
        let (counts, tally) = (call.counts, &mut self.tally);
        tally.failures += f64::from(counts.failures);
        tally.decided += f64::from(counts.decided());
        tally.limited += f64::from(counts.limited);
        tally.answered += f64::from(counts.answered());
        let band = call.wait.map(|wait| band(wait, self.fixed.latency_p95));
        if let Some(count) = band.and_then(|band| tally.waits.get_mut(band)) {
            *count += 1.0;
        }
    }

    /// The thresholds at `now`.
    pub(super) fn thresholds(&self, now: Instant) -> Thresholds {
        let (tally, fixed) = (self.faded(now), self.fixed);
        Thresholds {
            failure_rate: self.share((tally.failures, tally.decided), fixed.failure_rate),
            rate_limit_rate: self.share((tally.limited, tally.answered), fixed.rate_limit_rate),
            latency_p95: self.time(&tally.waits),
        }
    }

    fn share(&self, (part, whole): (f64, f64), fixed: f64) -> f64 {
        let half = fixed / 2.0;
        let usual = (part + self.unknown * half) / (whole + self.unknown);
        match fixed > 0.0 {
            true => (usual + half).clamp(half, f64::midpoint(fixed, 1.0)),
            false => 0.0,
        }
    }

    fn time(&self, waits: &[f64; BANDS]) -> Duration {
        let timed: f64 = waits.iter().sum();
        let usual = (timed * p95(waits, timed) + self.unknown / 2.0) / (timed + self.unknown);
        self.fixed.latency_p95.mul_f64((2.0 * usual).clamp(0.5, 2.0))
    }

    fn faded(&self, now: Instant) -> Tally {
        let age = self.at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.tally.times((-age.div_duration_f64(HALF_LIFE)).exp2())
    }
}

/// The band of a wait, by its part of the fixed threshold.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "from 0 to a count of bands"
)]
fn band(wait: Duration, fixed: Duration) -> usize {
    let quarters = 4.0 * wait.div_duration_f64(fixed);
    // The logarithm to the base of 4 of 1 to 4, in sixteenths.
    (8.0 * quarters.log2()).ceil().clamp(0.0, real(BANDS) - 1.0) as usize
}

/// The 95th percentile of these waits, as a part of the fixed threshold.
fn p95(waits: &[f64; BANDS], timed: f64) -> f64 {
    let mut below = 0.0;
    let reaches = |count: &f64| {
        below += count;
        below >= 0.95 * timed
    };
    let band = waits.iter().position(reaches).unwrap_or(BANDS);
    (0.25 * (real(band) / 8.0).exp2()).min(1.0)
}

#[expect(clippy::cast_precision_loss, reason = "a count of bands")]
fn real(count: usize) -> f64 {
    count as f64
}

// === impl Tally ===

impl Tally {
    fn times(self, factor: f64) -> Self {
        Tally {
            failures: self.failures * factor,
            decided: self.decided * factor,
            limited: self.limited * factor,
            answered: self.answered * factor,
            waits: self.waits.map(|count| count * factor),
        }
    }
}

#[cfg(test)]
mod tests;
