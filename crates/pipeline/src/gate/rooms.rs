//! The waiting rooms side by side. A pure machine, like each [`Room`].

use crate::{
    LanesConfig, Weights,
    room::{Number, Room},
};
use orchestrator_core::Priority;
use std::time::Duration;
use tokio::time::Instant;

/// Those who wait, by what they wait for.
#[derive(Debug)]
pub(super) struct Rooms<T>(Vec<Waiting<T>>);

#[derive(Debug)]
struct Waiting<T> {
    room: Room<T>,
    /// What smooth weighted round-robin owes the room, among those that share credits with it.
    owed: i64,
    /// When a credit for it was asked for last.
    looked: Option<Instant>,
}

// === impl Rooms ===

impl<T> Rooms<T> {
    pub(super) fn new(rooms: usize) -> Self {
        let empty = || Waiting {
            room: Room::new(),
            owed: 0,
            looked: None,
        };
        Rooms(std::iter::repeat_with(empty).take(rooms).collect())
    }

    /// How many wait in a lane, over all rooms.
    pub(super) fn waiting(&self, priority: Priority) -> usize {
        self.0.iter().map(|waiting| waiting.room.len(priority)).sum()
    }

    /// How many wait in a lane of a room.
    pub(super) fn len(&self, room: usize, priority: Priority) -> usize {
        self.0.get(room).map_or(0, |waiting| waiting.room.len(priority))
    }

    /// The rooms in which somebody waits.
    pub(super) fn occupied(&self) -> Vec<usize> {
        let rooms = self.0.iter().enumerate();
        rooms
            .filter(|(_, waiting)| !waiting.room.is_empty())
            .map(|(room, _)| room)
            .collect()
    }

    /// Which of these rooms is to call its next one, if there is a credit for it: each by the weight of the highest lane in
    /// which somebody waits there. None where nobody waits.
    pub(super) fn turn(&self, rooms: &[usize], weights: &Weights) -> Option<usize> {
        // The first of equals wins.
        let filled = rooms.iter().rev().filter_map(|&room| {
            let waiting = self.0.get(room)?;
            Some((waiting.owed.saturating_add(waiting.room.weight(weights)?), room))
        });
        filled.max_by_key(|(owed, _)| *owed).map(|(_, room)| room)
    }

    /// The room has the turn that was found for it. Rooms that have no credit stand aside, so that they are owed nothing.
    pub(super) fn take_turn(&mut self, rooms: &[usize], winner: usize, weights: &Weights) {
        let mut total = 0_i64;
        for &room in rooms {
            let Some(waiting) = self.0.get_mut(room) else { continue };
            let weight = waiting.room.weight(weights).unwrap_or(0);
            waiting.owed = waiting.owed.saturating_add(weight);
            total = total.saturating_add(weight);
        }
        if let Some(winner) = self.0.get_mut(winner) {
            winner.owed = winner.owed.saturating_sub(total);
        }
    }

    /// Calls until one who came now were called, one an interval.
    pub(super) fn expected_wait(
        &self,
        (room, interval): (usize, Duration),
        priority: Priority,
        lanes: &LanesConfig,
    ) -> Duration {
        let Some(waiting) = self.0.get(room) else {
            return Duration::ZERO;
        };
        let calls = waiting.room.calls_until(priority, &lanes.weights);
        interval.saturating_mul(u32::try_from(calls).unwrap_or(u32::MAX))
    }

    /// Takes a place; the room is one of those that there are.
    pub(super) fn wait(&mut self, room: usize, priority: Priority, caller: T, now: Instant) -> Number {
        let room = self.0.get_mut(room);
        room.map_or(0, |waiting| waiting.room.wait(priority, caller, now))
    }

    pub(super) fn leave(&mut self, room: usize, number: Number) {
        if let Some(waiting) = self.0.get_mut(room) {
            waiting.room.leave(number);
        }
    }

    pub(super) fn raise(&mut self, room: usize, number: Number, priority: Priority) {
        if let Some(waiting) = self.0.get_mut(room) {
            waiting.room.raise(number, priority);
        }
    }

    /// Calls the next one of a room.
    pub(super) fn next(&mut self, room: usize, now: Instant, lanes: &LanesConfig) -> Option<T> {
        self.0.get_mut(room)?.room.next(now, lanes)
    }

    /// A credit is asked for.
    pub(super) fn look(&mut self, room: usize, now: Instant) {
        if let Some(waiting) = self.0.get_mut(room) {
            waiting.looked = Some(now);
        }
    }

    /// When a credit for the room was asked for last.
    pub(super) fn looked(&self, room: usize) -> Option<Instant> {
        self.0.get(room)?.looked
    }
}

#[cfg(test)]
mod tests;
