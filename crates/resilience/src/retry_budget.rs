//! The retry budget of one route (Finagle's `RetryBudget`, with a sliding window instead of a balance): over ten seconds the
//! calls beyond a request's first are at most a share of the requests, or a few where there are hardly any. In an outage,
//! when every request would be tried again, load grows by that share and not to a multiple.

use parking_lot::Mutex;
use tokio::time::Instant;

/// Seconds of the window, each with a bucket.
const BUCKETS: u64 = 10;

/// The retry budget of one route, shared by all cores.
#[derive(Debug)]
pub struct RetryBudget {
    base: Instant,
    tally: Mutex<Tally>,
}

/// What may be spent, and what happened in the last ten seconds, by second.
#[derive(Clone, Debug)]
struct Tally {
    percent: u32,
    min: u32,
    buckets: [Bucket; BUCKETS as usize],
}

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    /// Which second since the base it counts; a bucket is used again every ten seconds.
    second: u64,
    requests: u64,
    spent: u64,
}

// === impl RetryBudget ===

impl RetryBudget {
    /// A budget of `percent` of the requests, and `min` calls in any case.
    pub fn new(percent: u32, min: u32) -> Self {
        RetryBudget {
            base: Instant::now(),
            tally: Mutex::new(Tally {
                percent,
                min,
                buckets: Default::default(),
            }),
        }
    }

    /// Changes the budget to `percent` of the requests, and `min` calls in any case. What was spent stays spent.
    pub fn change(&self, percent: u32, min: u32) {
        let mut tally = self.tally.lock();
        (tally.percent, tally.min) = (percent, min);
    }

    /// A request has come.
    pub fn request(&self, now: Instant) {
        if let Some(bucket) = self.tally.lock().bucket(self.second(now)) {
            bucket.requests = bucket.requests.saturating_add(1);
        }
    }

    /// Spends one call beyond a request's first, if the budget has one left.
    pub fn try_spend(&self, now: Instant) -> bool {
        let (mut tally, second) = (self.tally.lock(), self.second(now));
        if tally.left(second) == 0 {
            return false;
        }
        tally
            .bucket(second)
            .map(|bucket| bucket.spent = bucket.spent.saturating_add(1))
            .is_some()
    }

    /// Calls that may still be spent now. Looking changes nothing.
    pub fn left(&self, now: Instant) -> u64 {
        self.tally.lock().left(self.second(now))
    }

    fn second(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.base).as_secs()
    }
}

// === impl Tally ===

impl Tally {
    /// Calls that may be spent in this second.
    fn left(&self, second: u64) -> u64 {
        let (requests, spent) = self.sums(second);
        let share = requests.saturating_mul(u64::from(self.percent)) / 100;
        share.max(u64::from(self.min)).saturating_sub(spent)
    }

    /// The bucket of this second, emptied if it has counted an older one.
    fn bucket(&mut self, second: u64) -> Option<&mut Bucket> {
        let place = usize::try_from(second % BUCKETS).ok()?;
        let bucket = self.buckets.get_mut(place)?;
        // A clock that was read before another core's may be behind; its calls count for the newer second.
        if bucket.second < second {
            *bucket = Bucket {
                second,
                ..Bucket::default()
            };
        }
        Some(bucket)
    }

    /// Requests and spent calls of the ten seconds up to this one.
    fn sums(&self, second: u64) -> (u64, u64) {
        let is_recent = |bucket: &&Bucket| bucket.second.saturating_add(BUCKETS) > second;
        self.buckets
            .iter()
            .filter(is_recent)
            .fold((0, 0), |(requests, spent): (u64, u64), bucket| {
                (
                    requests.saturating_add(bucket.requests),
                    spent.saturating_add(bucket.spent),
                )
            })
    }
}

#[cfg(test)]
mod tests;
