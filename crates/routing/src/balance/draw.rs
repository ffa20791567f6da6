//! Whom a way calls first, found by a look at few workers of the tier, however many there are.
//!
//! A way draws places and looks at who stands there, until it has whom it wants. Who cannot be called is passed over, so
//! that chance falls to the others evenly. It comes to the same whether one look is taken after the other or all were taken
//! before.

use super::{below, expected_wait, is_on_trial, unit, wheel::Wheel};
use crate::View;
use orchestrator_core::stable::{GOLDEN, mix};
use std::borrow::Borrow;

/// Looks that a draw among so many takes at most; where nine of ten cannot be called it hardly ever finds nobody.
pub(crate) fn looks(len: usize) -> usize {
    len.saturating_mul(4).min(64)
}

/// What a look at one worker finds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Seen<V> {
    /// It may be called.
    Usable(V),
    /// It may not.
    Unusable,
    /// That depends on the others of its tier.
    Unclear,
}

/// Who was drawn: the place, and what was seen there.
pub(crate) type Drawn<V> = Option<(usize, V)>;

/// The one whose turn it is, where no worker weighs more than another.
pub(crate) fn in_turn<V: Borrow<View>>(wheel: &Wheel, turn: u64, look: impl Fn(usize) -> Seen<V>) -> Drawn<V> {
    let len = wheel.len() as u64;
    let first = turn.checked_rem(len).and_then(|place| usize::try_from(place).ok());
    match wheel.is_even() {
        true => warm((wheel, first.unwrap_or(0)), turn, look),
        false => by_weight(wheel, turn, look),
    }
}

/// The one at the turn's point on the wheel. A run of turns comes close to the weights, however short it is.
pub(crate) fn by_weight<V: Borrow<View>>(wheel: &Wheel, turn: u64, look: impl Fn(usize) -> Seen<V>) -> Drawn<V> {
    warm((wheel, wheel.at(turn.wrapping_mul(GOLDEN))), turn, look)
}

/// The worker at `first`, with the chance of its warmth; else one drawn by weight, with the same reserve.
fn warm<V: Borrow<View>>((wheel, first): (&Wheel, usize), turn: u64, look: impl Fn(usize) -> Seen<V>) -> Drawn<V> {
    let mut place = first;
    for nth in 0..looks(wheel.len()) as u64 {
        let chance = mix(mix(turn).wrapping_add(nth));
        match look(place) {
            Seen::Usable(view) if unit(chance) <= view.borrow().warmth => return Some((place, view)),
            Seen::Usable(_) | Seen::Unusable => place = wheel.at(mix(chance)),
            Seen::Unclear => return None,
        }
    }
    None
}

/// Power of two choices (Mitzenmacher): of two drawn by chance the one that is expected to answer sooner; of one alone that
/// one. Those on trial are passed over. `median` is what the tier's latency is, where that is known.
pub(crate) fn better_of_two<V: Borrow<View>>(
    (len, seed): (usize, u64),
    median: Option<f64>,
    look: impl Fn(usize) -> Seen<V>,
) -> Drawn<V> {
    let mut one: Option<(usize, V, f64)> = None;
    for nth in 1..=looks(len) as u64 {
        let hash = mix(seed ^ GOLDEN.wrapping_mul(nth));
        let Some(place) = other_than(one.as_ref().map(|(place, ..)| *place), len, hash) else {
            break;
        };
        match look(place) {
            Seen::Usable(view) if !is_on_trial(view.borrow()) => {
                let wait = expected_wait(view.borrow(), median)?;
                match one {
                    Some((_, _, least)) if wait < least => return Some((place, view)),
                    Some((place, view, _)) => return Some((place, view)),
                    None => one = Some((place, view, wait)),
                }
            }
            Seen::Usable(_) | Seen::Unusable => {}
            Seen::Unclear => return None,
        }
    }
    one.map(|(place, view, _)| (place, view))
}

/// The one that costs least for its share. `cost` is that of a share of one. Warm workers have their whole weight as share;
/// whether one that is cold costs least depends on the others.
pub(crate) fn cheapest<V: Borrow<View>>(
    wheel: &Wheel,
    cost: impl Fn(usize) -> f64,
    look: impl Fn(usize) -> Seen<V>,
) -> Drawn<V> {
    let of_share = |(place, weight)| (place, cost(place) / f64::from(weight));
    let mut costs: Vec<_> = wheel.weights().enumerate().map(of_share).collect();
    for _ in 0..looks(costs.len()) {
        let places = costs.iter().enumerate();
        let (at, &(place, _)) = places.min_by(|(_, (_, one)), (_, (_, other))| one.total_cmp(other))?;
        match look(place) {
            Seen::Usable(view) if view.borrow().warmth >= 1.0 => return Some((place, view)),
            Seen::Usable(_) | Seen::Unclear => return None,
            Seen::Unusable => costs.swap_remove(at),
        };
    }
    None
}

/// One of the places below `len` but for `taken`.
fn other_than(taken: Option<usize>, len: usize, hash: u64) -> Option<usize> {
    let Some(taken) = taken else {
        return Some(below(len, hash));
    };
    // The others are numbered as if it were missing.
    let others = len.checked_sub(1).filter(|others| *others > 0)?;
    let other = below(others, hash);
    Some(other.saturating_add(usize::from(other >= taken)))
}

#[cfg(test)]
mod tests;
