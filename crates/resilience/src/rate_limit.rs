//! A limit of calls, or of their tokens, per time: the generic cell rate algorithm in its form of virtual scheduling (ATM Forum, "Traffic
//! Management Specification 4.1", 4.4.2; ITU-T I.371, annex A).
//!
//! The one thing remembered is the theoretical arrival time: when the next call would come if all came evenly. A call
//! conforms if it comes no earlier than that, less the tolerance that the burst allows; each call that does moves the time
//! on by its own interval. So it is one number, which cores exchange without a lock.
//!
//! What a call costs may be known only when it is over: it takes an estimate, and settles the rest. That may move the time
//! beyond the burst, which is a debt; nothing passes until the clock has worked it off.

use orchestrator_core::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

const MINUTE: Duration = Duration::from_secs(60);

/// The longest debt: a worker that tells nonsense is not away for ever.
const LONGEST_DEBT: Duration = Duration::from_secs(3_600);

/// A limit of calls, or of their tokens, per time.
#[derive(Debug)]
pub struct RateLimit {
    /// Between two calls or tokens that come evenly, in nanoseconds.
    interval: u64,
    /// How far the theoretical arrival time may be ahead of the clock once a call is let through, in nanoseconds. All that
    /// one call takes at most.
    burst: u64,
    /// What nanoseconds are counted from.
    base: Instant,
    /// The theoretical arrival time, in nanoseconds since the base.
    arrival: AtomicU64,
}

/// What a call has taken of a limit, to be settled once.
#[derive(Debug)]
#[must_use]
pub struct Taken(u64);

// === impl RateLimit ===

impl RateLimit {
    /// At most `calls` a minute, or tokens, of which `burst` may come at once; both at least 1.
    pub fn per_minute(calls: u32, burst: u32) -> Self {
        // Rounded up, so that it is never more.
        let interval = nanos(MINUTE).div_ceil(u64::from(calls.max(1)));
        RateLimit {
            interval,
            burst: interval.saturating_mul(u64::from(burst.max(1))),
            base: Instant::now(),
            arrival: AtomicU64::new(0),
        }
    }

    /// Counts a call if it conforms, or says how long it should wait, and then counts nothing.
    pub fn check(&self, now: Instant) -> Result<(), Duration> {
        self.take(1, now).map(drop)
    }

    /// Takes as much for a call if it conforms, or says how long it should wait, and then takes nothing. Never more than the
    /// burst, so that no call is too large for ever; says how much, to be settled when the call is over. A call that takes
    /// nothing conforms unless there is a debt.
    pub fn take(&self, cost: u64, now: Instant) -> Result<Taken, Duration> {
        let (taken, now) = (self.time(cost).min(self.burst), self.since_base(now));
        let arrive = |arrival: u64| match self.early(taken, arrival, now) {
            0 => Some(arrival.max(now).saturating_add(taken)),
            _ => None,
        };
        let counted = self.arrival.fetch_update(Ordering::AcqRel, Ordering::Acquire, arrive);
        match counted {
            Ok(_before) => Ok(Taken(taken)),
            Err(arrival) => Err(Duration::from_nanos(self.early(taken, arrival, now))),
        }
    }

    /// The call that took this is over and has really cost so much: the rest is given back, or is a debt.
    pub fn settle(&self, Taken(taken): Taken, cost: u64, now: Instant) {
        let (cost, now) = (self.time(cost), self.since_base(now));
        let most = now.saturating_add(self.burst).saturating_add(nanos(LONGEST_DEBT));
        let arrive = |arrival: u64| match cost.checked_sub(taken) {
            Some(more) => arrival.max(arrival.max(now).saturating_add(more).min(most)),
            None => arrival.saturating_sub(taken.saturating_sub(cost)),
        };
        // It is never refused.
        let _before = self
            .arrival
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |arrival| Some(arrive(arrival)));
    }

    /// How long a call that costs as much should wait; zero when it may come now. Looking counts nothing, here and below.
    pub(crate) fn wait(&self, cost: u64, now: Instant) -> Duration {
        let (arrival, taken) = (self.arrival.load(Ordering::Acquire), self.time(cost).min(self.burst));
        Duration::from_nanos(self.early(taken, arrival, self.since_base(now)))
    }

    /// Calls or tokens that may come now.
    pub(crate) fn left(&self, now: Instant) -> usize {
        let (arrival, now) = (self.arrival.load(Ordering::Acquire), self.since_base(now));
        let ahead = arrival.saturating_sub(now);
        let calls = self.burst.saturating_sub(ahead).checked_div(self.interval).unwrap_or(0);
        usize::try_from(calls).unwrap_or(usize::MAX)
    }

    /// By how much a call that comes now, and takes this, comes too early.
    fn early(&self, taken: u64, arrival: u64, now: u64) -> u64 {
        let tolerance = self.burst.saturating_sub(taken);
        arrival.saturating_sub(tolerance).saturating_sub(now)
    }

    /// The time in which as much comes evenly.
    fn time(&self, cost: u64) -> u64 {
        self.interval.saturating_mul(cost)
    }

    fn since_base(&self, now: Instant) -> u64 {
        nanos(now.saturating_duration_since(self.base))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(all(test, sim_loom))]
mod interleavings;
#[cfg(test)]
#[cfg(not(sim_loom))]
mod tests;
