//! The first candidate of a plan, found by a look at few workers: a request that is served at once needs no other, and its
//! cost does not grow with the workers of its route.
//!
//! What is found is what the whole plan would have in front. Where that takes a look at all, nothing is.

use super::{Plan, Reasons, Stand};
use crate::{
    Ask, Balance, Candidate, View, Why,
    balance::{
        cost_by_hash, cost_of_calls,
        draw::{self, Drawn, Seen},
        wheel::Wheel,
    },
};
use orchestrator_core::Tier;
use orchestrator_resilience::Pass;

/// The first candidate of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct First {
    /// The worker that is called first.
    pub candidate: Candidate,
    /// Whether the plan has others.
    pub has_more: bool,
}

/// The workers of the first tier that has any, as far as they are looked at.
#[derive(Debug)]
pub(crate) struct Front<'a, Glance, Look> {
    pub(crate) tier: Tier,
    pub(crate) weights: &'a Wheel,
    /// What is known of the worker at a place without a look: the hash of its name, and its running calls.
    pub(crate) glance: Glance,
    /// Takes a look at the worker at a place.
    pub(crate) look: Look,
    /// Whether the route has one worker, and no other.
    pub(crate) is_only: bool,
}

// === impl Front ===

impl<Glance, Look> Front<'_, Glance, Look>
where
    Glance: Fn(usize) -> Option<(u64, usize)>,
    Look: Fn(usize) -> Option<View>,
{
    /// The first candidate of the plan; none where that takes a look at all workers.
    pub(crate) fn first(&self, balance: Balance, ask: &Ask) -> Option<First> {
        if ask.deadline_left.is_zero() {
            return None;
        }
        // Whoever is found is not down, which shows that health is minded.
        let stand = Stand::new(self.tier, &[], ask, true);
        let look = |place| self.see(&stand, place);
        let (place, view) = self.draw(balance, ask, look)?;
        Some(First {
            candidate: Reasons::of(self.tier, &Plan::default()).candidate(&view, self.tier, Pass::Usual),
            has_more: self.has_more(place, look)?,
        })
    }

    fn draw(&self, balance: Balance, ask: &Ask, look: impl Fn(usize) -> Seen<View>) -> Drawn<View> {
        match balance {
            Balance::RoundRobin => draw::in_turn(self.weights, ask.turn, look),
            Balance::Weighted => draw::by_weight(self.weights, ask.turn, look),
            Balance::P2cEwma => draw::better_of_two((self.weights.len(), ask.seed), None, look),
            Balance::LeastConnections => draw::cheapest(
                self.costs(|(key, running)| cost_of_calls(running, (key, ask.turn))),
                look,
            ),
            Balance::ConsistentHash => {
                let session = ask.session.unwrap_or(ask.seed);
                draw::cheapest(self.costs(|(key, _)| cost_by_hash(key, session)), look)
            }
        }
    }

    /// What each worker costs once it is warm.
    fn costs(&self, of_share: impl Fn((u64, usize)) -> f64) -> impl Iterator<Item = f64> {
        let weights = self.weights.weights().map(f64::from);
        let known = (0..).map(|place| (self.glance)(place).unwrap_or_default());
        weights.zip(known).map(move |(weight, known)| of_share(known) / weight)
    }

    fn see(&self, stand: &Stand<'_>, place: usize) -> Seen<View> {
        let Some(view) = (self.look)(place) else {
            return Seen::Unusable;
        };
        match stand.why_skipped(&view) {
            None => Seen::Usable(view),
            // It may be treated as closed, if there are many such.
            Some(Why::BreakerOpen) if view.opened_by_rate => Seen::Unclear,
            Some(_) => Seen::Unusable,
        }
    }

    /// Whether there is another candidate than the one at `first`; unknown where it is not one of its next neighbours.
    fn has_more(&self, first: usize, look: impl Fn(usize) -> Seen<View>) -> Option<bool> {
        let len = self.weights.len();
        let others = (1..len)
            .take(draw::looks(len))
            .filter_map(|step| first.saturating_add(step).checked_rem(len));
        let mut seen = others.map(look);
        if seen.any(|seen| matches!(seen, Seen::Usable(_))) {
            return Some(true);
        }
        self.is_only.then_some(false)
    }
}

#[cfg(test)]
mod tests;
