//! The waiting room: who waits in which lane, and who is next. A pure machine: no locks, no clock, no futures.
//!
//! Lanes share by smooth weighted round-robin (nginx's), oldest first inside a lane. Waiting raises: each half of the
//! starvation time a request moves one lane up and keeps its seniority, so it then goes before younger ones.

use crate::LanesConfig;
use orchestrator_core::Priority;
use std::{collections::BTreeMap, time::Duration};
use tokio::time::Instant;

/// Who waits, each with a `T` by which it is called.
#[derive(Debug)]
pub(crate) struct Room<T> {
    lanes: [Lane<T>; 3],
    next_number: u64,
}

/// The seniority of one who waits: lower came earlier.
pub(crate) type Number = u64;

#[derive(Debug)]
struct Lane<T> {
    priority: Priority,
    waiting: BTreeMap<Number, Waiting<T>>,
    /// What smooth weighted round-robin owes the lane.
    credit: i64,
}

#[derive(Debug)]
struct Waiting<T> {
    rises_at: Instant,
    caller: T,
}

// === impl Room ===

impl<T> Room<T> {
    pub(crate) fn new() -> Self {
        let lane = |priority| Lane {
            priority,
            waiting: BTreeMap::new(),
            credit: 0,
        };
        Room {
            lanes: Priority::ALL.map(lane),
            next_number: 0,
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

    /// How many wait in a lane and those above it.
    pub(crate) fn ahead_of(&self, priority: Priority) -> usize {
        self.lanes
            .iter()
            .filter(|lane| lane.priority >= priority)
            .map(|lane| lane.waiting.len())
            .sum()
    }

    /// Takes a place in a lane.
    pub(crate) fn wait(&mut self, priority: Priority, caller: T, rises_at: Instant) -> Number {
        let number = self.next_number;
        self.next_number = number.wrapping_add(1);
        self.lane(priority).insert(number, Waiting { rises_at, caller });
        number
    }

    /// Gives a place up; nothing happens when it was called already.
    pub(crate) fn leave(&mut self, number: Number) {
        for lane in &mut self.lanes {
            lane.waiting.remove(&number);
        }
    }

    /// Moves one who waits to a higher lane, where it keeps its seniority.
    pub(crate) fn raise(&mut self, number: Number, priority: Priority) {
        let below = self.lanes.iter_mut().filter(|lane| lane.priority < priority);
        let found = below.filter_map(|lane| lane.waiting.remove(&number)).next();
        if let Some(waiting) = found {
            self.lane(priority).insert(number, waiting);
        }
    }

    /// Calls the next one.
    pub(crate) fn next(&mut self, now: Instant, config: &LanesConfig) -> Option<T> {
        self.rise(now, config.rise());
        let mut total = 0_i64;
        for lane in self.lanes.iter_mut().filter(|lane| !lane.waiting.is_empty()) {
            let weight = config.weights.of(lane.priority);
            lane.credit = lane.credit.saturating_add(weight);
            total = total.saturating_add(weight);
        }
        // The first of equals wins, and the high lane stands first.
        let filled = self.lanes.iter_mut().rev().filter(|lane| !lane.waiting.is_empty());
        let lane = filled.max_by_key(|lane| lane.credit)?;
        lane.credit = lane.credit.saturating_sub(total);
        lane.waiting.pop_first().map(|(_, waiting)| waiting.caller)
    }

    /// Moves those up whose time has come, lowest lane first, so that nobody rises twice at once.
    fn rise(&mut self, now: Instant, step: Duration) {
        for (from, to) in [(Priority::Normal, Priority::High), (Priority::Low, Priority::Normal)] {
            while let Some((number, mut waiting)) = self.take_due(from, now) {
                waiting.rises_at = waiting.rises_at.checked_add(step).unwrap_or(now);
                self.lane(to).insert(number, waiting);
            }
        }
    }

    fn take_due(&mut self, priority: Priority, now: Instant) -> Option<(Number, Waiting<T>)> {
        let lane = self.lane(priority);
        let oldest = lane.first_entry().filter(|oldest| oldest.get().rises_at <= now)?;
        Some(oldest.remove_entry())
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

// === impl Weights ===

impl crate::Weights {
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
