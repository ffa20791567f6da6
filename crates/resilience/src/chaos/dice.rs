//! Chance without a generator that calls share: what a call meets is a function of the seed, of whom it calls, and of how
//! many called them before. Other targets, and other faults of the same call, change nothing of it.
//!
//! FNV-1a (draft-eastlake-fnv) mixes the three into a state, from which SplitMix64 (Steele, Lea and Flood, 2014) draws. Both
//! are written out here, so that a seed that was noted tells the same run in every build.

use super::WorkerFaults;
use orchestrator_core::stable;
use std::time::Duration;

/// The faults that one call meets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hits {
    /// It is held up for so long.
    pub(crate) latency: Option<Duration>,
    /// It fails with this status.
    pub(crate) failure: Option<u16>,
    /// Its answer breaks off after so many tokens.
    pub(crate) cut: Option<u64>,
    /// So long a pause stands before each of its tokens.
    pub(crate) trickle: Option<Duration>,
}

/// The draws of one call.
#[derive(Debug)]
struct Dice(u64);

/// The faults that the `nth` call of `target` meets, from 0.
pub(crate) fn draw(seed: u64, target: &str, nth: u64, faults: &WorkerFaults) -> Hits {
    let mut dice = Dice::of(seed, target, nth);
    // Each takes its draws whether it comes true or not, in this order: so none depends on another's probability.
    let latency = dice.comes_true(faults.latency);
    let held_up = dice.between(faults.latency_min_ms, faults.latency_max_ms);
    let failure = dice.comes_true(faults.failure);
    let cut = dice.comes_true(faults.cut);
    let trickle = dice.comes_true(faults.trickle);
    Hits {
        latency: latency.then(|| Duration::from_millis(held_up)),
        failure: failure.then_some(faults.status),
        cut: cut.then_some(faults.cut_after_tokens),
        trickle: trickle.then(|| Duration::from_millis(faults.trickle_ms)),
    }
}

/// A seed for what has nothing but a name.
pub(crate) fn seed_of(name: &str) -> u64 {
    stable::hash(name.as_bytes())
}

// === impl Dice ===

impl Dice {
    fn of(seed: u64, target: &str, nth: u64) -> Self {
        let parts = [&seed.to_le_bytes()[..], &nth.to_le_bytes()[..], target.as_bytes()];
        Dice(stable::hash(&parts.concat()))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(stable::GOLDEN);
        stable::mix(self.0)
    }

    /// Evenly from 0 to just below 1.
    fn share(&mut self) -> f64 {
        const STEPS: f64 = (1_u64 << 53) as f64;
        (self.next() >> 11) as f64 / STEPS
    }

    fn comes_true(&mut self, probability: f64) -> bool {
        self.share() < probability
    }

    /// Evenly from `least` to `most`, both of them possible; `least` when they are crossed.
    fn between(&mut self, least: u64, most: u64) -> u64 {
        let steps = most.saturating_sub(least).saturating_add(1);
        least.saturating_add((self.share() * steps as f64) as u64)
    }
}

#[cfg(test)]
mod tests;
