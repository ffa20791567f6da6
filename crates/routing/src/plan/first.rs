//! The first candidate of a plan, found by a look at few workers: a request that is served at once needs no other, and its
//! cost does not grow with the workers of its route.
//!
//! What is found is what the whole plan would have in front. Where that takes a look at all, nothing is.

use super::{Plan, Reasons, Stand};
use crate::{
    Ask, Balance, Candidate, View, Why,
    balance::{
        self, cost_by_hash, cost_of_calls,
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

/// The workers of a tier, each of which can be looked at. What else is asked of them takes no look.
pub(crate) trait Workers {
    /// Their weights.
    fn weights(&self) -> &Wheel;

    /// The hash of a worker's name.
    fn key(&self, place: usize) -> u64;

    /// A worker's running calls.
    fn running(&self, place: usize) -> usize;

    /// A look at a worker; none where there is nobody.
    fn look(&self, place: usize) -> Option<View>;
}

/// The first tier that has workers.
#[derive(Debug)]
pub(crate) struct Front<W> {
    pub(crate) tier: Tier,
    pub(crate) workers: W,
    /// Whether the route has one worker, and no other.
    pub(crate) is_only: bool,
}

// === impl Front ===

impl<W: Workers> Front<W> {
    /// The first candidate of the plan; none where that takes a look at all workers.
    pub(crate) fn first(&self, balance: Balance, ask: &Ask) -> Option<First> {
        if ask.deadline_left.is_zero() || ask.soft_left(self.tier) == 0 || ask.latency_budget.is_some() {
            return None;
        }
        // Whoever is found is not down, which shows that health is minded.
        let stand = Stand::new(self.tier, &[], ask, true);
        let look = |place| self.see(&stand, place);
        let (place, view) = self.draw(balance, ask, look)?;
        let reasons = Reasons::of(self.tier, &Plan::default(), ask);
        let mut candidate = reasons.candidate(&view, self.tier, Pass::Usual);
        if balance == Balance::ConsistentHash && self.is_own(place, ask) {
            candidate.stick();
        }
        Some(First {
            candidate,
            has_more: self.has_more(place, look)?,
        })
    }

    /// Whether the worker at `place` is the one of the request's session.
    fn is_own(&self, place: usize, ask: &Ask) -> bool {
        let weights = self.workers.weights().weights().enumerate();
        let workers = weights.map(|(place, weight)| (self.workers.key(place), weight));
        ask.session.and_then(|session| balance::own(workers, session)) == Some(place)
    }

    fn draw(&self, balance: Balance, ask: &Ask, look: impl Fn(usize) -> Seen<View>) -> Drawn<View> {
        let weights = self.workers.weights();
        let key = |place| self.workers.key(place);
        match balance {
            Balance::RoundRobin => draw::in_turn(weights, ask.turn, look),
            Balance::Weighted => draw::by_weight(weights, ask.turn, look),
            Balance::P2cEwma => draw::better_of_two((weights.len(), ask.seed), None, look),
            Balance::LeastConnections => {
                let cost = |place| cost_of_calls(self.workers.running(place), (key(place), ask.turn));
                draw::cheapest(weights, cost, look)
            }
            Balance::ConsistentHash => {
                let session = ask.session.unwrap_or(ask.seed);
                draw::cheapest(weights, |place| cost_by_hash(key(place), session), look)
            }
        }
    }

    fn see(&self, stand: &Stand<'_>, place: usize) -> Seen<View> {
        let Some(view) = self.workers.look(place) else {
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
        let len = self.workers.weights().len();
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
