//! What a worker's last calls came to: a ring of at most so many outcomes, none older than so long (a count-based window as
//! in resilience4j, bounded in time as well).
//!
//! Each rate has a denominator of its own, so that no outcome dilutes a rate that it says nothing about: failures count
//! among failures and successes, 429s among these and themselves, slow calls among those whose wait is known. Pushing costs
//! O(1), since whatever leaves the ring is taken off the counts that it had entered.

use crate::{Config, Outcome};
use std::{collections::VecDeque, time::Duration};
use tokio::time::Instant;

/// The last outcomes of a worker.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    entries: VecDeque<Entry>,
    counts: Counts,
    calls: usize,
    age: Duration,
}

/// What is in a window, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Calls that ended well.
    pub(crate) successes: u32,
    /// Calls that failed.
    pub(crate) failures: u32,
    /// Calls that were answered with 429.
    pub(crate) limited: u32,
    /// Calls whose wait for the first token is known.
    pub(crate) timed: u32,
    /// Those of them that waited too long.
    pub(crate) slow: u32,
}

/// A call in a window.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// When it ended.
    pub(crate) at: Instant,
    /// What it came to.
    pub(crate) counts: Counts,
    /// How long it waited for its first token, where that is asked.
    pub(crate) wait: Option<Duration>,
}

// === impl Window ===

impl Window {
    /// An empty window of the size that the configuration asks for.
    pub(crate) fn new(config: &Config) -> Self {
        Window {
            entries: VecDeque::new(),
            counts: Counts::default(),
            calls: usize::try_from(config.window_calls).unwrap_or(usize::MAX).max(1),
            age: Duration::from_secs(config.window_s),
        }
    }

    /// A call has ended: how, and how long it waited for its first token beside the time from which on that is slow, where
    /// both are known. Those that leave for it are told to `leave`.
    pub(crate) fn push(
        &mut self,
        outcome: Outcome,
        slow_from_and_wait: Option<(Duration, Duration)>,
        now: Instant,
        mut leave: impl FnMut(&Entry),
    ) {
        let counts = Counts::of(outcome, slow_from_and_wait);
        let says_nothing = counts == Counts::default();
        let most = self.calls.saturating_sub(usize::from(!says_nothing));
        let oldest = self.oldest(now);
        while let Some(entry) = self.entries.front()
            && (self.entries.len() > most || Some(entry.at) < oldest)
        {
            leave(entry);
            self.counts = self.counts.without(entry.counts);
            self.entries.pop_front();
        }
        if !says_nothing {
            let wait = slow_from_and_wait.map(|(_, wait)| wait);
            self.entries.push_back(Entry { at: now, counts, wait });
            self.counts = self.counts.with(counts);
        }
    }

    /// What was in the window just after the last push.
    pub(crate) fn pushed(&self) -> Counts {
        self.counts
    }

    /// What is in the window now. Looking changes nothing.
    pub(crate) fn counts(&self, now: Instant) -> Counts {
        let oldest = self.oldest(now);
        let expired = self.entries.iter().take_while(|entry| Some(entry.at) < oldest);
        expired.fold(self.counts, |counts, entry| counts.without(entry.counts))
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.counts = Counts::default();
    }

    /// From when on an outcome counts; none where all do.
    fn oldest(&self, now: Instant) -> Option<Instant> {
        now.checked_sub(self.age)
    }
}

// === impl Counts ===

impl Counts {
    /// Failures among calls that succeeded or failed: 0 to 1, and 0 where there is none.
    pub(crate) fn failure_rate(&self) -> f64 {
        rate(self.failures, self.decided())
    }

    /// 429s among all calls that were answered in any way.
    pub(crate) fn rate_limit_rate(&self) -> f64 {
        rate(self.limited, self.answered())
    }

    /// Calls that succeeded or failed.
    pub(crate) fn decided(&self) -> u32 {
        self.successes.saturating_add(self.failures)
    }

    /// Calls that succeeded, failed or were answered with 429.
    pub(crate) fn answered(&self) -> u32 {
        self.decided().saturating_add(self.limited)
    }

    /// Whether the 95th percentile by nearest rank is slow. The value at rank ceil(0.95 n) is slow just when more than
    /// the n - ceil(0.95 n) = floor(n / 20) values above it are, which needs no values, only counts.
    pub(crate) fn p95_is_slow(&self) -> bool {
        self.slow > self.timed / 20
    }

    fn of(outcome: Outcome, slow_from_and_wait: Option<(Duration, Duration)>) -> Self {
        let mut counts = Counts::default();
        match outcome {
            Outcome::Success => counts.successes = 1,
            Outcome::Failure => counts.failures = 1,
            Outcome::RateLimited => counts.limited = 1,
            Outcome::GivenUp | Outcome::Neutral => {}
        }
        if let Some((slow_from, wait)) = slow_from_and_wait {
            counts.timed = 1;
            counts.slow = u32::from(wait >= slow_from);
        }
        counts
    }

    fn with(self, other: Counts) -> Self {
        self.zip(other, u32::saturating_add)
    }

    fn without(self, other: Counts) -> Self {
        self.zip(other, u32::saturating_sub)
    }

    fn zip(self, other: Counts, each: impl Fn(u32, u32) -> u32) -> Self {
        Counts {
            successes: each(self.successes, other.successes),
            failures: each(self.failures, other.failures),
            limited: each(self.limited, other.limited),
            timed: each(self.timed, other.timed),
            slow: each(self.slow, other.slow),
        }
    }
}

fn rate(part: u32, whole: u32) -> f64 {
    match part {
        0 => 0.0,
        _ => f64::from(part) / f64::from(whole),
    }
}

#[cfg(test)]
mod tests;
