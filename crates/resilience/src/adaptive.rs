//! How many calls at once a worker takes before it slows down: Gradient2 of Netflix's concurrency-limits, on the time to the
//! first token (how long an answer goes on says nothing of load).
//!
//! The gradient is the quiet time over the time just seen, from a half to one; the limit becomes gradient x limit + sqrt(limit),
//! smoothed. The square root is room to grow and, at most, the queue that the worker is given. Three things differ from the
//! original. Its long-run average climbs as long as it is measured under the load that it allows; here a slower call moves
//! the quiet time only when the worker had little to do, while a faster one always does, which makes it a low percentile.
//! It begins at 1, so that the first call is quiet, and doubles until a call is slow (TCP's slow start). And calls that began
//! before the limit changed last are not counted, since they tell of the old limit.
//!
//! A whole answer tells no time to a first token, only that the worker copes: it lets the limit grow where no stream has
//! spoken lately.

use std::time::Duration;
use tokio::time::Instant;

/// How much slower than in quiet a call may be before the limit falls.
const TOLERANCE: f64 = 1.5;
/// The weight of what a call says against the limit that was.
const SMOOTHING: f64 = 0.2;
/// What the limit is multiplied with after a timeout or a 429.
const BACKOFF: f64 = 0.9;
/// The weight of a call that is faster than the quiet time, and of a slower one in quiet.
const FASTER: f64 = 0.2;
const SLOWER: f64 = 0.02;
/// How long the word of a stream outweighs those of whole answers.
const RECENT: Duration = Duration::from_secs(60);
/// So few calls are quiet at any limit, or a worker could not be measured anew once its limit has fallen.
const FEW: f64 = 4.0;

/// The limit of one worker.
#[derive(Clone, Debug)]
pub(crate) struct Adaptive {
    limit: f64,
    max: f64,
    /// No call was slow yet.
    doubling: bool,
    /// The time to the first token when there is no queue, in seconds; none before the first call.
    quiet: Option<f64>,
    /// When a first token was heard last.
    heard: Option<Instant>,
    /// When the limit changed last.
    changed: Option<Instant>,
}

// === impl Adaptive ===

impl Adaptive {
    /// A limit from 1 to `max`.
    pub(crate) fn new(max: usize) -> Self {
        Adaptive {
            limit: 1.0,
            max: real(max.max(1)),
            doubling: true,
            quiet: None,
            heard: None,
            changed: None,
        }
    }

    /// Calls that may run at once.
    pub(crate) fn limit(&self) -> usize {
        whole(self.limit)
    }

    /// What the limit never exceeds.
    pub(crate) fn max(&self) -> usize {
        whole(self.max)
    }

    /// Changes what the limit never exceeds. A limit beyond falls at once; one below grows as calls allow it.
    pub(crate) fn bound(&mut self, max: usize, now: Instant) {
        self.max = real(max.max(1));
        self.set(self.limit, now);
    }

    /// A call that began at `began`, as one of at most `in_flight`, has waited this long for its first token.
    pub(crate) fn heard(&mut self, (began, in_flight): (Instant, usize), first_token: Duration, now: Instant) {
        if !self.counts(began) {
            return;
        }
        let (seen, in_flight) = (first_token.as_secs_f64().max(1e-6), real(in_flight));
        self.heard = Some(now);
        let quiet = self.learn(seen, in_flight);
        self.follow((TOLERANCE * quiet / seen).clamp(0.5, 1.0), in_flight, now);
    }

    /// A call that began at `began`, as one of at most `in_flight`, has got its whole answer.
    pub(crate) fn answered(&mut self, (began, in_flight): (Instant, usize), now: Instant) {
        let is_recent = |heard: Instant| now.saturating_duration_since(heard) < RECENT;
        if self.counts(began) && !self.heard.is_some_and(is_recent) {
            self.follow(1.0, real(in_flight), now);
        }
    }

    /// Moves the limit, by how much slower than in quiet the worker is.
    fn follow(&mut self, gradient: f64, in_flight: f64, now: Instant) {
        // A limit that is not made use of says nothing, and shall not grow without bounds.
        if in_flight < self.limit / 2.0 {
            return;
        }
        self.doubling &= gradient >= 1.0;
        if self.doubling {
            return self.set(self.limit * 2.0, now);
        }
        let target = gradient * self.limit + self.limit.sqrt();
        self.set((1.0 - SMOOTHING) * self.limit + SMOOTHING * target, now);
    }

    /// A call that began at `began` was answered with 429, or waited for its first token until its time was up.
    pub(crate) fn overloaded(&mut self, began: Instant, now: Instant) {
        if self.counts(began) {
            self.doubling = false;
            self.set(self.limit * BACKOFF, now);
        }
    }

    fn counts(&self, began: Instant) -> bool {
        self.changed.is_none_or(|changed| began >= changed)
    }

    /// The quiet time, after this call.
    fn learn(&mut self, seen: f64, in_flight: f64) -> f64 {
        let quiet = self.quiet.unwrap_or(seen);
        let weight = match seen < quiet {
            true => FASTER,
            false if in_flight <= FEW.max(self.limit / 2.0) => SLOWER,
            false => 0.0,
        };
        *self.quiet.insert(quiet + weight * (seen - quiet))
    }

    fn set(&mut self, limit: f64, now: Instant) {
        let before = self.limit();
        self.limit = limit.clamp(1.0, self.max);
        if self.limit() != before {
            self.changed = Some(now);
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of calls are far below 2^52")]
fn real(count: usize) -> f64 {
    count as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "from 1 to a count"
)]
fn whole(limit: f64) -> usize {
    limit as usize
}

#[cfg(test)]
mod tests;
