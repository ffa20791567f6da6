//! The rest of a worker that answered 429: as long as it says, at most a minute; where it does not say, a second that
//! doubles with each rest, until a success.

use std::time::Duration;
use tokio::time::Instant;

/// The longest rest.
const LONGEST: Duration = Duration::from_secs(60);

/// When a worker may be called again.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rest {
    until: Option<Instant>,
    /// Rests in a row for which the worker gave no time.
    unstated: u32,
}

// === impl Rest ===

impl Rest {
    /// What is left of the rest; zero when the worker may be called.
    pub(crate) fn left(&self, now: Instant) -> Duration {
        self.until
            .map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
    }

    /// The worker asked for a rest, or answered 429 without saying for how long. Calls that were on their way when a rest
    /// began do not double it.
    pub(crate) fn begin(&mut self, asked: Option<Duration>, now: Instant) {
        let pause = match asked {
            Some(asked) => asked,
            None if !self.left(now).is_zero() => return,
            None => {
                let doubled = Duration::from_secs(2_u64.saturating_pow(self.unstated));
                self.unstated = self.unstated.saturating_add(1);
                doubled
            }
        };
        let until = now.checked_add(pause.min(LONGEST));
        // A shorter rest that another call was told does not end a longer one.
        self.until = self.until.max(until);
    }

    /// The worker served. A rest that has begun goes on, since whatever is served meanwhile was asked before it.
    pub(crate) fn reset(&mut self) {
        self.unstated = 0;
    }
}

#[cfg(test)]
mod tests;
