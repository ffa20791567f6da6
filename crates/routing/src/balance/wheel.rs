//! The workers of a tier on a wheel: each has an arc as long as its weight, so that evenly spread points fall to each as
//! often as its weight says (roulette-wheel selection). It is built once, and a point is found without going round.

use super::below;

/// The weights of a tier's workers, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wheel {
    /// Where each worker's arc ends.
    ends: Vec<usize>,
    is_even: bool,
}

// === impl Wheel ===

impl Wheel {
    /// A wheel for workers of these weights; none of them weighs nothing.
    pub(crate) fn new(weights: impl IntoIterator<Item = u32>) -> Self {
        let (mut ends, mut end, mut is_even) = (Vec::new(), 0_usize, true);
        for weight in weights {
            let arc = usize::try_from(weight.max(1)).unwrap_or(usize::MAX);
            end = end.saturating_add(arc);
            is_even &= ends.first().is_none_or(|first| *first == arc);
            ends.push(end);
        }
        Wheel { ends, is_even }
    }

    /// How many workers there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether no worker weighs more than another.
    pub(crate) fn is_even(&self) -> bool {
        self.is_even
    }

    /// The weight of the worker at `place`.
    pub(crate) fn weight(&self, place: usize) -> u32 {
        let before = place.checked_sub(1).and_then(|before| self.ends.get(before));
        let arc = self
            .ends
            .get(place)
            .map(|end| end.saturating_sub(*before.unwrap_or(&0)));
        arc.and_then(|arc| u32::try_from(arc).ok()).unwrap_or(1)
    }

    /// Their weights, in order.
    pub(crate) fn weights(&self) -> impl Iterator<Item = u32> {
        (0..self.len()).map(|place| self.weight(place))
    }

    /// The place of the worker to which this point falls, a hash of the whole way round.
    pub(crate) fn at(&self, point: u64) -> usize {
        let point = below(self.ends.last().copied().unwrap_or(0), point);
        self.ends.partition_point(|end| *end <= point)
    }
}

#[cfg(test)]
mod tests;
