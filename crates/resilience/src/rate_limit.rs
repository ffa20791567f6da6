//! A limit of calls per time: the generic cell rate algorithm in its form of virtual scheduling (ATM Forum, "Traffic
//! Management Specification 4.1", 4.4.2; ITU-T I.371, annex A).
//!
//! The one thing remembered is the theoretical arrival time: when the next call would come if all came evenly. A call
//! conforms if it comes no earlier than that, less the tolerance that the burst allows; each call that does moves the time
//! on by its own interval. So it is one number, which cores exchange without a lock.

use orchestrator_core::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

const MINUTE: Duration = Duration::from_secs(60);

/// A limit of calls per time.
#[derive(Debug)]
pub struct RateLimit {
    /// Between two calls that come evenly, in nanoseconds.
    interval: u64,
    /// How far the theoretical arrival time may be ahead of the clock once a call is let through, in nanoseconds.
    burst: u64,
    /// What nanoseconds are counted from.
    base: Instant,
    /// The theoretical arrival time, in nanoseconds since the base.
    arrival: AtomicU64,
}

// === impl RateLimit ===

impl RateLimit {
    /// At most `calls` a minute, of which `burst` may come at once; both at least 1.
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
        let now = self.since_base(now);
        let arrive = |arrival: u64| match self.early(arrival, now) {
            0 => Some(arrival.max(now).saturating_add(self.interval)),
            _ => None,
        };
        let counted = self.arrival.fetch_update(Ordering::AcqRel, Ordering::Acquire, arrive);
        match counted {
            Ok(_before) => Ok(()),
            Err(arrival) => Err(Duration::from_nanos(self.early(arrival, now))),
        }
    }

    /// How long a call should wait; zero when it may come now. Looking counts nothing, here and below.
    pub(crate) fn wait(&self, now: Instant) -> Duration {
        let arrival = self.arrival.load(Ordering::Acquire);
        Duration::from_nanos(self.early(arrival, self.since_base(now)))
    }

    /// Calls that may come now.
    pub(crate) fn left(&self, now: Instant) -> usize {
        let (arrival, now) = (self.arrival.load(Ordering::Acquire), self.since_base(now));
        let ahead = arrival.saturating_sub(now);
        let calls = self.burst.saturating_sub(ahead).checked_div(self.interval).unwrap_or(0);
        usize::try_from(calls).unwrap_or(usize::MAX)
    }

    /// By how much a call that comes now comes too early.
    fn early(&self, arrival: u64, now: u64) -> u64 {
        let tolerance = self.burst.saturating_sub(self.interval);
        arrival.saturating_sub(tolerance).saturating_sub(now)
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
