//! Who of a plan can answer within the request's latency budget. Who cannot goes behind those who can; and where the first of
//! the plan cannot, the fastest of those who can goes first, whatever its tier. While the first can, it is not outrun: tiers
//! are there to spare the costlier ones. Where nobody is known to be in time, the plan stays as it is.
//!
//! A worker whose latency is not known, or no longer, is expected to be like the others of its tier. Where nothing is known of
//! those either, it keeps its place as long as no call of it is under way: so one at a time finds out.

use super::Candidate;
use crate::{Reason, View, balance::Usable};
use std::{mem, time::Duration};

/// The candidates of a plan so far, beside a latency budget.
#[derive(Debug)]
pub(super) struct InTime {
    budget: Duration,
    /// Of each candidate, in their order.
    expected: Vec<Expected>,
}

/// When a candidate is expected to answer.
#[derive(Clone, Copy, Debug)]
enum Expected {
    /// Within the budget. The fastest has the least of this: seconds, times its calls with this one, for its share.
    InTime(f64),
    /// Nobody knows, and this call would find out.
    Perhaps,
    TooLate,
}

// === impl InTime ===

impl InTime {
    pub(super) fn within(budget: Duration) -> Self {
        InTime {
            budget,
            expected: Vec::new(),
        }
    }

    /// The plan's next candidates are these workers of a tier.
    pub(super) fn next(&mut self, tier: &[Usable<'_>]) {
        let known = tier.iter().filter_map(|one| one.view.last_latency);
        let median = median(known.collect());
        let expected = tier.iter().map(|one| Expected::of(one.view, median, self.budget));
        self.expected.extend(expected);
    }

    /// Puts the candidates in the order in which the budget is best kept.
    pub(super) fn order(self, candidates: &mut Vec<Candidate>) {
        let Some(fastest) = self.fastest() else { return };
        let is_moved = matches!(self.expected.first(), Some(Expected::TooLate));
        let first = if is_moved { fastest } else { 0 };
        let mut ranked: Vec<_> = mem::take(candidates)
            .into_iter()
            .zip(self.expected)
            .enumerate()
            .collect();
        ranked.sort_by_key(|(place, (_, expected))| (*place != first, matches!(expected, Expected::TooLate)));
        candidates.extend(ranked.into_iter().map(|(_, (candidate, _))| candidate));
        if let Some(first) = candidates.first_mut().filter(|_| is_moved) {
            first.reason = Reason::LatencyBudget;
        }
    }

    /// The place of the fastest that is expected in time.
    fn fastest(&self) -> Option<usize> {
        let seconds = self
            .expected
            .iter()
            .enumerate()
            .filter_map(|(place, expected)| match expected {
                Expected::InTime(seconds) => Some((place, seconds)),
                Expected::Perhaps | Expected::TooLate => None,
            });
        let fastest = seconds.min_by(|(_, one), (_, other)| one.total_cmp(other));
        fastest.map(|(place, _)| place)
    }
}

// === impl Expected ===

impl Expected {
    fn of(view: &View, median: Option<Duration>, budget: Duration) -> Self {
        let Some(latency) = view.last_latency.or(median) else {
            return match view.unheard {
                0 => Expected::Perhaps,
                _ => Expected::TooLate,
            };
        };
        let latency = latency.max(view.latency_at_least);
        match latency <= budget {
            true => Expected::InTime(latency.as_secs_f64() * (view.running as f64 + 1.0) / view.share()),
            false => Expected::TooLate,
        }
    }
}

fn median(mut latencies: Vec<Duration>) -> Option<Duration> {
    latencies.sort_unstable();
    latencies.get(latencies.len() / 2).copied()
}
