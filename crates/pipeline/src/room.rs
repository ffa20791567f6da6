//! The waiting room: who waits in which lane, and who is next. A pure machine: no locks, no clock, no futures.
//!
//! Lanes share by smooth weighted round-robin (nginx's), oldest first inside a lane. Waiting raises: one who has waited for
//! the starvation time, in the normal lane for half of it, is called out of turn, but only every fourth call is, so that a
//! flood of low requests never takes more than that from those above. Everybody counts in the lane that was asked for.

use crate::{LanesConfig, Weights};
use orchestrator_core::Priority;
use std::{collections::BTreeMap, time::Duration};
use tokio::time::Instant;

/// Calls in turn between two calls of those who have waited too long.
const IN_TURN: u32 = 3;

/// Who waits, each with a `T` by which it is called.
#[derive(Debug)]
pub(crate) struct Room<T> {
    lanes: [Lane<T>; 3],
    next_number: u64,
    /// Calls in turn since one out of turn.
    in_turn: u32,
}

/// The seniority of one who waits: lower came earlier.
pub(crate) type Number = u64;

#[derive(Debug)]
struct Lane<T> {
    priority: Priority,
    waiting: BTreeMap<Number, Waiting<T>>,
    /// What smooth weighted round-robin owes the lane.
    owed: i64,
}

#[derive(Debug)]
struct Waiting<T> {
    since: Instant,
    caller: T,
}

// === impl Room ===

impl<T> Room<T> {
    pub(crate) fn new() -> Self {
        let lane = |priority| Lane {
            priority,
            waiting: BTreeMap::new(),
            owed: 0,
        };
        Room {
            lanes: Priority::ALL.map(lane),
            next_number: 0,
            in_turn: 0,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lanes.iter().all(|lane| lane.waiting.is_empty())
    }

    /// How many wait in a lane.
    pub(crate) fn len(&self, priority: Priority) -> usize {
        self.lanes
            .iter()
            .filter(|lane| lane.priority == priority)
            .map(|lane| lane.waiting.len())
            .sum()
    }

    /// The weight of the highest lane in which somebody waits.
    pub(crate) fn weight(&self, weights: &Weights) -> Option<i64> {
        let highest = self.lanes.iter().find(|lane| !lane.waiting.is_empty())?;
        Some(weights.of(highest.priority))
    }

    /// How many wait in a lane and those above it.
    fn ahead_of(&self, priority: Priority) -> usize {
        self.lanes
            .iter()
            .filter(|lane| lane.priority >= priority)
            .map(|lane| lane.waiting.len())
            .sum()
    }

    /// How many calls it takes until one who took a place in a lane now were called: those before it go first, but its lane
    /// has its share of the calls, however many wait or come above it.
    pub(crate) fn calls_until(&self, priority: Priority, weights: &Weights) -> u64 {
        let count = |waiting: usize| u64::try_from(waiting).unwrap_or(u64::MAX).saturating_add(1);
        let weight = |lane: &Lane<T>| weights.of(lane.priority).unsigned_abs();
        let (mut all, mut own) = (0_u64, 1);
        for lane in &self.lanes {
            let is_own = lane.priority == priority;
            if is_own {
                own = weight(lane).max(1);
            }
            if is_own || !lane.waiting.is_empty() {
                all = all.saturating_add(weight(lane));
            }
        }
        let by_share = count(self.len(priority)).saturating_mul(all).div_ceil(own);
        count(self.ahead_of(priority)).min(by_share)
    }

    /// Takes a place in a lane, behind those who came before.
    pub(crate) fn wait(&mut self, priority: Priority, caller: T, now: Instant) -> Number {
        let number = self.next_number;
        self.next_number = number.wrapping_add(1);
        self.lane(priority).insert(number, Waiting { since: now, caller });
        number
    }

    /// Gives a place up; nothing happens when it was called already.
    pub(crate) fn leave(&mut self, number: Number) {
        for lane in &mut self.lanes {
            lane.waiting.remove(&number);
        }
    }

    /// Moves one who waits to a higher lane that was asked for, where it keeps its seniority.
    pub(crate) fn raise(&mut self, number: Number, priority: Priority) {
        let below = self.lanes.iter_mut().filter(|lane| lane.priority < priority);
        let found = below.filter_map(|lane| lane.waiting.remove(&number)).next();
        if let Some(waiting) = found {
            self.lane(priority).insert(number, waiting);
        }
    }

    /// Calls the next one.
    pub(crate) fn next(&mut self, now: Instant, config: &LanesConfig) -> Option<T> {
        let is_their_turn = self.in_turn >= IN_TURN;
        let called = match is_their_turn.then(|| self.overdue(now, config)).flatten() {
            Some(priority) => {
                self.in_turn = 0;
                self.lane(priority).pop_first()
            }
            None => {
                self.in_turn = self.in_turn.saturating_add(1);
                self.turn(config)?.waiting.pop_first()
            }
        };
        called.map(|(_, waiting)| waiting.caller)
    }

    /// The lane whose turn it is.
    fn turn(&mut self, config: &LanesConfig) -> Option<&mut Lane<T>> {
        let mut total = 0_i64;
        for lane in self.lanes.iter_mut().filter(|lane| !lane.waiting.is_empty()) {
            let weight = config.weights.of(lane.priority);
            lane.owed = lane.owed.saturating_add(weight);
            total = total.saturating_add(weight);
        }
        // The first of equals wins, and the high lane stands first.
        let filled = self.lanes.iter_mut().rev().filter(|lane| !lane.waiting.is_empty());
        let lane = filled.max_by_key(|lane| lane.owed)?;
        lane.owed = lane.owed.saturating_sub(total);
        Some(lane)
    }

    /// The lane whose oldest has waited too long; of two the one whose time came first.
    fn overdue(&self, now: Instant, config: &LanesConfig) -> Option<Priority> {
        let waited = |lane: &Lane<T>| {
            let (_, oldest) = lane.waiting.first_key_value()?;
            let late = now
                .saturating_duration_since(oldest.since)
                .checked_sub(config.patience(lane.priority)?)?;
            Some((late, lane.priority))
        };
        self.lanes.iter().filter_map(waited).max().map(|(_, priority)| priority)
    }

    fn lane(&mut self, priority: Priority) -> &mut BTreeMap<Number, Waiting<T>> {
        let [high, normal, low] = &mut self.lanes;
        match priority {
            Priority::High => &mut high.waiting,
            Priority::Normal => &mut normal.waiting,
            Priority::Low => &mut low.waiting,
        }
    }
}

// === impl LanesConfig ===

impl LanesConfig {
    /// The wait after which those in a lane are called out of turn; `None` for the lane above which there is none.
    fn patience(&self, priority: Priority) -> Option<Duration> {
        let starvation = Duration::from_secs(self.starvation_s);
        match priority {
            Priority::High => None,
            Priority::Normal => Some(starvation.mul_f64(0.5)),
            Priority::Low => Some(starvation),
        }
    }
}

// === impl Weights ===

impl Weights {
    fn of(&self, priority: Priority) -> i64 {
        i64::from(match priority {
            Priority::High => self.high,
            Priority::Normal => self.normal,
            Priority::Low => self.low,
        })
    }
}

#[cfg(test)]
mod tests;
