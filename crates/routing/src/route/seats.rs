//! The workers of a tier as a plan looks at them: at all of them, or at one after the other.

use super::Seat;
use crate::{Ask, View, balance::wheel::Wheel, plan::first::Workers};
use tokio::time::Instant;

/// The workers of a tier, as a plan looks at them at one moment.
pub(super) struct Seats<'a> {
    pub(super) seats: &'a [Seat],
    pub(super) weights: &'a Wheel,
    pub(super) ask: &'a Ask,
    pub(super) now: Instant,
}

// === impl Seats ===

impl Seats<'_> {
    /// A look at all.
    pub(super) fn views(&self) -> Vec<View> {
        (0..self.seats.len()).filter_map(|place| self.look(place)).collect()
    }
}

impl Workers for Seats<'_> {
    fn weights(&self) -> &Wheel {
        self.weights
    }

    fn key(&self, place: usize) -> u64 {
        self.seats.get(place).map_or(0, |seat| seat.key)
    }

    fn running(&self, place: usize) -> usize {
        self.seats
            .get(place)
            .map_or(0, |seat| seat.member.guard().slots().taken())
    }

    fn look(&self, place: usize) -> Option<View> {
        let seat = self.seats.get(place)?;
        let numbered = (seat.index, self.weights.weight(place));
        Some(seat.member.view(numbered, self.ask, self.now))
    }
}
